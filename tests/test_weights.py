"""Random weights: what is drawn, and what is counted, against slow plain ways."""

import math
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import pytest

from nofcore import framework, league, randomness, release, reranking, scenarios, weights
from nofcore.errors import InputError
from tests import reference
from tests.figures import rebuilt_of

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"
Q1, Q2 = "Q1 2025/26", "Q2 2025/26"
RULES = framework.for_quarter(Q1)


@lru_cache
def rebuilt(quarter: str) -> league.LeagueTable:
    return rebuilt_of(quarter)


@lru_cache
def drawn(draws: int = 2_000) -> weights.Acceptability:
    return weights.acceptability(rebuilt(Q1), draws=draws, seed=5)


# --- drawing --------------------------------------------------------------------------------------


def test_weights_are_uniform_over_all_there_could_be():
    """Of k uniform weights each is above x with probability (1 - x)^(k - 1); their mean is 1/k."""
    found = weights.simplex(4, 40_000, np.random.default_rng(1))
    assert np.allclose(found.sum(axis=1), 1)
    assert found.mean(axis=0) == pytest.approx([0.25] * 4, abs=0.004)
    for x in (0.1, 0.3, 0.6):
        assert (found > x).mean(axis=0) == pytest.approx([(1 - x) ** 3] * 4, abs=0.01)


def test_weights_around_the_official_ones():
    base, within = np.array([1.0, 2.0, 1.0]), np.array([0.5, 0.25, 0.0])
    found = weights.around(base, within, 20_000, np.random.default_rng(1))
    assert np.allclose(found.sum(axis=1), 1)
    raw = found / found[:, 2:]  # the third weight was held at 1
    for column, (low, high) in enumerate([(0.5, 1.5), (1.5, 2.5)]):
        assert low <= raw[:, column].min() < low + 0.01 and high - 0.01 < raw[:, column].max() <= high
        assert raw[:, column].mean() == pytest.approx((low + high) / 2, abs=0.01)
    assert abs(np.corrcoef(raw[:, 0], raw[:, 1])[0, 1]) < 0.03


# --- counting -------------------------------------------------------------------------------------


def slow_ranks(plan, weight) -> dict:
    """Rank, segment and average by trust for one weighting, with loops; the cut-offs of that weighting."""
    averages, flags, types = {}, {}, {}
    for code, items in zip(plan.trusts.index, plan.values.tolist(), strict=True):
        have = [(item, w) for item, w in zip(items, weight, strict=True) if not math.isnan(item)]
        mean = math.fsum(item * w for item, w in have) / math.fsum(w for _, w in have)
        averages[code] = math.floor(mean * 100 + 0.5 + 1e-9)
        flags[code] = plan.trusts.at[code, "in_deficit"] == 1
        types[code] = plan.trusts.at[code, "trust_type"]
    cuts = reference.quartiles(averages.values())
    segments = {c: reference.adjusted_segment(reference.segment(a, cuts), flags[c]) for c, a in averages.items()}
    return {"rank": reference.league_ranks(segments, averages, types), "segment": segments, "average": averages}


def test_every_draw_against_plain_loops():
    plan = reranking.prepare(rebuilt(Q1))
    some = weights.simplex(len(plan.items), 12, np.random.default_rng(3))
    found = weights.count(some, plan)
    slow = [slow_ranks(plan, weight) for weight in some.tolist()]
    for place, code in enumerate(plan.trusts.index):
        ranks = [one["rank"][code] for one in slow]
        assert found.counts.ranks[place].tolist() == [ranks.count(k) for k in range(1, 135)]
        segments = [one["segment"][code] for one in slow]
        assert found.counts.segments[place].tolist() == [segments.count(k) for k in range(1, 5)]
        best = min(range(12), key=lambda draw: (slow[draw]["rank"][code], slow[draw]["average"][code]))
        assert (found.best[place], found.average[place]) == (ranks[best], slow[best]["average"][code])
        assert found.favourable[place].tolist() == some[best].tolist()


def test_the_official_weights_give_the_published_ranks_against_nhs_england():
    plan = reranking.prepare(rebuilt(Q1))
    ranking = plan.rank(plan.averages(weights.official_weights(plan, RULES)[None]))
    published = release.embedded().release(Q1).league.loc[plan.trusts.index]
    assert (ranking.rank[0] == published["rank"]).all()
    assert (ranking.segment[0] == published["segment"]).all()
    none = weights.acceptability(rebuilt(Q1), within=0, draws=3, seed=1).table(ACUTE)
    assert (none["rank_low"] == none["rank"]).all() and (none["rank_high"] == none["rank"]).all()
    assert (none["p_official_segment"] == 1).all()


def test_weights_of_one_s_own_are_the_same_as_a_scenario():
    own = scenarios.Scenario(
        key="own", name="o", question="?", changes=scenarios.Changes(weights={"access": 2, "OF1082": 0.5})
    )
    table = league.build(release.embedded().release(Q1), scenarios.apply(RULES, own))
    plan = reranking.prepare(rebuilt(Q1))
    by_name = [(2 if RULES.item_domains[i] == "access" else 1) * (0.5 if i == "OF1082" else 1) for i in plan.items]
    ranks = plan.rank(plan.averages(np.array([by_name]))).rank[0]
    assert (table.trusts["rank"].reindex(plan.trusts.index) == ranks).all()


def test_shares_add_up():
    for trust_type, size in ((ACUTE, 134), (AMBULANCE, 10), (MENTAL, 61)):
        table = drawn().table(trust_type)
        assert len(table) == size
        assert np.allclose(table[[f"p_segment_{k}" for k in (1, 2, 3, 4)]].sum(axis=1), 1)
        # Ties for the first place make it more than one trust a draw, and never less.
        assert 1 <= table["p_first"].sum() < 1.1
        assert table["p_bottom_10"].sum() <= 10
        assert ((table["rank_low"] <= table["mean_rank"]) & (table["mean_rank"] <= table["rank_high"])).all()
        assert (table["best_rank"] <= table["rank_low"]).all()
    for name in ("p_top_10", "p_bottom_10"):
        assert (drawn().table(AMBULANCE)[name] == 1).all()  # there are ten


def test_the_favourable_weights_give_the_best_rank():
    for trust_type in (ACUTE, AMBULANCE):
        table = drawn().favourable(trust_type)
        plan = reranking.prepare(rebuilt(Q1))
        whole = drawn().tally.favourable
        for code in list(table.index[:3]) + list(table.index[-3:]):
            place = plan.trusts.index.get_loc(code)
            assert slow_ranks(plan, whole[place].tolist())["rank"][code] == table.at[code, "best_rank"]
            mine = table.loc[code, list(plan.items)].astype(float)
            assert mine.isna().tolist() == np.isnan(plan.values[place]).tolist()
            assert mine.sum() == pytest.approx(1)


def test_monte_carlo_errors_hold_for_another_seed():
    """Two runs differ by less than four standard errors of their difference, for every trust and share."""
    one, two = drawn().table(MENTAL), weights.acceptability(rebuilt(Q1), draws=2_000, seed=6).table(MENTAL)
    for name in ("p_segment_1", "p_segment_3", "p_first", "p_bottom_10"):
        error = np.hypot(one[f"{name}_error"], two[f"{name}_error"])
        assert ((one[name] - two[name]).abs() < 4.5 * error).all()
    assert not one["p_segment_1"].equals(two["p_segment_1"])


def test_share_errors_by_hand():
    """(k + 2) / (n + 4) and its standard error: 50 of 100 is 0.5 -+ sqrt(0.25 / 104); 0 of 96 is 0.02 of 100."""
    assert weights.share_error(np.array([50]), 100) == pytest.approx([math.sqrt(0.25 / 104)])
    assert weights.share_error(np.array([0]), 96) == pytest.approx([math.sqrt(0.02 * 0.98 / 100)])


def test_results_depend_on_the_seed_alone():
    whole = weights.acceptability(rebuilt(Q2), within=30, draws=2_500, seed=1)
    with ThreadPoolExecutor(2) as pool:
        again = weights.acceptability(rebuilt(Q2), within=30, draws=2_500, seed=1, executor=pool)
    assert (whole.tally.counts.ranks == again.tally.counts.ranks).all()
    assert (whole.tally.favourable == again.tally.favourable).all()
    assert whole.tally.counts.draws == 2_500
    first = weights.acceptability(rebuilt(Q2), within=30, draws=randomness.BLOCK, seed=1)
    assert (first.tally.counts.ranks <= whole.tally.counts.ranks).all()


def test_cut_offs_held_at_the_published_ones():
    held = weights.acceptability(rebuilt(Q1), draws=300, seed=1, cutoffs="published")
    taken = weights.acceptability(rebuilt(Q1), draws=300, seed=1)
    assert (held.cutoffs, taken.cutoffs) == ("published", "recomputed")
    assert (held.tally.counts.averages == taken.tally.counts.averages).all()
    assert (held.tally.counts.segments != taken.tally.counts.segments).any()
    assert "cut-offs held at the published ones" in held.note()
    assert "cut-offs taken anew in each draw with all types" in taken.note()
    plan = reranking.prepare(rebuilt(Q1), "published")
    some = weights.simplex(len(plan.items), 5, np.random.default_rng(1))
    hundredths = plan.averages(some)
    expected = 1 + sum(hundredths > cut for cut in (205, 232, 260))  # Q1 2025/26: 2.05, 2.32, 2.60
    assert (plan.rank(hundredths).unadjusted == expected).all()


def test_trusts_without_metric_rows_stand_and_have_no_shares():
    found = weights.acceptability(rebuilt(Q2), draws=50, seed=1)
    assert len(found.held) == 134
    assert "134 trusts without metric rows stand at their published averages" in found.note()
    table = found.table(ACUTE)
    assert table.loc[:, "p_segment_1":].isna().all(axis=None)
    assert found.favourable(ACUTE).empty
    assert found.table(MENTAL)["p_first"].notna().all()


def test_ranges_by_name():
    found = weights.acceptability(
        rebuilt(Q1), within={"access": 50, "Four-hour A&E": 10, "infections": 20}, draws=5, seed=1
    )
    access = {item for item, domain in RULES.item_domains.items() if domain == "access"}
    expected = {item: 50 if item in access else 0 for item in found.items} | {"OF1013": 10, "infections": 20}
    assert found.within == expected
    assert "within ± 0 % or 10 % or 20 % or 50 % of the official one, by name" in found.note()


@pytest.mark.parametrize(
    ("within", "said"),
    [
        ({"acess": 5}, "within: no metric, group or domain 'acess' in the rules of 2025/26; nearest: access"),
        ({"access": -5}, "within: access: must be a number of per cent from 0 to 100, not -5"),
        ({"access": "5"}, "not '5'"),
        ([5, 10], "nothing is matched by its position"),
        (101, "from 0 to 100, not 101"),
        (float("nan"), "from 0 to 100, not nan"),
        (True, "not True"),
        ({"MRSA": 5}, r"'MRSA' (OF1020) is no item"),
    ],
)
def test_bad_ranges(within, said):
    with pytest.raises(InputError) as caught:
        weights.acceptability(rebuilt(Q1), within=within, draws=5, seed=1)
    assert said in str(caught.value)


def test_rules_under_which_no_item_has_a_weight_of_its_own():
    for key, said in (("equal-domains", "weigh by domain"), ("average-not-rounded", "do not round to 2 decimals")):
        (one,) = [scenario for scenario in scenarios.shipped() if scenario.key == key]
        table = league.build(release.embedded().release(Q1), scenarios.apply(RULES, one))
        with pytest.raises(InputError, match=said):
            weights.acceptability(table, draws=5, seed=1)
    with pytest.raises(InputError, match="no metric scores are at hand"):
        weights.acceptability(league.build(release.embedded().release("Q1 2026/27"), None), draws=5, seed=1)


def test_fixed_thresholds_are_not_recomputed():
    (one,) = [scenario for scenario in scenarios.shipped() if scenario.key == "fixed-thresholds"]
    table = league.build(release.embedded().release(Q1), scenarios.apply(RULES, one))
    assert weights.acceptability(table, draws=5, seed=1).cutoffs == "published"
    with pytest.raises(InputError, match="fixed thresholds and cannot be recomputed"):
        weights.acceptability(table, draws=5, seed=1, cutoffs="recomputed")


# --- a user's own weights -------------------------------------------------------------------------


def load(tmp_path, text: str) -> scenarios.Scenario:
    path = tmp_path / "weights.toml"
    path.write_text(text, "utf-8")
    return weights.load(path)


def test_a_file_of_weights(tmp_path):
    own = load(tmp_path, '[weights]\naccess = 2\n"Sickness absence" = 0\n')
    rules = scenarios.apply(RULES, own)
    assert (rules.domain_weights["access"], rules.item_weights["OF1082"], rules.item_weights["OF1013"]) == (2, 0, 1)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[weights]\naccess = -1", "key weights.access: must be 0 or more"),
        ('[weights]\naccess = "2"', "key weights.access: must be a number, without quotes"),
        (
            "weights = [1, 2]",
            "key weights: must be a table of names, each with its own; nothing is matched by its position",
        ),
        ("[weights]", "key weights: is missing"),
        ("[wieghts]\naccess = 1", "key wieghts: unknown key"),
        ("[weights]\nacess = 1", "key weights.acess: no metric, group or domain 'acess'"),
        (
            "[weights]\naccess=0\neffectiveness=0\nsafety=0\npeople=0\nfinance=0",
            "key weights: at least one must be above 0",
        ),
        ("[weights", "is not valid TOML"),
    ],
)
def test_bad_files_of_weights(tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        scenarios.apply(RULES, load(tmp_path, text))
    assert caught.value.problems[0].file == str(tmp_path / "weights.toml")
    assert caught.value.problems[0].message.startswith(said)
