"""Drawn values, pools scored again and what follows for ranks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nofcore import activity, bootstrap, framework, league, noise, randomness, release, rescoring, scoring
from nofcore.errors import InputError

Q1 = "Q1 2025/26"
RULES = framework.for_quarter(Q1)
METRICS = {metric.value: metric for metric in RULES.metric if metric.value}
RANK, STANDARD, FLOOR, LOOKUP = (METRICS[name] for name in ("OF0023", "OF0013", "OF0057", "OF0079"))


@lru_cache
def figures() -> release.Release:
    return release.embedded().release(Q1)


@lru_cache
def rebuilt() -> league.LeagueTable:
    return league.build(figures(), RULES)


@lru_cache
def counts() -> pd.DataFrame:
    return activity.read(figures(), RULES)


@lru_cache
def everything() -> rescoring.Rescoring:
    return rescoring.prepare(figures(), RULES)


def published(draws: int = 1) -> dict[str, np.ndarray]:
    return {name: np.tile(one.values, (draws, 1)) for name, one in everything().metrics.items()}


# --- scoring many draws ---------------------------------------------------------------------------


def by_score_pool(values, metric):
    """Draw by draw with the kit's own scoring of one pool, without published ranks."""
    part = scoring.spread_of(metric, RULES)
    blank, one_type = np.full(values.shape[1], np.nan), np.zeros(values.shape[1], dtype=int)
    return np.array([scoring.score_pool(draw, blank, one_type, metric, part)[0] for draw in values])


def by_loops(values, metric):
    """Trust by trust: count who is better."""
    low, high, fixed = {"rank": (1, 4, None), "standard": (2, 4, 1), "floor": (1, 3, 4)}[metric.model]
    found = np.empty(values.shape)
    for d, draw in enumerate(values):
        meets = [
            metric.threshold is not None
            and (v <= metric.threshold if metric.better == "low" else v >= metric.threshold)
            for v in draw
        ]
        in_part = [not m if metric.model == "standard" else m or metric.model == "rank" for m in meets]
        rest = [v for v, inside in zip(draw, in_part, strict=True) if inside]
        for t, v in enumerate(draw):
            ahead = sum(other < v if metric.better == "low" else other > v for other in rest)
            spread = low + (high - low) * ahead / (len(rest) - 1) if len(rest) > 1 else low
            found[d, t] = spread if in_part[t] else fixed
    return found


def variants(metric):
    return [metric, replace(metric, better={"low": "high", "high": "low"}[metric.better])]


pools = st.integers(1, 40).flatmap(
    lambda trusts: st.lists(
        st.lists(
            st.one_of(
                st.integers(60, 90).map(float),
                st.floats(-1e6, 1e6),
                st.sampled_from([70.0, 78.0, 0.0, -0.0, np.nextafter(78, 0), np.nextafter(78, 99), 5e-324]),
            ),
            min_size=trusts,
            max_size=trusts,
        ),
        min_size=1,
        max_size=4,
    )
)


@pytest.mark.parametrize("metric", [m for metric in (RANK, STANDARD, FLOOR) for m in variants(metric)])
@settings(max_examples=30, deadline=None)
@given(rows=pools)
def test_rescore_equals_the_scoring_of_a_pool_draw_by_draw(metric, rows):
    values = np.array(rows)
    found = rescoring.rescore(values, metric, scoring.spread_of(metric, RULES))
    assert (found == by_score_pool(values, metric)).all()
    np.testing.assert_allclose(found, by_loops(values, metric), rtol=0, atol=1e-12)


@pytest.mark.parametrize("metric", [RANK, STANDARD, FLOOR])
@pytest.mark.parametrize("trusts", [1, 2, 205, 256, 257, 300])
@pytest.mark.parametrize("decimals", [0, 15])
def test_rescore_equals_the_scoring_of_large_pools(metric, trusts, decimals):
    """With whole values almost all are tied, with 15 decimals almost none."""
    values = np.random.default_rng(trusts).normal(75, 8, (20, trusts)).round(decimals)
    found = rescoring.rescore(values, metric, scoring.spread_of(metric, RULES))
    assert (found == by_score_pool(values, metric)).all()


def test_values_that_differ_in_the_last_bit_are_not_tied():
    """The place of a trust rides in the last bits of its value; values that agree in the others are looked at again."""
    values = 50 + np.arange(64) * np.spacing(50.0)
    values = np.random.default_rng(1).permuted(np.tile(values, (30, 1)), axis=1)
    found = rescoring.rescore(values, RANK, scoring.spread_of(RANK, RULES))
    assert (np.sort(found, axis=1) == scoring.spread(np.arange(1, 65), 64, 1, 4)).all()
    assert (found == by_score_pool(values, RANK)).all()


def test_rescore_rounds_half_up_where_asked():
    values = np.random.default_rng(2).normal(75, 8, (50, 41))  # steps of 3/40 = 0.075: halves
    part = scoring.spread_of(RANK, RULES)
    expected = scoring.to_hundredths(rescoring.rescore(values, RANK, part)) / 100
    assert (rescoring.rescore(values, RANK, part, 2) == expected).all()


def test_rescore_of_a_lookup():
    assert rescoring.rescore(np.array([[0.0, -0.5, -1.5, -9.0]]), LOOKUP, None).tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_number_is_refused(bad):
    with pytest.raises(ValueError, match="finite"):
        rescoring.rescore(np.array([[1.0, bad]]), RANK, scoring.spread_of(RANK, RULES))


def test_every_metric_with_published_values_equals_the_scores_from_values():
    """All 26 metrics at once, units and types apart, combined finance among them."""
    expected = scoring.scores_from_values(figures(), RULES, use_rank=False)
    expected = expected.set_index(["metric_id", "trust_code"])["score"]
    plan, seen = everything(), 0
    unrounded = {name: replace(one, decimals=None) for name, one in plan.metrics.items()}
    codes = {one.metric.score: one.codes for one in plan.metrics.values()}
    for score, found in replace(plan, metrics=unrounded).scores(published()):
        row = pd.Series(found[0], codes.get(score, plan.codes)).dropna()
        assert (row == expected[score].reindex(row.index)).all() and len(row) == len(expected[score])
        seen += len(row)
    assert seen == len(expected) == 3240


# --- items and averages ---------------------------------------------------------------------------


def perturbed(draws: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(3)
    return {
        name: values + values.std() / 5 * random.normal(size=values.shape) for name, values in published(draws).items()
    }


def test_items_and_averages_equal_those_of_the_league_module():
    plan, drawn = everything(), perturbed(3)
    codes = {one.metric.score: one.codes for one in plan.metrics.values()}
    start = league.scores_to_average(figures(), RULES, "scores")
    averages, items = plan.averages(drawn), plan.items(drawn)
    for draw in range(3):
        scores = [
            pd.DataFrame(
                {"trust_code": codes.get(score, plan.codes), "metric_id": score, "score": found[draw]}
            ).dropna()
            for score, found in plan.scores(drawn)
        ]
        scores = pd.concat([*scores, start[~start["metric_id"].isin([s["metric_id"].iat[0] for s in scores])]])
        made = league.items(scores, RULES).values.reindex(plan.codes)
        assert (averages[draw] == league.averages(made.to_numpy())).all()
        np.testing.assert_allclose(items[:, draw], made.to_numpy()[made.notna().to_numpy()], rtol=0, atol=1e-12)


def test_a_metric_that_is_not_drawn_keeps_its_published_score():
    plan = rescoring.prepare(figures(), RULES, ["OF0057"])
    before = rebuilt().trusts["hundredths"].reindex(plan.codes).to_numpy()
    one = plan.metrics["OF0057"]
    found = plan.averages({"OF0057": one.values[None]})[0]
    untouched = ~plan.codes.isin(one.codes)
    assert (found[untouched] == before[untouched]).all() and untouched.any()


def test_one_metric_drawn_moves_the_trusts_without_counts_too():
    """A trust that overtakes takes a place from another: the whole pool is scored again."""
    plan = rescoring.prepare(figures(), RULES, [RANK.value])
    values = plan.metrics[RANK.value].values[None].copy()
    values[0, values[0].argmin()] = 100.0
    scores = dict(plan.scores({RANK.value: values}))[RANK.score]
    before = dict(plan.scores({RANK.value: plan.metrics[RANK.value].values[None]}))[RANK.score]
    assert (scores != before).sum() > 100


def test_values_of_the_wrong_shape_and_unknown_metrics_are_refused():
    with pytest.raises(ValueError, match="draws by 131 trusts"):
        list(everything().scores({RANK.value: np.zeros((2, 3))}))
    with pytest.raises(InputError, match="'OF9999'"):
        rescoring.prepare(figures(), RULES, ["OF9999"])


# --- drawing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [1, 1.5, 20])
def test_drawn_shares_have_the_mean_and_variance_asked_for(phi):
    n, share = np.array([160, 5000, 400, 37]), np.array([0.68, 0.03, 0.5, 1.0])
    drawn = noise.draw_percentages(n, share, phi, 40_000, np.random.default_rng(4))
    variance = 100**2 * phi * share * (1 - share) / n
    assert (abs(drawn.mean(axis=0) - 100 * share) <= 5 * np.sqrt(variance / len(drawn)) + 1e-12).all()
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.06)
    np.testing.assert_allclose(drawn * n / 100, np.rint(drawn * n / 100), atol=1e-8)


def test_phi_must_leave_room():
    for phi, n in ((0.9, 50), (50, 50), (np.nan, 50)):
        with pytest.raises(ValueError, match="phi"):
            noise.draw_percentages(np.array([n]), np.array([0.5]), phi, 2, np.random.default_rng(0))


def test_fractions_of_patients_are_rounded_half_up_and_never_to_none():
    assert activity.trials([159.5, 159.4, 0.4, 7]).tolist() == [160, 159, 1, 7]


def test_values_judged_as_published_against_nhs_england():
    """Four-hour waits are judged to 1 decimal: 77.95 and 77.98 % (RFS, RXL) are published as 78.0 and meet the standard."""
    judged = {name: one.judged for name, one in everything().metrics.items() if name in set(counts()["metric_id"])}
    assert judged == {"OF0003": None, "OF0010": None, "OF0011": None, "OF0013": 1, "OF0014": 2, "OF0023": None}
    ratios = counts().set_index(["metric_id", "trust_code"]).eval("100 * numerator / denominator")
    assert ratios["OF0013"][["RFS", "RXL"]].round(2).tolist() == [77.95, 77.98]
    one = everything().metrics["OF0013"]
    places = one.codes.get_indexer(["RFS", "RXL"])
    assert one.scores(noise._source(one, counts(), 1.0).values[None])[0, places].tolist() == [1.0, 1.0]
    drawn = noise._source(one, counts(), 1.0).draw(50, np.random.default_rng(0))
    assert (drawn == drawn.round(1)).all()


# --- counts ---------------------------------------------------------------------------------------


def test_embedded_counts_cover_six_metrics():
    assert counts()["metric_id"].value_counts().to_dict() == {
        "OF0003": 131, "OF0023": 131, "OF0013": 123, "OF0010": 118, "OF0011": 118, "OF0014": 98,
    }  # fmt: skip


def raw(**changes) -> pd.DataFrame:
    table = release.embedded_table("activity").iloc[:6].astype(object).reset_index(drop=True)
    for row, cells in changes.items():
        for column, cell in cells.items():
            table.loc[int(row[1:]), column] = cell
    return table


def test_every_problem_of_a_table_is_named_at_once(tmp_path):
    table = raw(
        r0={"numerator": "many"}, r1={"denominator": 0}, r2={"numerator": 1e6}, r3={"trust_code": "XXX"},
        r4={"metric_id": "OF1046"}, r5={"numerator": -1},
    )  # fmt: skip
    table = pd.concat([table, table.tail(1), raw(r0={"numerator": 90000}).head(1), raw(r0={"quarter": "soon"}).head(1)])
    path = tmp_path / "counts.csv"
    table.to_csv(path, index=False)
    with pytest.raises(InputError) as caught:
        activity.read(figures(), RULES, path)
    problems = {(p.row, p.column): p.message for p in caught.value.problems}
    assert {p.file for p in caught.value.problems} == {"counts.csv"}
    assert "'many'" in problems[2, "numerator"] and "not a number" in problems[2, "numerator"]
    assert "not above zero" in problems[3, "denominator"]
    assert "larger than" in problems[4, "numerator"]
    assert "'XXX' is no trust" in problems[5, "trust_code"]
    assert "not scored from a value" in problems[6, "metric_id"]
    assert "below zero" in problems[7, "numerator"]
    assert "a second row" in problems[8, None]
    assert "differs from the published 4.01" in problems[9, "numerator"]
    assert "'soon' is not a quarter" in problems[10, "quarter"]


def test_a_missing_column_and_a_quarter_without_counts_are_errors(tmp_path):
    with pytest.raises(InputError, match="column denominator: no such column"):
        activity.read(figures(), RULES, raw().drop(columns="denominator"))
    with pytest.raises(InputError, match="no numerators and denominators for Q4 2025/26"):
        activity.read(release.embedded().release("Q4 2025/26"), RULES)
    with pytest.raises(InputError, match=r"none\.csv: cannot be read"):
        activity.read(figures(), RULES, tmp_path / "none.csv")


def test_a_users_file_reads_like_the_embedded_table(tmp_path):
    path = tmp_path / "own.csv"
    release.embedded_table("activity").sample(frac=1, random_state=1).to_csv(path, index=False)
    pd.testing.assert_frame_equal(activity.read(figures(), RULES, path), counts())


# --- on a league table ----------------------------------------------------------------------------


def run(kind="noise", draws=1_500, **options) -> noise.MeasurementNoise:
    return noise.measurement_noise(rebuilt(), figures(), RULES, kind, draws, **options)


def test_draws_equal_a_plain_loop():
    """Every draw scored, averaged and ranked through the kit's slow path, with the same values drawn."""
    plan = rescoring.prepare(figures(), RULES, tuple(sorted(counts()["metric_id"].unique())))
    found = run(draws=3, seed=5)
    random = next(randomness.blocks(3, 5)).generator()
    drawn = {name: noise._source(one, counts(), 1.0).draw(3, random) for name, one in plan.metrics.items()}
    start = league.scores_to_average(figures(), RULES, "scores").set_index(["metric_id", "trust_code"])["score"]
    ranks = []
    for draw in range(3):
        scores = start.copy()
        for name, values in drawn.items():
            metric = METRICS[name]
            mine = by_score_pool(values[draw : draw + 1], metric)[0]
            rounds = metric.score in RULES.rounded_first[Q1]
            for code, score in zip(plan.metrics[name].codes, mine, strict=True):
                scores[metric.score, code] = scoring.to_hundredths(score) / 100 if rounds else score
        made = league.items(scores.rename("score").reset_index(), RULES).values.reindex(found.trusts.index)
        hundredths = league.averages(made.to_numpy())
        flags, types = found.trusts["in_deficit"] == 1, pd.factorize(found.trusts["trust_type"])[0]
        cuts = np.array(rebuilt().cut_offs[""])
        ranks.append(league.rank_trusts(hundredths, cuts, flags.to_numpy(), types, 3).rank)
    expected = np.array([np.bincount(column - 1, minlength=134) for column in np.array(ranks).T])
    assert (found.counts.ranks == expected).all()


def test_results_depend_on_the_seed_and_not_on_the_workers():
    first = run("both", seed=1)
    with ThreadPoolExecutor(3) as executor:
        second = run("both", seed=1, executor=executor)
    assert (first.counts.ranks == second.counts.ranks).all() and (first.counts.averages == second.counts.averages).all()
    assert (first.counts.ranks != run("both", seed=2).counts.ranks).any()


def test_items_equals_the_bootstrap_over_items():
    expected = bootstrap.rank_uncertainty(rebuilt(), 1_000, 7)
    assert (run("items", 1_000, seed=7).counts.ranks == expected.counts.ranks).all()


def test_both_without_noise_is_the_bootstrap_over_items_in_distribution(monkeypatch):
    """Values drawn exactly at the ratios of the counts: only the items are left to chance."""
    exact = "draw_percentages", lambda n, share, phi, size, random: np.tile(100 * share, (size, 1))
    monkeypatch.setattr(noise, *exact)
    assert (run(draws=2).counts.ranks.max(axis=1) == 2).all()
    plan = rescoring.prepare(figures(), RULES, tuple(sorted(counts()["metric_id"].unique())))
    drawn = {name: noise._source(one, counts(), 1.0).draw(1, None) for name, one in plan.metrics.items()}
    made = league.items(league.scores_to_average(figures(), RULES, "scores"), RULES)
    values = made.values.copy()
    row, column = np.nonzero(values.notna().to_numpy())
    cells = values.to_numpy(copy=True)
    cells[row, column] = plan.items(drawn)[:, 0]
    made = replace(made, values=pd.DataFrame(cells, values.index, values.columns))
    draws, points = 4_000, np.arange(401)
    results = run("both", draws, seed=1), bootstrap.rank_uncertainty(replace(rebuilt(), items=made), draws, seed=2)
    means = [result.counts.averages @ points / draws for result in results]
    spreads = [
        np.sqrt(result.counts.averages @ points**2 / draws - mean**2)
        for result, mean in zip(results, means, strict=True)
    ]
    assert (abs(means[0] - means[1]) < 4.5 * spreads[1] * np.sqrt(2 / draws)).all()
    np.testing.assert_allclose(spreads[0], spreads[1], rtol=0.06)
    first, second = (result.counts.ranks @ np.arange(1, 135) / draws for result in results)
    assert abs(first - second).max() < 3


def test_noise_is_narrower_than_the_choice_of_metrics_and_grows_with_phi():
    table = noise.side_by_side([run(kind) for kind in noise.KINDS])
    acute = table[table["trust_type"] == "Acute trust"]
    width = {kind: acute[f"{kind}_rank_width"].median() for kind in noise.KINDS}
    assert width["noise"] < 15 < 40 < width["items"] <= width["both"] + 2
    wide = run(phi=20).table().loc[acute.index]
    assert (wide["rank_high"] - wide["rank_low"]).median() > 2 * width["noise"]


def test_phi_by_metric_leaves_the_others_binomial():
    found = run(draws=10, phi={"OF0013": 5})
    assert found.phi == {name: 5.0 if name == "OF0013" else 1.0 for name in found.metrics}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phi": 0.5}, "phi must be a number from 1"),
        ({"phi": {"OF0084": 2}}, "phi names OF0084"),
        ({"phi": {"OF0011": 160}}, "not below the denominator of OF0011 of"),
        ({"kind": "all"}, "kind must be one of"),
        ({"draws": 0}, "draws must be at least 1"),
    ],
)
def test_options_that_make_no_sense_are_errors(options, message):
    with pytest.raises(InputError, match=message):
        run(**options)


def test_comparison_has_a_row_for_every_trust_and_no_gaps():
    table = noise.compare(rebuilt(), figures(), RULES, draws=1_000)
    drawn = table["n_drawn"] > 0
    assert len(table) == 205 and drawn.sum() == 131 and table[drawn].notna().all(axis=None)
    # A trust of which nothing is drawn has no range for measurement, rather than one of no width.
    assert table.filter(like="noise_")[~drawn].isna().all(axis=None)
    table = table[drawn]
    for kind in noise.KINDS:
        assert (table[f"{kind}_rank_low"] <= table[f"{kind}_rank_high"]).all()
        assert (table[f"{kind}_rank_width"] == table[f"{kind}_rank_high"] - table[f"{kind}_rank_low"]).all()
