"""Values to scores and back: against NHS England's published scores, and rule by rule."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nofcore import framework, release, scoring
from nofcore.framework import Bracket, Lookup
from nofcore.scoring import Spread

RULES = framework.for_quarter("Q1 2025/26")


def recompute(use_rank: bool = True):
    scores = scoring.scores_from_values(release.embedded().release("Q1 2025/26"), RULES, use_rank)
    agree = (scores["score"] - scores["published_score"]).abs() <= 0.005 + 1e-9
    return scores, agree


def test_q1_scores_from_values_against_nhs_england():
    scores, agree = recompute()
    assert (len(scores), int(agree.sum())) == (3240, 3207)
    assert scores.loc[~agree, "tied"].all()
    assert scores.loc[~agree, "metric_id"].value_counts().to_dict() == {"OF1082": 30, "OF1005": 3}


def test_q1_scores_from_values_alone_against_nhs_england():
    scores, agree = recompute(use_rank=False)
    assert (len(scores), int(agree.sum())) == (3240, 2887)
    assert scores.loc[~agree, "tied"].all()


def test_cliff_of_the_four_hour_standard_against_nhs_england():
    """78.0 % scores 1.00 and the next value below, 77.9 %, 2.00."""
    scores, _ = recompute()
    waits = scores[scores["metric_id"] == "OF1013"].sort_values("value")
    assert waits.loc[waits["value"] >= 78, "score"].unique().tolist() == [1.0]
    assert waits.loc[waits["value"] < 78, ["value", "score"]].iloc[-1].tolist() == [77.9, 2.0]


def spread_sizes(quarter: str) -> dict[str, int]:
    """N of each metric with one pool, as recovered from the published scores."""
    figures = release.embedded().release(quarter)
    rows = scoring.published_scores(figures, RULES)
    sizes = {}
    for metric in RULES.metric:
        part = scoring.spread_of(metric, RULES)
        published = rows.loc[rows["metric_id"] == metric.score, "published_score"]
        spread = published[published != part.fixed] if part else published[:0]
        if len(spread) and metric.pool == "all":
            sizes[metric.score] = scoring.recover(spread.to_numpy(), len(spread), part).n
    return sizes


@pytest.mark.parametrize(
    ("quarter", "expected"),
    [
        ("Q2 2025/26", {"OF1005": 120, "OF1016": 50, "OF1017": 3, "OF1028": 11, "OF1041": 70, "OF1057": 83}),
        ("Q3 2025/26", {"OF1005": 118, "OF1016": 49, "OF1017": 4, "OF1063": 48, "OF1086": 71, "OF1057": 80}),
        ("Q4 2025/26", {"OF1005": 120, "OF1016": 47, "OF1017": 5, "OF1047": 10, "OF1082": 205, "OF1057": 84}),
    ],
)
def test_recovered_pool_sizes_against_the_published_method_notes(quarter, expected):
    found = spread_sizes(quarter)
    assert {score: found[score] for score in expected} == expected


def test_every_published_score_is_recovered_and_rounds_back():
    for quarter in ("Q1 2025/26", "Q2 2025/26", "Q3 2025/26", "Q4 2025/26"):
        scores = scoring.published_scores(release.embedded().release(quarter), RULES)
        assert scores["recovered"].all()
        assert (scoring.to_hundredths(scores["score"]) == scoring.to_hundredths(scores["published_score"])).all()


@given(st.integers(1, 150), st.data())
def test_recovery_of_scores_whose_pool_is_seen_whole(n, data):
    """Rounded scores of a whole pool give back the unrounded ones (as a pool of that size or an equal grid)."""
    ranks = np.array(data.draw(st.permutations(range(1, n + 1))))
    exact = scoring.spread(ranks, n, 1, 4)
    found = scoring.recover(scoring.to_hundredths(exact) / 100, n, Spread(1, 4))
    assert (found.n, found.exact.all()) == (n, True)
    assert np.allclose(found.scores, exact, rtol=0, atol=1e-12)


def test_scores_off_every_grid_are_kept_and_marked():
    """Every hundredth from 1 to 4 occurs: that takes 301 trusts, and pools end at 300."""
    published = np.arange(100, 401) / 100
    found = scoring.recover(published, 5, Spread(1, 4))
    assert (found.n, found.exact.any()) == (None, False)
    assert found.scores.tolist() == published.tolist()


def test_a_score_between_two_grid_values_is_kept_and_marked():
    """With 250 trusts between 2 and 4 the steps are finer than the published rounding."""
    exact = scoring.spread(np.arange(1, 251), 250, 2, 4)
    published = scoring.to_hundredths(exact) / 100
    found = scoring.recover(published, 250, Spread(2, 4))
    assert not found.exact.all()
    assert (found.scores[~found.exact] == published[~found.exact]).all()


def test_a_pool_of_one_scores_the_best_of_its_part():
    assert scoring.spread(np.array([1]), 1, 2, 4).tolist() == [2.0]
    assert scoring.recover(np.array([2.0]), 1, Spread(2, 4)).scores.tolist() == [2.0]


@pytest.mark.parametrize(
    ("ranks", "types", "expected", "is_open"),
    [
        ([1, 2, 3], [0, 0, 0], [1, 2, 3], [False] * 3),  # the published rank orders equal values
        ([1, 1, 3], [0, 0, 0], [1, 1, 3], [False] * 3),  # equal rank within a type is a true tie
        ([1, np.nan, 3], [0, 0, 0], [1, 1, 1], [True] * 3),  # one rank missing: none orders
        ([1, 2, 1], [0, 0, 1], [1, 3, 1], [True] * 3),  # two types: ordered by convention, and open
    ],
)
def test_equal_values(ranks, types, expected, is_open):
    found, opened = scoring.rank_in_pool(
        np.array([5.0, 5.0, 5.0]), np.array(ranks, dtype=float), np.array(types), "low"
    )
    assert (found.tolist(), opened.tolist()) == (expected, is_open)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12), st.sampled_from(["low", "high"]))
def test_ranks_of_values_by_counting(values, better):
    array = np.array(values, dtype=float)
    found, _ = scoring.rank_in_pool(array, np.full(len(values), np.nan), np.zeros(len(values), int), better)
    sign = 1 if better == "low" else -1
    assert found.tolist() == [1 + sum(sign * other < sign * value for other in values) for value in values]


@pytest.mark.parametrize(
    ("metric", "values", "scores"),
    [
        ("OF1079", [0.0, -0.01, -1.0, -1.01, -2.0, 3.0], [1, 2, 3, 3, 4, 1]),
        ("OF1081", [0.0, -0.4, -0.5, -0.9, -1.0, 0.2], [1, 2, 3, 3, 4, 1]),
    ],
)
def test_finance_brackets(metric, values, scores):
    assert scoring.look_up(np.array(values), RULES.by_score[metric].lookup).tolist() == scores


def test_first_bracket_that_holds_wins():
    lookup = Lookup((Bracket(1.0, at_most=0.0), Bracket(2.0, below=2.0)), 4.0)
    assert scoring.look_up(np.array([-1.0, 0.0, 1.0, 2.0]), lookup).tolist() == [1, 1, 2, 4]


def test_counted_infections_stay_out_of_the_pool_of_rates():
    """Four small trusts publish E. coli as a count in Q1 2025/26: 0, 1, 2, 3 or more score 1, 2, 3, 4."""
    figures = release.embedded().release("Q1 2025/26")
    scores = scoring.scores_from_values(figures, RULES).set_index(["metric_id", "trust_code"])["score"]["OF1048"]
    rows = figures.observations[figures.observations["metric_id"] == "OF0048"].set_index("trust_code")
    counts = rows[rows["unit"] == "count"]["value"]
    assert len(counts) == 4
    assert scores[counts.index].tolist() == [min(value + 1, 4) for value in counts]
    missed = rows[(rows["unit"] != "count") & (rows["value"] > 1)].index
    assert scores[missed].max() == 4
    assert scores[missed].min() == 2


def test_a_suppressed_value_gets_no_score():
    figures = release.embedded().release("Q1 2025/26")
    rows = figures.observations.copy()
    gone = (rows["metric_id"] == "OF0023") & (rows["trust_code"] == "RXF")
    rows.loc[gone, "value"] = np.nan
    scores = scoring.scores_from_values(replace(figures, observations=rows), RULES)
    assert not ((scores["metric_id"] == "OF1023") & (scores["trust_code"] == "RXF")).any()
    assert len(scores) == 3239


@pytest.mark.parametrize(("score", "hundredths"), [(1.385, 139), (2.675, 268), (1.005, 101), (1.0049, 100), (4.0, 400)])
def test_half_up(score, hundredths):
    assert scoring.to_hundredths(score) == hundredths
