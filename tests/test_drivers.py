"""What drives the average: exact decompositions, textbook formulas, and slow simple versions beside each."""

from __future__ import annotations

import statistics
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nofcore import correlation, drivers, framework, league, release
from nofcore.errors import InputError
from tests.figures import rebuilt_of

ACUTE, AMBULANCE = "Acute trust", "Ambulance trust"
NAN = np.nan


@pytest.fixture(scope="module")
def first():
    return rebuilt_of("Q1 2025/26")


@pytest.fixture(scope="module")
def acute(first):
    return drivers.drivers(first, ACUTE, draws=400, seed=3)


def items_of(trusts: int, items: int, seed: int, gaps: float = 0.3) -> np.ndarray:
    """Random scores with gaps; every trust has at least one item."""
    random = np.random.default_rng(seed)
    found = random.uniform(1, 4, (trusts, items)) + random.normal(0, 1, (trusts, 1))
    blank = random.random(found.shape) < gaps
    blank[np.arange(trusts), random.integers(0, items, trusts)] = False
    return np.where(blank, NAN, found)


# --- influence ------------------------------------------------------------------------------------


def slow_influence(items: np.ndarray) -> list[float]:
    """Covariance of every term with the average, one trust at a time."""
    rows = [[(i, x) for i, x in enumerate(row) if not np.isnan(x)] for row in items.tolist()]
    average = [sum(x for _, x in row) / len(row) for row in rows]
    columns = [[x for row in rows for j, x in row if j == i] for i in range(items.shape[1])]
    mean = [statistics.fmean(column) if column else 0 for column in columns]
    terms = [[sum((x - mean[j]) / len(row) for j, x in row if j == i) for row in rows] for i in range(items.shape[1])]
    terms.append([sum(mean[j] for j, _ in row) / len(row) for row in rows])
    whole = statistics.covariance(average, average)
    return [statistics.covariance(term, average) / whole for term in terms]


@settings(max_examples=60, deadline=None)
@given(st.integers(3, 25), st.integers(1, 7), st.integers(0, 100_000), st.floats(0, 0.8))
def test_shares_of_the_variance_add_to_1(trusts, items, seed, gaps):
    table = items_of(trusts, items, seed, gaps)
    found = drivers.influence(table)[0]
    assert found.sum() == pytest.approx(1, abs=1e-9)
    assert found == pytest.approx(slow_influence(table), abs=1e-9)


def test_shares_add_to_1_for_every_trust_type(first):
    for trust_type in first.trusts["trust_type"].unique():
        found = drivers.drivers(first, trust_type, draws=20)
        assert found.table()["influence"].sum() == pytest.approx(1, abs=1e-9)
        assert found.table()["weight"].sum() == pytest.approx(1, abs=1e-9)


def test_influence_without_gaps_is_the_covariance_with_the_average():
    """cov(x, A) / (n var(A)), and nothing for which metrics apply."""
    table = items_of(20, 4, 1, gaps=0)
    average = table.mean(axis=1)
    expected = [np.cov(table[:, i], average)[0, 1] / (4 * average.var(ddof=1)) for i in range(4)]
    assert drivers.influence(table)[0] == pytest.approx([*expected, 0], abs=1e-12)


def test_which_metrics_apply_takes_what_differences_between_items_make():
    """All trusts score 1 on the first item and 3 on the second; some have one of them only."""
    table = np.array([[1, 3], [1, 3], [1, NAN], [NAN, 3]], dtype=float)
    assert drivers.influence(table)[0] == pytest.approx([0, 0, 1])


def test_an_item_that_is_doubled_has_all_the_influence():
    spread = np.arange(10.0)
    assert drivers.influence(np.column_stack([spread, np.full(10, 2.0)]))[0] == pytest.approx([1, 0, 0])


def test_a_weight_of_trusts_is_a_repeated_trust():
    table = items_of(12, 4, 8)
    weights = np.random.default_rng(2).integers(0, 3, (12, 6)).astype(float)
    found = drivers.influence(table, weights)
    spread = drivers.covariances(table, weights)
    for draw in range(6):
        repeated = np.repeat(table, weights[:, draw].astype(int), axis=0)
        assert found[draw] == pytest.approx(drivers.influence(repeated)[0], abs=1e-9)
        assert spread[draw] == pytest.approx(pd.DataFrame(repeated).cov().to_numpy(), abs=1e-9, nan_ok=True)


def test_equal_averages_have_no_influence():
    assert np.isnan(drivers.influence(np.full((5, 3), 2.0))).all()
    with pytest.raises(ValueError, match="a trust has no item"):
        drivers.influence(np.array([[NAN, NAN], [1, 2]]))


def test_weights_by_hand():
    table = np.array([[1, 2, NAN], [1, NAN, NAN]])
    assert drivers.nominal_weights(table).tolist() == [0.75, 0.25, 0]


def test_averages_of_the_others_by_hand():
    table = np.array([[1, 2, 6], [1, NAN, 3], [NAN, 2, NAN]])
    found = drivers.rest_averages(table)
    assert found[:2].tolist()[0] == [4, 3.5, 1.5]
    assert found[1, [0, 2]].tolist() == [3, 1]
    assert np.isnan(found[1, 1])
    assert np.isnan(found[2]).all()


# --- alpha ----------------------------------------------------------------------------------------


def textbook_alpha(items: np.ndarray) -> float:
    """k / (k - 1) (1 - sum of item variances / variance of the sum), Cronbach 1951."""
    k = items.shape[1]
    variances = [statistics.variance(column) for column in items.T.tolist()]
    return k / (k - 1) * (1 - sum(variances) / statistics.variance(items.sum(axis=1).tolist()))


@given(st.integers(4, 30), st.integers(2, 6), st.integers(0, 10_000))
def test_alpha_against_the_textbook_on_a_complete_table(trusts, items, seed):
    table = items_of(trusts, items, seed, gaps=0)
    found = drivers.covariances(table)[0]
    assert drivers.alpha(found) == pytest.approx(textbook_alpha(table), rel=1e-9, abs=1e-9)
    if items > 2:
        without = [textbook_alpha(np.delete(table, i, axis=1)) for i in range(items)]
        assert drivers.alpha_without(found) == pytest.approx(without, rel=1e-9, abs=1e-9)


def test_alpha_by_hand():
    """Two items of variance 1 and covariance 0.5: 2 (1 - 2 / 3) = 2/3. Equal items: 1. Unrelated: 0."""
    assert drivers.alpha(np.array([[1, 0.5], [0.5, 1]])) == pytest.approx(2 / 3)
    assert drivers.alpha(np.ones((4, 4))) == pytest.approx(1)
    assert drivers.alpha(np.eye(5)) == pytest.approx(0)


def test_covariances_against_pandas():
    table = items_of(25, 5, 4)
    assert drivers.covariances(table)[0] == pytest.approx(pd.DataFrame(table).cov().to_numpy(), abs=1e-12)


# --- components, effective number, domains, clusters ----------------------------------------------


@pytest.mark.parametrize("method", correlation.METHODS)
def test_a_matrix_at_once_is_the_matrix_pair_by_pair(method):
    table = np.round(items_of(40, 6, 5), 1)
    assert drivers._square_at_once(table, method) == pytest.approx(drivers.square(table, method), abs=1e-6)


def test_random_eigenvalues_against_johnstone_2001():
    """The largest eigenvalue of 20 unrelated columns of 400 rows: (sqrt(399) + sqrt(20))² / 400 = 1.494 less 1.21 of
    its scale 0.040 (the mean of Tracy and Widom's law) = 1.446 for covariances; correlations have a little less."""
    found = drivers.random_eigenvalues(np.ones((400, 20), dtype=bool), "pearson", 60, 1)
    assert found.shape == (60, 20)
    assert found.sum(axis=1) == pytest.approx(np.full(60, 20))
    assert found[:, 0].mean() == pytest.approx(1.446, abs=0.05)
    ranked = drivers.random_eigenvalues(np.ones((400, 20), dtype=bool), "spearman", 20, 1)
    assert ranked[:, 0].mean() == pytest.approx(1.446, abs=0.06)


def test_effective_number_by_hand():
    assert drivers.effective_number(np.eye(7)) == 7
    assert drivers.effective_number(np.ones((7, 7))) == 1
    blocks = np.kron(np.eye(3), np.ones((2, 2)))  # three pairs of twins
    assert drivers.effective_number(blocks) == pytest.approx(3)
    values = np.linalg.eigvalsh(blocks + 0.1 * (1 - np.eye(6)) * (blocks == 0))
    assert drivers.effective_number(blocks + 0.1 * (blocks == 0)) == pytest.approx(
        values.sum() ** 2 / (values**2).sum()
    )


def test_domains_against_every_order_of_labels():
    random = np.random.default_rng(6)
    matrix = random.uniform(-0.5, 0.8, (5, 5))
    matrix = (matrix + matrix.T) / 2
    labels = np.array([0, 0, 1, 1, 2])

    def gap(codes) -> float:
        within = [matrix[i, j] for i, j in combinations(range(5), 2) if codes[i] == codes[j]]
        across = [matrix[i, j] for i, j in combinations(range(5), 2) if codes[i] != codes[j]]
        return statistics.fmean(within) - statistics.fmean(across)

    assert drivers.domain_gap(matrix, labels[None])[0] == pytest.approx(gap(labels))
    every = [gap([labels[i] for i in order]) for order in permutations(range(5))]
    expected = np.mean([abs(value) >= abs(gap(labels)) - 1e-9 for value in every])
    p, error = drivers.domain_p(matrix, labels, 20_000, 1)
    assert p == pytest.approx(expected, abs=max(error, 0.01))
    assert np.isnan(drivers.domain_p(matrix, np.arange(5), 10, 1)[0])
    assert np.isnan(drivers.domain_p(matrix, np.zeros(5, dtype=int), 10, 1)[0])


def test_clusters_of_blocks():
    """a and b say the same thing, c pulls against them with the same force, d stands alone; e has no coefficient with
    a."""
    matrix = pd.DataFrame(np.eye(5), list("abcde"), list("abcde"))
    for one, other, r in (("a", "b", 0.9), ("a", "c", -0.9), ("b", "c", -0.9), ("a", "e", NAN), ("b", "e", 0.8)):
        matrix.loc[one, other] = matrix.loc[other, one] = r
    found = drivers.clusters(matrix)
    assert found.left_out in (("e",), ("a",))
    kept = matrix.drop(index="e", columns="e")
    found = drivers.clusters(kept)
    assert found.left_out == ()
    assert found.groups["a"] == found.groups["b"]
    assert found.groups["c"] != found.groups["a"]
    assert found.groups["d"] not in (found.groups["a"], found.groups["c"])
    assert abs(found.order.index("a") - found.order.index("b")) == 1
    assert drivers.clusters(kept, together=0.95).groups.nunique() == 4


# --- on a league table ----------------------------------------------------------------------------


def test_acute_drivers_against_pandas(first, acute):
    """Alpha, mean correlations and the correlation with the rest, from the items with pandas alone."""
    values = first.items.values.loc[first.of(ACUTE).index].dropna(axis="columns", how="all")
    most = [name for name in values if values[name].notna().sum() >= 67]
    made = acute.structure
    assert sorted(made.items) == sorted(most)
    spread = values[most].cov()
    assert made.alpha == pytest.approx(17 / 16 * (1 - np.trace(spread) / spread.to_numpy().sum()))
    rest = values.apply(lambda column: values.drop(columns=column.name).mean(axis=1))
    expected = values["OF1084"].corr(rest["OF1084"], method="spearman")
    assert acute.items.at["OF1084", "rest_coefficient"] == pytest.approx(expected, abs=1e-12)
    ranks = values[most].corr("spearman").to_numpy()
    assert made.effective == pytest.approx(17**2 / (ranks**2).sum())
    assert made.components["eigenvalue"].sum() == pytest.approx(17)
    domain = [first.items.domains[name] for name in most]
    within = [ranks[i, j] for i, j in combinations(range(17), 2) if domain[i] == domain[j]]
    assert (made.within, made.pairs_within) == (pytest.approx(np.mean(within)), len(within))
    assert made.pairs_within + made.pairs_across == 17 * 16 / 2


def test_loadings_rebuild_the_correlations(acute, first):
    made = acute.structure
    values = drivers.good_items(first, ACUTE)[0][list(made.items)]
    loadings = made.loadings.to_numpy()
    assert loadings @ loadings.T == pytest.approx(drivers.square(values.to_numpy(), "spearman"), abs=1e-9)
    assert (loadings.sum(axis=0) > -1e-9).all()


def test_what_is_left_out_is_named(acute):
    left = acute.structure.left_out
    assert left["OF1016"] == "only 1 of 134 acute trusts have it"
    assert set(left) | set(acute.structure.items) == set(acute.items.index)
    assert acute.items.loc[list(left), "alpha_without"].isna().all()
    assert acute.items.loc["OF1016", "reason"].startswith("not available, because only 1 of the acute trusts has both")
    table = acute.table()
    assert table["name"].iat[-1] == "Which metrics apply"
    assert (
        table.loc[table["rest_coefficient"].isna(), "reason"].iloc[:-1].str.startswith("not available, because").all()
    )


def test_infections_are_one_item(acute):
    assert acute.items.at["infections", "name"] == "Healthcare-associated infections"
    assert acute.items.at["infections", "n"] == 134


def test_intervals_hold_the_influence(acute):
    rows = acute.items
    assert (rows["influence_low"] <= rows["influence"] + 1e-12).all()
    assert (rows["influence_high"] >= rows["influence"] - 1e-12).all()
    assert acute.structure.alpha_low < acute.structure.alpha < acute.structure.alpha_high


def test_drivers_depend_on_the_seed_and_nothing_else(first):
    once, again = (drivers.drivers(first, AMBULANCE, draws=300, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(once.items, again.items)
    assert once.structure.p == again.structure.p
    other = drivers.drivers(first, AMBULANCE, draws=300, seed=6)
    assert not once.items["influence_low"].equals(other.items["influence_low"])


@pytest.mark.parametrize("method", ["kendall", "pearson"])
def test_other_methods(first, method):
    found = drivers.drivers(first, AMBULANCE, method, draws=20)
    assert found.structure.components["eigenvalue"].sum() == pytest.approx(8)
    assert found.table()["influence"].sum() == pytest.approx(1, abs=1e-9)


# --- what cannot be said --------------------------------------------------------------------------


def cut(first, trusts=None, values=None):
    """The league table with the items of some trusts alone, or with other scores."""
    items = first.items.values if trusts is None else first.items.values.loc[trusts]
    return replace(first, items=replace(first.items, values=items if values is None else items * 0 + values))


def test_too_few_trusts(first):
    few = cut(first, first.of(AMBULANCE).index[:4])
    with pytest.raises(InputError, match="only 4 ambulance trusts have metric scores"):
        drivers.drivers(few, AMBULANCE, draws=10)


def test_equal_averages(first):
    with pytest.raises(InputError, match="all ambulance trusts have the same average"):
        drivers.drivers(cut(first, values=2.0), AMBULANCE, draws=10)


def test_no_scores():
    with pytest.raises(InputError, match="no metric scores are at hand"):
        drivers.drivers(league.build(release.embedded().release("Q1 2026/27"), None), AMBULANCE, draws=10)


def test_another_kind_of_average(first):
    rules = replace(first.framework, average=framework.Average(how="median"))
    with pytest.raises(InputError, match="influence cannot be worked out with these rules"):
        drivers.drivers(replace(first, framework=rules), AMBULANCE, draws=10)


def test_items_that_do_not_differ_make_no_structure(first):
    values = first.items.values.loc[first.of(AMBULANCE).index].dropna(axis="columns", how="all")
    flat = values.copy()
    flat.iloc[:, 2:] = flat.iloc[:, 2:] * 0 + 2.0
    found = drivers.drivers(replace(first, items=replace(first.items, values=flat)), AMBULANCE, draws=10)
    assert found.structure is None
    assert found.reason.startswith("not available, because only 2 items")
    assert found.items.loc[flat.columns[3], "reason"].startswith("not available, because")


def test_items_are_turned_so_that_high_is_good(first):
    """Scores run from 1, the best, to 4."""
    values, names = drivers.good_items(first, ACUTE)
    assert (values["OF1013"].max(), values["OF1013"].min()) == (-1, -4)
    assert names["OF1013"] == "Four-hour A&E"
