"""The rules of 2026/27, as far as they are known, against NHS England's figures of Q1 2026/27."""

import csv
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from nofcore import cli, findings, framework, league, release, reproduce, scenarios, scoring, sensitivity
from nofcore.errors import InputError
from nofcore.report import plan
from nofcore.reproduce import FROM_AVERAGES, FROM_RESULTS, FROM_SCORES, FROM_VALUES
from tests import makers

QUARTER = "Q1 2026/27"
ACUTE, COMMUNITY, AMBULANCE = "Acute trust", "Mental health and community trust", "Ambulance trust"
RULES = framework.for_quarter(QUARTER)
TEXT = (framework.FOLDER / "2026-27.toml").read_text("utf-8")

# Numbers of trusts in the spread part of each pool, and its ends, as METHOD gives them. Of relative cost it gives none.
POOLS = {
    "OF2004": (9, 1, 3), "OF2015": (11, 1, 4), "OF2017": (8, 2, 4), "OF2047": (10, 1, 4), "OF2061": (10, 1, 4),
    "OF2082": (202, 1, 4), "OF2084": (10, 1, 4), "OF2096": (193, 1, 4), "OF2101": (202, 1, 4), "OF2102": (202, 1, 4),
    "OF2120": (10, 1, 4),
}  # fmt: skip
DOMAINS = {
    "OF4200": ("OF2004", "OF2017"),
    "OF4202": ("OF2061",),
    "OF4203": ("OF2080", "OF2086", "OF2094", "OF2096"),
    "OF4204": ("OF2082", "OF2084", "OF2101", "OF2102", "OF2108", "OF2120"),
    "OF4205": ("OF2047",),
    "OF4209": ("OF2015",),
}


@pytest.fixture(scope="module")
def figures():
    return release.embedded().release(QUARTER)


@pytest.fixture(scope="module")
def rebuilt(figures):
    return league.build(figures, RULES)


@pytest.fixture(scope="module")
def compared(figures):
    return reproduce.reproduce(figures, RULES)


def rows(name):
    with (release.FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["quarter"] == QUARTER]


@pytest.fixture(scope="module")
def published():
    """League-table rows as the file has them, averages as exact fractions."""
    return [row | {"average": Fraction(row["average_score"])} for row in rows("league_tables")]


@pytest.fixture(scope="module")
def observed():
    """Values by metric and trust, as the file has them."""
    found: dict[str, dict[str, str]] = {}
    for row in rows("observations"):
        found.setdefault(row["metric_id"], {})[row["trust_code"]] = row["value"]
    return found


def segment_of(average):
    return 1 + sum(average > Fraction(cut) for cut in ("1.92", "2.32", "2.77"))


def rounded(number):
    """Half up to 2 decimals, exactly."""
    return Fraction(int(number * 100 + Fraction(1, 2)), 100)


def unrounded(metric_id, text):
    """The grid value that a published score was rounded from; one outside the spread part stands as it is."""
    score = Fraction(text)
    if metric_id not in POOLS:
        return score
    n, best, worst = POOLS[metric_id]
    grid = [best + Fraction((worst - best) * k, n - 1) for k in range(n)]
    return next((value for value in grid if rounded(value) == score), score)


# --- against NHS England --------------------------------------------------------------------------


def test_segments_at_fixed_thresholds_against_nhs_england(published):
    """By hand from the published averages: 202 of 202 before the override, 202 of 202 after it."""
    before = [segment_of(row["average"]) for row in published]
    after = [max(s, 3) if row["in_deficit"] == "1" else s for s, row in zip(before, published, strict=True)]
    assert [str(s) for s in before] == [row["unadjusted_segment"] for row in published]
    assert [str(s) for s in after] == [row["segment"] for row in published]
    assert len(published) == 202
    assert sum(row["in_deficit"] == "1" for row in published) == 99
    assert sum(x != y for x, y in zip(before, after, strict=True)) == 21
    assert {row["average"] for row in published if Fraction("1.92") < row["average"] < Fraction("1.94")} == set()


def test_the_kit_makes_all_segments_and_ranks_against_nhs_england(figures, published, compared):
    made = league.from_averages(figures, RULES).trusts
    assert len(made) == len(published) == 202
    for row in published:
        mine = made.loc[row["trust_code"]]
        assert mine["unadjusted_segment"] == int(row["unadjusted_segment"])
        assert mine["segment"] == int(row["segment"])
        assert (mine["rank"], mine["score_rank"]) == (int(row["rank"]), int(row["score_rank"]))
    assert (made["unadjusted_segment"] < made["segment"]).sum() == 21
    for quantity in ("unadjusted segment", "segment", "league rank"):
        assert compared.agreement(FROM_AVERAGES, quantity) == (202, 202)
    for quantity in ("league rank", "rank on the average"):
        assert compared.agreement(FROM_RESULTS, quantity) == (202, 202)


def test_segments_before_the_override_of_league_tables_alone_against_nhs_england(tmp_path, published, capsys):
    """The files of a league table do not give them; the fixed thresholds do, from the averages: 202 of 202."""
    makers.write(tmp_path / "league.csv", makers.league_rows([QUARTER]))
    out = tmp_path / "out" / "table.csv"
    out.parent.mkdir()
    assert cli.main(["table", "--data", str(tmp_path), "--out", str(out)]) == 0
    said = capsys.readouterr().err
    assert "segments before the override of 202 trusts are made from published averages, by the thresholds" in said
    with out.open(encoding="utf-8", newline="") as file:
        found = {row["trust_code"]: row["unadjusted_segment"] for row in csv.DictReader(file)}
    assert found == {row["trust_code"]: row["unadjusted_segment"] for row in published}


def test_no_segment_before_the_override_is_better_known_than_the_published_one(figures):
    """An average of 2.50 in segment 1 was not cut at these thresholds, so nothing is said of the step before."""
    table = figures.league.assign(unadjusted_segment=np.nan)
    code = table.index[figures.trusts["trust_type"] == ACUTE][0]
    table.loc[code, ["average_score", "segment"]] = (2.50, 1)
    made = league.build(replace(figures, league=table, observations=figures.observations.iloc[:0]), RULES).trusts
    assert np.isnan(made.at[code, "unadjusted_segment"])
    assert made["unadjusted_segment"].notna().sum() == 201


def test_files_and_embedded_data_give_the_same_table(tmp_path):
    makers.write(tmp_path / "league.csv", makers.league_rows([QUARTER]))
    makers.write(tmp_path / "data.csv", makers.data_rows([QUARTER]))
    for name, source in (("files", ["--data", str(tmp_path)]), ("embedded", ["--quarter", QUARTER])):
        assert cli.main(["table", *source, "--out", str(tmp_path / f"{name}.table")]) == 0
    assert (tmp_path / "files.table").read_bytes() == (tmp_path / "embedded.table").read_bytes()


def test_ranks_by_counting_against_nhs_england(published):
    """League rank = 1 + trusts of the type with a better segment, or the same and a better average."""
    for row in published:
        mine = (int(row["segment"]), row["average"])
        better = sum(
            (int(other["segment"]), other["average"]) < mine
            for other in published
            if other["trust_type"] == row["trust_type"]
        )
        assert int(row["rank"]) == better + 1


def test_ambulance_averages_and_domains_against_nhs_england(rebuilt, compared):
    assert compared.differences().empty
    for quantity in ("average metric score", "unadjusted segment", "segment", "league rank", "rank on the average"):
        assert compared.agreement(FROM_SCORES, quantity) == (10, 10)
    assert compared.agreement(FROM_SCORES, "domain score") == (60, 60)
    assert compared.agreement(FROM_VALUES, "metric score") == (0, 0)
    assert rebuilt.of(AMBULANCE)["recomputed"].all()
    assert rebuilt.of(AMBULANCE)["n_items"].sum() == 133  # 13 each, clinical trials twice, data quality once


def test_ambulance_averages_by_hand_against_nhs_england(observed):
    """Averages and domain scores in fractions, from the numbers of trusts that METHOD gives: 10 and 60."""
    items = {i: {c: unrounded(i, text) for c, text in observed[i].items()} for ids in DOMAINS.values() for i in ids}
    for code in observed["OF5202"]:
        mine = [scores[code] for scores in items.values() if code in scores]
        assert rounded(sum(mine) / len(mine)) == Fraction(observed["OF5202"][code])
        for domain, ids in DOMAINS.items():
            part = [items[i][code] for i in ids if code in items[i]]
            assert rounded(sum(part) / len(part)) == Fraction(observed[domain][code])


def test_staff_survey_scores_are_ranks_within_type_against_nhs_england(figures):
    """The four whose pool is whole are scored from their values: 40 of 40."""
    surveys = {"OF2047", "OF2061", "OF2084", "OF2120"}
    marked = tuple(replace(metric, rescored=metric.score in surveys) for metric in RULES.metric)
    again = scoring.scores_anew(figures, replace(RULES, metric=marked), scoring.published_scores(figures, RULES))
    published = scoring.observed(figures, surveys).set_index(["trust_code", "metric_id"])["value"]
    made = again.set_index(["trust_code", "metric_id"])["score"].reindex(published.index)
    assert len(published) == 40
    assert (scoring.to_hundredths(made) == scoring.to_hundredths(published)).all()


def test_every_ambulance_score_is_on_the_grid_of_its_pool_against_nhs_england(observed):
    """With the pools as METHOD has them, 202 trusts or ambulance trusts and Isle of Wight, whose place stays empty."""
    for metric_id, (n, best, worst) in POOLS.items():
        grid = {rounded(best + Fraction((worst - best) * k, n - 1)) for k in range(n)}
        spread = {Fraction(text) for text in observed[metric_id].values()}
        spread -= {"OF2017": {Fraction(1)}, "OF2004": {Fraction(4)}}.get(metric_id, set())
        assert spread <= grid, metric_id
    for metric_id, empty in (("OF2015", "3.10"), ("OF2017", "2.57")):
        n, best, worst = POOLS[metric_id]
        grid = {rounded(best + Fraction((worst - best) * k, n - 1)) for k in range(n)}
        assert grid - {Fraction(text) for text in observed[metric_id].values()} == {Fraction(empty)}


def test_standards_lie_where_the_file_says_against_nhs_england(observed):
    """Category 2 response, 999 answer time and relative cost: who has the fixed score, and who has not."""
    by_score = RULES.by_score
    for score, fixed in (("OF2017", Fraction(1)), ("OF2086", Fraction(1)), ("OF2004", Fraction(4))):
        values = {code: Fraction(text) for code, text in observed[f"OF0{score[3:]}"].items()}
        inside = {values[code] for code, text in observed[score].items() if Fraction(text) == fixed}
        outside = set(values.values()) - inside
        low, high = (outside, inside) if score == "OF2004" else (inside, outside)
        metric = by_score[score]
        if metric.between:
            assert tuple(map(float, (max(low), min(high)))) == metric.between
        else:
            assert max(low) <= metric.standard < min(high)


def test_combined_scores_are_read_from_the_table_against_nhs_england(observed):
    matrix = {1: (1, 1, 2, 3), 2: (2, 2, 3, 4), 3: (2, 3, 3, 4), 4: (2, 3, 4, 4)}
    for combined in RULES.combined:
        parts = [{c: int(float(text)) for c, text in observed[i].items()} for i in (combined.rows, combined.columns)]
        for code, text in observed[combined.score].items():
            assert matrix[parts[0][code]][parts[1][code] - 1] == float(text)
    assert Counter(observed["OF2108"].values()) != Counter(observed["OF2080"].values())


def test_every_published_identifier_has_a_place_in_the_file():
    """Names of metrics as NHS England lists them; the values of outcome completeness have no scores of their own."""
    with (release.FOLDER / "metrics.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["metric_id"]: row["domain"] for row in csv.DictReader(file) if row["framework"] == "2026/27"}
    ids = RULES.identifiers
    domains = {domain.key: domain.name for domain in RULES.domain}
    known = {m.value: m.domain for m in RULES.metric if m.value}
    known |= {entry.score: entry.domain for entry in (*RULES.metric, *RULES.combined)}
    known |= {name: domain.key for domain in RULES.domain for name in (domain.score, domain.segment)}
    results = {ids.average, ids.unadjusted_segment, ids.segment, ids.override_flag}
    assert set(listed) - set(known) - results == {"OF0029", "OF0030"}
    assert set(known) <= set(listed)
    assert all(domains[key] == listed[name] for name, key in known.items())


# --- what is not known ----------------------------------------------------------------------------


def test_what_is_not_known_is_said_with_every_table(rebuilt):
    (said,) = [note for note in rebuilt.notes if note.startswith("what is not known about these rules (2026/27): ")]
    for part in (
        "how a domain score becomes a domain segment",
        "whether the first threshold is 1.92 or 1.93",
        "how these are scored: Bank staff, Agency staff, Financial plan, Variance to plan, Clinical trials",
        "the standard of Category 2 response (between 23.97 and 25.08)",
        "the floor of 999 answer time (between 6 and 12)",
        "some or all of the rule of 26 metrics without figures here",
    ):
        assert part in said
    assert rebuilt.domain_segments.empty
    assert f"{QUARTER}: domain segments were not recomputed; their rule is not known" in rebuilt.notes
    page = str(findings.league.limitations(rebuilt, AMBULANCE))
    assert "What is not known about these rules (2026/27): " in page
    assert "What is not known about these rules (2026/27): " in str(findings.league.limitations(rebuilt, ACUTE))


def test_every_page_says_what_is_not_known(tmp_path, figures):
    request = plan.Request((), figures, "all", None, None, tmp_path, 1)
    assert plan.provenance(request)["not_known"].startswith("What is not known about these rules (2026/27): whether ")
    earlier = replace(request, figures=release.embedded().release("Q4 2025/26"))
    assert "not_known" not in plan.provenance(earlier)


def test_a_scenario_does_not_say_it_again(figures, rebuilt):
    (one,) = [one for one in scenarios.shipped() if one.key == "no-finance-domain"]
    made = league.build(figures, scenarios.apply(RULES, one))
    assert not [note for note in made.notes if "not known about these rules" in note]
    assert [note for note in rebuilt.notes if "not known about these rules" in note]


def test_a_scenario_of_another_year_is_said_to_be_one_without_the_path_of_a_file(figures):
    (one,) = [one for one in scenarios.shipped() if one.key == "proxy-flag"]
    (outcome,) = sensitivity.compare(figures, RULES, [one]).outcomes
    assert outcome.table is None
    assert outcome.reason == "scenario 'proxy-flag' speaks of the rules of 2025/26, not of 2026/27"


def test_what_is_not_known_comes_from_the_file():
    every = set(RULES.score_ids)
    assert any("Four-hour A&E (between 80.9 and 82.4)" in part for part in RULES.not_known(every))
    assert not any("without figures" in part for part in RULES.not_known(every))
    known = tuple(replace(metric, unknown=(), between=None) for metric in RULES.metric if not metric.unknown)
    bare = {"combined": (), "group": (), "rule": ()}
    assert replace(RULES, metric=known, **bare).not_known(every) == ()
    assert framework.for_quarter("Q1 2025/26").not_known(every) == ()


def test_scores_of_unknown_rules_are_taken_as_published(figures):
    scores = scoring.published_scores(figures, RULES)
    mine = scores[scores["metric_id"].isin({m.score for m in RULES.metric if "model" in m.unknown})]
    assert len(mine) and (mine["score"] == mine["published_score"]).all()
    assert {"OF2017", "OF2004", "OF2079", "OF2080", "OF2108", "OF2094"} <= RULES.only_published
    assert not {"OF2015", "OF2086", "OF2082"} & RULES.only_published


def test_an_unknown_standard_is_never_used():
    metric = RULES.by_score["OF2017"]
    assert not metric.scorable and metric.threshold is None
    with pytest.raises(ValueError, match="the standard of OF0017 is not known"):
        scoring.is_fixed(np.array([23.0, 26.0]), metric)


def test_a_scenario_may_set_what_is_not_known():
    given = scenarios.Scenario(
        key="own", name="own", question="?", changes=scenarios.Changes(metric={"Category 2 response": {"standard": 25}})
    )
    metric = scenarios.apply(RULES, given).by_score["OF2017"]
    assert (metric.standard, metric.unknown, metric.between, metric.rescored) == (25, (), None, True)


def test_all_standards_gone_leaves_none_behind_for_being_unknown():
    (one,) = [one for one in scenarios.shipped() if one.key == "no-standards"]
    changed = scenarios.apply(RULES, one)
    assert not [metric.score for metric in changed.metric if metric.model == "standard"]
    assert changed.by_score["OF2017"].scorable
    assert changed.by_score["OF2004"].model == "floor"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('unknown = ["standard"]', 'unknown = ["floor"]', "unknown 'floor' belongs to model 'floor'"),
        ('unknown = ["standard"]', 'unknown = ["name"]', "must be 'model', 'standard' or 'floor'"),
        ('unknown = ["standard"]', "", "key between belongs to an unknown standard or floor"),
        ("between = [76.89, 78.74]", "standard = 78", "key standard is given, and unknown says that it is not known"),
        ("between = [76.89, 78.74]", "between = [78.74, 76.89]", "between must increase"),
        ('unknown = ["model"]', "", "has no value, unless unknown names the model"),
        ('model = "rank"', 'model = "rank"\nunknown = ["model"]', "unknown 'model' belongs to model 'published'"),
        ('domains = "unknown"\n\n', 'domains = "perhaps"\n\n', "must be 'same' or 'unknown'"),
    ],
)
def test_what_is_wrong_with_unknown_rules_is_named(tmp_path, old, new, said):
    assert old in TEXT
    path = tmp_path / "own.toml"
    path.write_text(TEXT.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError) as caught:
        framework.load(path)
    assert said in str(caught.value)


# --- on the command line --------------------------------------------------------------------------


def test_the_default_quarter_is_the_latest_with_all_metric_rows():
    assert release.embedded().latest() == "Q1 2025/26"


def test_the_table_of_all_trusts_against_nhs_england(tmp_path, published):
    out = tmp_path / "table.csv"
    assert cli.main(["table", "--quarter", QUARTER, "--trust-type", "all", "--out", str(out)]) == 0
    with out.open(encoding="utf-8-sig", newline="") as file:
        made = {row["trust_code"]: row for row in csv.DictReader(file)}
    assert len(made) == 202
    for row in published:
        mine = made[row["trust_code"]]
        for name in ("unadjusted_segment", "in_deficit", "segment", "rank"):
            assert mine[name] == row[name]
        assert Fraction(mine["average_score"]) == row["average"]


def test_scores_from_values_are_refused_in_one_line(tmp_path, capsys):
    out = tmp_path / "scores.csv"
    assert cli.main(["scores", "--quarter", QUARTER, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "without the metric rows of Acute trust" in said
    assert not out.exists()
