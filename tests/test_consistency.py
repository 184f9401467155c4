"""Whether correlations hold over quarters, subtypes and types of trust."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nofcore import consistency, correlation, framework, release

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"
RULES = framework.for_quarter("Q1 2025/26")


@pytest.fixture(scope="module")
def archive():
    return release.embedded()


@pytest.fixture(scope="module")
def mental(archive):
    return consistency.history(archive, None, MENTAL, draws=300, seed=2)


def symmetric(size: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    found = random.uniform(-1, 1, (size, size))
    found = (found + found.T) / 2
    np.fill_diagonal(found, 1)
    return found


def test_mantel_against_every_order():
    one, noise = symmetric(5, 1), symmetric(5, 2)
    other = one + 0.7 * noise
    upper = np.triu_indices(5, 1)
    found, p, error = consistency.mantel(one, other, 10_000, 1)
    assert found == pytest.approx(stats.pearsonr(one[upper], other[upper]).statistic)
    every = []
    for order in permutations(range(5)):
        moved = other[np.ix_(order, order)]
        every.append(stats.pearsonr(one[upper], moved[upper]).statistic)
    assert p == pytest.approx(np.mean([value >= found - 1e-9 for value in every]), abs=max(error, 0.01))


def test_coefficients_that_are_all_the_same():
    assert np.isnan(consistency.mantel(np.ones((5, 5)), symmetric(5, 1), 10, 1)).all()


def frame(values: np.ndarray) -> pd.DataFrame:
    names = [f"m{i}" for i in range(len(values))]
    return pd.DataFrame(values, names, names)


def test_agreement_leaves_out_what_has_no_coefficient():
    one, other = frame(symmetric(6, 3)), frame(symmetric(6, 3))
    one.loc["m2", "m4"] = one.loc["m4", "m2"] = np.nan
    found = consistency.agreement(one, other, draws=100)
    assert (found["metrics"], found["pairs"]) == (5, 10)
    assert found["correlation"] == pytest.approx(1)
    assert (found["difference"], found["reason"]) == (0, "")
    few = consistency.agreement(one.iloc[:3, :3], other, draws=10)
    assert few["reason"] == "not available, because only 3 metrics can be compared (4 are needed)"
    assert np.isnan(few["correlation"])


def test_quarters_with_metric_rows(archive, mental):
    """Mental health and community and ambulance trusts have four quarters, acute trusts one."""
    assert mental.quarters == ("Q1 2025/26", "Q2 2025/26", "Q3 2025/26", "Q4 2025/26")
    assert mental.without == ("Q1 2026/27",)
    assert len(mental.rows) == 6
    acute = consistency.history(archive, None, ACUTE, draws=10)
    assert acute.quarters == ("Q1 2025/26",)
    assert acute.without == ("Q2 2025/26", "Q3 2025/26", "Q4 2025/26", "Q1 2026/27")
    assert acute.rows.empty


def test_agreement_of_quarters_against_pandas(archive, mental):
    """Q1 with Q4, from the published values with pandas; values that are equal stay in the order of their rank."""
    squares = []
    for quarter in ("Q1 2025/26", "Q4 2025/26"):
        figures = archive.release(quarter)
        values = correlation.aligned(figures, RULES, MENTAL).values
        squares.append(values.corr("spearman", min_periods=5))
    both = squares[0].notna() & squares[1].notna()
    assert both.all(axis=None)
    upper = np.triu_indices(len(both), 1)
    one, other = (square.to_numpy()[upper] for square in squares)
    row = mental.rows[(mental.rows["earlier"] == "Q1 2025/26") & (mental.rows["later"] == "Q4 2025/26")].iloc[0]
    assert row["correlation"] == pytest.approx(stats.pearsonr(one, other).statistic)
    assert row["difference"] == pytest.approx(np.abs(one - other).mean())
    assert row["pairs"] == len(one) == 55
    assert mental.pairs()["Q4 2025/26"].to_numpy() == pytest.approx(other)


def test_surveys_that_repeat_are_not_renewed(mental):
    """Between Q1 and Q2 three metrics of mental health and community trusts repeat their figures."""
    row = mental.rows.iloc[0]
    assert (row["metrics"], row["renewed"]) == (11, 8)
    assert row["renewed_reason"] == ""
    assert row["renewed_correlation"] < row["correlation"]


def test_subtypes(archive):
    figures = archive.release("Q1 2025/26")
    made = correlation.aligned(figures, RULES, ACUTE)
    rows = consistency.by_subtype(figures, made, draws=100).set_index("subtype")
    assert rows["trusts"].sum() == 134
    teaching = figures.trusts["trust_subtype"].reindex(made.values.index) == "Acute - Teaching"
    flat = made.values[teaching].corr("spearman", min_periods=5).to_numpy()[np.triu_indices(24, 1)]
    assert rows.at["Acute - Teaching", "mean"] == pytest.approx(np.nanmean(flat))
    assert rows.at["Acute - Teaching", "pairs"] == (~np.isnan(flat)).sum()
    alone = consistency.by_subtype(figures, correlation.aligned(figures, RULES, AMBULANCE), draws=10)
    assert alone["rest_reason"].tolist() == ["not available, because all ambulance trusts are of this subtype"]
    tiny = consistency.by_subtype(figures, correlation.aligned(figures, RULES, MENTAL), draws=10).set_index("subtype")
    assert np.isnan(tiny.at["Care Trust", "mean"])
    assert tiny.at["Care Trust", "rest_reason"].startswith("not available, because")


def test_the_same_pairs_in_several_types(archive):
    figures = archive.release("Q1 2025/26")
    parts = [correlation.aligned(figures, RULES, name) for name in figures.trust_types]
    rows = consistency.by_type(parts)
    assert (rows[list(figures.trust_types)].notna().sum(axis=1) > 1).all()
    row = rows[(rows["metric_a"] == "OF0061") & (rows["metric_b"] == "OF0084")].iloc[0]
    assert row[[f"{name}, n" for name in figures.trust_types]].tolist() == [134, 10, 61]
    both = parts[0].values[["OF0061", "OF0084"]].dropna()
    assert row[ACUTE] == pytest.approx(stats.spearmanr(*both.to_numpy().T).statistic)
    assert (row["name_a"], row["name_b"]) == ("Raising concerns", "Staff engagement")
