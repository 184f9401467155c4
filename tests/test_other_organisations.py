"""Other types of organisation, by the made-up example in docs/example-icb, end to end.

The tables are worked out by hand from the values in the files: plain Python, whole fractions, nothing of the package.
The rules are written down here a second time, from the comments of the example's framework file.
"""

import csv
import re
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import pandas as pd
import pytest

from nofcore import (
    bootstrap,
    charts,
    check,
    cli,
    findings,
    framework,
    league,
    measures,
    movement_study,
    profile,
    profile_study,
    release,
    reproduce,
    scoring,
    sensitivity_study,
    sobol,
    tables,
    wording,
)
from nofcore.report import plan
from tests import makers
from tests.figures import uncached_profiles_of

EXAMPLE = Path(__file__).parents[1] / "docs" / "example-icb"
DATA, RULES = EXAMPLE / "data", EXAMPLE / "framework.toml"
ICB, AMBULANCE = "Integrated care board", "Ambulance trust"
QUARTERS = ("Q1 2030/31", "Q2 2030/31")
SUPPRESSED = ("Q1 2030/31", "XI09", "IC0005")

# value: (score, high is good, model, standard or floor, ranked across types)
METRICS = {
    "IC0001": ("IC1001", True, "standard", 85, True),
    "IC0002": ("IC1002", True, "rank", None, True),
    "OF0017": ("OF1017", False, "standard", 30, True),
    "IC0003": ("IC1003", True, "floor", 80, True),
    "IC0004": ("IC1004", True, "rank", None, True),
    "IC0005": ("IC1005", True, "rank", None, True),
    "OF0028": ("OF1028", False, "rank", None, True),
    "IC0006": ("IC1006", True, "lookup", None, True),
    "IC0007": ("IC1007", False, "rank", None, True),
    "OF0082": ("OF1082", False, "rank", None, False),
}
DOMAINS = {
    "access": ("IC1001", "IC1002", "OF1017"),
    "health": ("IC1003", "IC1004", "IC1005", "OF1028"),
    "money": ("IC1006", "IC1007", "OF1082"),
}


# --- the example by hand ---------------------------------------------------------------------------


def rows(pattern: str) -> list[dict[str, str]]:
    found = []
    for path in sorted(DATA.glob(pattern)):
        with path.open(encoding="utf-8", newline="") as handle:
            found += csv.DictReader(handle)
    return found


def hundredths(number: Fraction) -> int:
    return int((number * 100 + Fraction(1, 2)) // 1)


def percentile(numbers: list[int], per_cent: int) -> Fraction:
    """Linear interpolation between the two nearest."""
    ordered = sorted(numbers)
    place = Fraction(per_cent * (len(ordered) - 1), 100)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def scores_by_hand(quarter: str) -> dict[tuple[str, str], Fraction]:
    """(code, score identifier) -> score."""
    values, types = defaultdict(dict), {}
    for row in rows("*-data-*.csv"):
        if row["Quarter"] == quarter and row["Metric_ID"] in METRICS and row["Value"] != "*":
            values[row["Metric_ID"]][row["Trust_code"]] = Fraction(row["Value"])
            types[row["Trust_code"]] = row["Trust_type"]
    found = {}
    for value, (score, high, model, limit, across) in METRICS.items():
        pools = [{ICB, AMBULANCE}] if across else [{ICB}, {AMBULANCE}]
        for pool in pools:
            mine = {code: number for code, number in values[value].items() if types[code] in pool}
            if model == "lookup":
                for code, number in mine.items():
                    best = 1 if number >= 0 else 2 if number > Fraction(-1, 2) else 3
                    found[code, score] = Fraction(best if number > -1 else 4)
                continue
            spread, best, worst = mine, 1, 4
            if model != "rank":
                meets = {code: number >= limit if high else number <= limit for code, number in mine.items()}
                best, worst = (2, 4) if model == "standard" else (1, 3)
                for code in mine:
                    if meets[code] == (model == "standard"):
                        found[code, score] = Fraction(1 if model == "standard" else 4)
                spread = {code: number for code, number in mine.items() if (code, score) not in found}
            for code, number in spread.items():
                better = sum((other > number) if high else (other < number) for other in spread.values())
                found[code, score] = best + (worst - best) * Fraction(better, max(len(spread) - 1, 1))
    return found


def table_by_hand(quarter: str, pool: str = "type", cuts=(25, 50, 75)) -> dict[str, tuple[int, int, int]]:
    """code -> (average in hundredths, segment, rank)."""
    of = defaultdict(list)
    for (code, _), score in scores_by_hand(quarter).items():
        of[code].append(score)
    averages = {code: hundredths(sum(scores) / len(scores)) for code, scores in of.items()}
    types = {row["Trust_code"]: row["Trust_type"] for row in rows("*-data-*.csv")}
    found = {}
    for kind in (ICB, AMBULANCE):
        mine = {code: average for code, average in averages.items() if types[code] == kind}
        among = list((averages if pool == "all" else mine).values())
        limits = [percentile(among, per_cent) for per_cent in cuts]
        keys = {code: (1 + sum(average > limit for limit in limits), average) for code, average in mine.items()}
        for code, (segment, average) in keys.items():
            found[code] = (average, segment, 1 + sum(other < keys[code] for other in keys.values()))
    return found


# --- through the kit -------------------------------------------------------------------------------


def own(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    """The example's framework with some texts changed."""
    text = RULES.read_text("utf-8")
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    return path


def folder(path: Path, change=lambda row: row, names: str = "*.csv") -> Path:
    """A copy of the example's files, each row changed, or left out where it becomes None."""
    path.mkdir()
    for source in sorted(DATA.glob(names)):
        with source.open(encoding="utf-8", newline="") as handle:
            kept = [new for row in csv.DictReader(handle) if (new := change(dict(row)))]
        makers.write(path / source.name, kept)
    return path


def run(*arguments) -> int:
    return cli.main([str(argument) for argument in arguments])


def written(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def as_by_hand(table: list[dict[str, str]]) -> dict[str, tuple[int, int, int]]:
    return {
        row["trust_code"]: (round(float(row["average_score"]) * 100), int(row["segment"]), int(row["rank"]))
        for row in table
    }


@pytest.fixture(scope="module")
def rules() -> framework.Framework:
    return framework.load(RULES)


@pytest.fixture(scope="module")
def figures(rules) -> release.Release:
    return release.read(DATA, rules).release(QUARTERS[1])


def test_the_example_is_as_the_docs_say():
    codes = {row["Trust_code"]: row["Trust_type"] for row in rows("*-data-*.csv")}
    assert sorted(codes.values()) == [AMBULANCE] * 4 + [ICB] * 12
    own_metrics = {row["Metric_ID"] for row in rows("*board-data*.csv")} & METRICS.keys()
    assert len([metric for metric in own_metrics if metric.startswith("IC")]) == 7
    assert all(row["Trust_name"].startswith("Example ") for row in rows("*.csv"))
    assert all("made-up" in path.name for path in DATA.iterdir())


def test_published_scores_of_the_example_against_fractions():
    published = {
        (row["Quarter"], row["Trust_code"], row["Metric_ID"]): row["Value"]
        for row in rows("*-data-*.csv")
        if row["Units"] == "score"
    }
    by_hand = {(q, *key): score for q in QUARTERS for key, score in scores_by_hand(q).items()}
    suppressed = (*SUPPRESSED[:2], "IC1005")
    assert published.pop(suppressed) == "*"
    assert {key: hundredths(Fraction(text)) for key, text in published.items()} == {
        key: hundredths(score) for key, score in by_hand.items()
    }


@pytest.mark.parametrize("start", ["scores", "values"])
@pytest.mark.parametrize("quarter", QUARTERS)
def test_league_tables_of_a_new_type_against_fractions(quarter, start, tmp_path, capsys):
    out = tmp_path / "table.csv"
    assert run("table", "--data", DATA, "--framework", RULES, "--quarter", quarter, "--from", start, "--out", out) == 0
    assert "16 organisations" in capsys.readouterr().out
    table = written(out)
    assert as_by_hand(table) == table_by_hand(quarter)
    assert [row["trust_type"] for row in table] == [AMBULANCE] * 4 + [ICB] * 12
    assert {row["in_deficit"] for row in table} == {""}
    assert all(row["segment"] == row["unadjusted_segment"] for row in table)


def test_one_type_by_its_slug(tmp_path):
    out = tmp_path / "icb.csv"
    assert (
        run("table", "--data", DATA, "--framework", RULES, "--trust-type", "integrated-care-board", "--out", out) == 0
    )
    assert as_by_hand(written(out)) == {
        code: row for code, row in table_by_hand(QUARTERS[1]).items() if code.startswith("XI")
    }


def test_scores_against_fractions(tmp_path):
    out = tmp_path / "scores.csv"
    assert run("scores", "--data", DATA, "--framework", RULES, "--out", out) == 0
    found = {(row["trust_code"], row["metric_id"]): float(row["score"]) for row in written(out)}
    assert found == pytest.approx({key: float(score) for key, score in scores_by_hand(QUARTERS[1]).items()}, abs=1e-12)


def test_cut_offs_of_all_types_and_other_numbers_of_segments_against_fractions(tmp_path, figures):
    path = own(
        tmp_path,
        ("percentiles = [25, 50, 75]", "percentiles = [20, 40, 60, 80]"),
        ('pool = "type"     ', 'pool = "all"     '),
    )
    table = league.build(figures, framework.load(path)).table()
    found = {row.trust_code: (round(row.average_score * 100), row.segment, row.rank) for row in table.itertuples()}
    assert found == table_by_hand(QUARTERS[1], "all", (20, 40, 60, 80))
    assert {segment for _, segment, _ in found.values()} == {1, 2, 3, 4, 5}


OVERRIDE = ("# No [override]", '[override]\nno_higher_than = 3\ntrust_types = ["Ambulance trust"]\n\n# No [override]')


def with_flags(row):
    return row | {"Trust_in_financial_deficit": "Yes" if row["Trust_type"] == AMBULANCE else ""}


@pytest.mark.parametrize("start", ["scores", "values"])
def test_an_override_for_one_type_needs_no_flags_of_the_other(tmp_path, start):
    rules = framework.load(own(tmp_path, OVERRIDE))
    data = release.read(folder(tmp_path / "data", with_flags), rules).release(QUARTERS[1])
    rebuilt = league.build(data, rules, start)
    for row in rebuilt.table().itertuples():
        average, segment, rank = table_by_hand(QUARTERS[1])[row.trust_code]
        if row.trust_type == AMBULANCE:
            assert row.segment == max(segment, 3)
        else:
            assert (row.segment, row.rank) == (segment, rank)
        assert round(row.average_score * 100) == average
    bare = framework.load(own(tmp_path, (OVERRIDE[0], OVERRIDE[1].replace("trust_types", "flag_if = []  # "))))
    with pytest.raises(release.InputError, match=r"flag .* for 12 trusts"):
        league.build(data, bare, start)


def test_an_override_names_types_of_the_file(tmp_path):
    with pytest.raises(release.InputError, match="override: trust_types 'Acute trust' is not defined in this file"):
        framework.load(own(tmp_path, (OVERRIDE[0], OVERRIDE[1].replace("Ambulance", "Acute"))))


def test_the_table_in_the_docs_against_fractions():
    text = (EXAMPLE.parent / "other-organisations.md").read_text("utf-8")
    shown = re.findall(r"^\| (XI\d\d) \| .*? \| (.*?) \| (\d) \| (\d+) \|$", text, re.MULTILINE)
    found = {code: (round(float(average) * 100), int(segment), int(rank)) for code, average, segment, rank in shown}
    assert found == {code: row for code, row in table_by_hand(QUARTERS[1]).items() if code.startswith("XI")}


FIVE = ("percentiles = [25, 50, 75]", "percentiles = [20, 40, 60, 80]")


def test_charts_know_more_segments_than_four(tmp_path, figures):
    rebuilt = league.build(figures, framework.load(own(tmp_path, FIVE)))
    chart = charts.averages(rebuilt, ICB)
    assert [text.get_text() for text in chart.figure.axes[0].get_legend().get_texts()] == [
        f"Segment {segment}" for segment in range(1, 6)
    ]
    assert "segment 5: 3 trusts" in chart.alt


def test_rules_with_one_domain_say_that_it_cannot_be_left_out(tmp_path, figures):
    text = re.sub(r'\[\[domain\]\]\nkey = "(health|money)"[^\[]*', "", RULES.read_text("utf-8"))
    path = tmp_path / "one.toml"
    path.write_text(re.sub(r'domain = "\w+"', 'domain = "access"', text), "utf-8")
    found = sensitivity_study.study(figures, framework.load(path), ICB, draws=50, sobol_n=2)
    assert found.domains.startswith("no domain can be left out")
    assert set(found.metrics.summary(ICB).index) == {score for score, *_ in METRICS.values()}


def test_domain_segments_are_cut_within_the_type_where_segments_are(figures, rules):
    rebuilt = league.build(figures, rules)
    scores = scores_by_hand(QUARTERS[1])
    for domain, members in DOMAINS.items():
        for kind in (ICB, AMBULANCE):
            mine = {}
            for code in rebuilt.of(kind).index:
                items = [score for name in members if (score := scores.get((code, name))) is not None]
                mine[code] = hundredths(sum(items) / len(items))
            limits = [percentile(list(mine.values()), per_cent) for per_cent in (25, 50, 75)]
            for code, score in mine.items():
                assert round(rebuilt.domain_scores.at[code, domain] * 100) == score
                assert rebuilt.domain_segments.at[code, domain] == 1 + sum(score > limit for limit in limits)


def test_published_figures_are_derived_again(figures, rules):
    compared = reproduce.reproduce(figures, rules)
    for quantity in ("average metric score", "segment", "league rank"):
        assert compared.agreement(reproduce.FROM_VALUES, quantity) == (16, 16)


def test_check_finds_nothing_wrong(capsys):
    assert run("check", DATA, RULES) == 0
    said = capsys.readouterr().out
    assert said.count("no problem found") == 2
    assert said.count("Ambulance trust: 4 trusts, Integrated care board: 12 trusts; 240 metric rows") == 2
    assert "10 metrics, 3 domains, 2 trust types" in said
    assert re.search("2 figures (are )?missing or suppressed", said)


def test_check_makes_figures_again_by_rules_of_one_s_own(capsys):
    """All 119 + 120 scores, 2 x 16 averages, segments and ranks, as the fractions above have them; none without the rules."""
    assert run("check", DATA, "--framework", RULES) == 0
    said = capsys.readouterr().out
    for quarter, scores in zip(QUARTERS, (119, 120), strict=True):
        assert f"{quarter}, made again: " in said
        assert f"{scores} of {scores} metric scores, 16 of 16 average metric scores, 16 of 16 segments" in said
    assert "not checked" not in said
    assert run("check", DATA) == 0
    assert "nothing was made again" in capsys.readouterr().out


@pytest.mark.parametrize("wrong", ["Average_score", "Segment", "Rank", "Value"])
def test_check_finds_one_changed_figure_by_rules_of_one_s_own(tmp_path, rules, wrong):
    def spoil(row):
        mine = row["Trust_code"] == "XI05" and row["Quarter"] == QUARTERS[1]
        if wrong == "Value":
            return row | ({"Value": "1.15"} if mine and row.get("Metric_ID") == "IC1002" else {})
        new = {"Average_score": "3.33", "Segment": "1", "Rank": "9"}[wrong]
        return row | ({wrong: new} if mine and row.get("Average_score") else {})

    (problem,) = check.check(folder(tmp_path / "data", spoil), rules).problems
    assert "XI05" in problem.message and problem.column == wrong
    assert problem.file.startswith("made-up-integrated-care-board-") and problem.row
    assert "flag" not in problem.message  # the rules have no override


def test_check_says_that_rules_of_another_year_judge_nothing(capsys):
    assert run("check", DATA, "--framework", framework.FOLDER / "2025-26.toml") == 0
    assert "not checked: the rules given are of 2025/26 and judge no figure here" in capsys.readouterr().out
    assert run("check", DATA, "--framework", EXAMPLE / "none.toml") == 2
    assert "no such framework file" in capsys.readouterr().err


def test_check_finds_a_score_off_the_scale(tmp_path):
    def spoil(row):
        return row | ({"Average_score": "4.71"} if row.get("Average_score") and row["Trust_code"] == "XI07" else {})

    found = check.check(folder(tmp_path / "data", spoil))
    assert found.problems
    assert all("XI07" in str(problem) and "4.71" in str(problem) for problem in found.problems)


# --- what a file may lack ---------------------------------------------------------------------------


def values_alone(row):
    return None if row["Units"] == "score" else row | {"Region": ""}


def test_values_alone_make_a_table(tmp_path, capsys):
    data, out = folder(tmp_path / "data", values_alone, "*-data-*.csv"), tmp_path / "table.csv"
    arguments = ("table", "--data", data, "--quarter", QUARTERS[1], "--out", out, "--framework")
    assert run(*arguments, RULES, "--from", "values") == 0
    assert as_by_hand(written(out)) == table_by_hand(QUARTERS[1])
    capsys.readouterr()
    assert run(*arguments, RULES) == 0
    assert "start from the values (--from values)" in capsys.readouterr().err
    assert {row["rank"] for row in written(out)} == {""}


def test_values_alone_serve_pages_where_the_rules_score_them_always(tmp_path, capsys):
    data = folder(tmp_path / "data", values_alone, "*-data-*.csv")
    text = re.sub(r'(\nmodel = "\w+")', r"\1\nrescored = true", RULES.read_text("utf-8"))
    path = tmp_path / "own.toml"
    path.write_text(text, "utf-8")
    out = tmp_path / "table.csv"
    assert run("table", "--data", data, "--framework", path, "--out", out) == 0  # the latest quarter is found
    assert as_by_hand(written(out)) == table_by_hand(QUARTERS[1])
    assert "as no scores of these are published" in capsys.readouterr().err
    own_rules = framework.load(path)
    given = request(release.read(data, own_rules).release(QUARTERS[1]), framework=path, data=data)
    assert [page.parameters["trust_type"] for page in plan.PAGES["rank_uncertainty"](given)] == [
        "integrated-care-board"
    ]


def request(figures: release.Release, **options) -> plan.Request:
    given = {"names": (), "trust_type": ICB, "data": DATA, "framework": RULES, "out": Path("none"), "workers": 1}
    return plan.Request(figures=figures, **(given | options))


def test_choices_that_need_flags_are_left_out_where_there_are_none(figures, rules):
    crossed = sobol.cross(figures, rules)
    assert "override" not in {factor.key for factor in crossed.factors}
    assert len(crossed.factors) > 2
    assert any("no financial-override flag" in note for note in crossed.left_out)
    assert not any("/" in re.sub(r"\d{4}/\d\d", "", note).replace("--", "") for note in crossed.left_out)


# --- a type that the rules do not list ---------------------------------------------------------------


@pytest.fixture(scope="module")
def beside_real(tmp_path_factory) -> release.Archive:
    """NHS England's Q1 2025/26, and the boards as a fourth type, some of whose metrics the kit's rules know."""
    path = tmp_path_factory.mktemp("q1")
    makers.write(path / "trusts-data.csv", makers.data_rows())
    for name in ("data", "league-table"):
        mine = [row for row in rows(f"*board-{name}-*.csv") if row["Quarter"] == QUARTERS[0]]
        makers.write(
            path / f"boards-{name}.csv", [row | {"Quarter": makers.Q1, "Reporting_date": "Jun-25"} for row in mine]
        )
    return release.read(path)


@pytest.mark.parametrize("start", ["scores", "values"])
def test_a_type_without_rules_has_a_table_of_published_figures_and_changes_no_other(beside_real, archive, start):
    figures, rules = beside_real.release(makers.Q1), framework.for_quarter(makers.Q1)
    rebuilt = league.build(figures, rules, start)
    boards = rebuilt.table(ICB)
    found = {row.trust_code: (round(row.average_score * 100), row.segment, row.rank) for row in boards.itertuples()}
    assert found == {code: row for code, row in table_by_hand(QUARTERS[0]).items() if code.startswith("XI")}
    assert not rebuilt.of(ICB)["recomputed"].any()
    assert any("the rules do not list this type" in note for note in rebuilt.notes)
    alone = league.build(archive.release(makers.Q1), rules, start).trusts
    columns = ["average_score", "segment", "rank"]
    pd.testing.assert_frame_equal(rebuilt.trusts.loc[alone.index, columns], alone[columns], check_dtype=False)
    assert not scoring.scores_from_values(figures, rules)["trust_code"].str.startswith("XI").any()


def test_pages_that_need_scores_are_not_planned_for_a_type_without_rules(beside_real):
    figures = beside_real.release(makers.Q1)
    given = request(figures, framework=None, archive=beside_real, quarter_named=False)
    planned = {name: plan.PAGES[name](given) for name in plan.names(given)}
    assert {name for name, pages in planned.items() if pages} == {"methods", "league_table"}


def test_a_year_without_rules_says_so(tmp_path, capsys):
    out = tmp_path / "table.csv"
    assert run("table", "--data", DATA, "--out", out) == 2
    assert "no rules are known for the years in the folder data" in capsys.readouterr().err
    assert run("table", "--data", DATA, "--quarter", QUARTERS[1], "--out", out) == 0
    assert "the kit has no rules for 2030/31" in capsys.readouterr().err
    assert as_by_hand(written(out)) == table_by_hand(QUARTERS[1])


# --- words --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "many"),
    [
        ("Acute trust", "acute trusts"), ("Mental health and community trust", "mental health and community trusts"),
        ("Integrated Care Board", "integrated care boards"), ("ICB", "ICBs"), ("NHS trust", "NHS trusts"),
        ("Health body", "health bodies"), ("Integrated Care Board (ICB)", "integrated care boards (ICB)"), ("Ambulance trusts", "ambulance trusts"), ("Primary care relay", "primary care relays"),
    ],
)  # fmt: skip
def test_types_in_a_sentence(name, many):
    assert wording.plural(name) == many
    assert wording.capital(many)[0] == many[0].upper()
    assert wording.capital(many)[1:] == many[1:]


def test_metrics_that_the_kit_does_not_know_are_counted_in_their_published_unit():
    assert measures.measure("IC0001", "%") == measures.Measure("percentage point", "percentage points", 1, None)
    assert measures.measure("IC0001", "flags") is measures.UNKNOWN
    assert measures.measure("OF0017", "%") == measures.measure("OF0017")  # labels are wrong in places


def test_a_page_on_a_new_type_is_made_and_says_what_a_trust_is(tmp_path):
    out = tmp_path / "reports"
    arguments = ("--data", DATA, "--framework", RULES, "--trust-type", "integrated-care-board", "--workers", 1)
    assert run("report", "league_table", *arguments, "--out", out) == 0
    page = (out / "league-table-integrated-care-board-q2-2030-31.html").read_text("utf-8")
    assert "The league table of integrated care boards, Q2 2030/31" in page
    assert "a “trust” here is one of these: Integrated care boards" in page
    assert "12 of 12 published averages and 12 of 12 published league ranks are rebuilt exactly" in page
    assert "These tables follow the rules in framework.toml; the kit has none of its own for 2030/31." in page
    assert "The rules in use have no override" in page
    assert "not NHS England" not in page.split("provenance")[0]
    for code, (average, _, _) in table_by_hand(QUARTERS[1]).items():
        if code.startswith("XI"):
            assert re.search(rf">{code}<.*?>{average / 100:.2f}<", page, re.DOTALL), code


# --- pages say nothing of other rules ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example(rules):
    return release.read(DATA, rules)


def test_a_profile_does_not_say_that_rules_of_one_s_own_were_read_off_published_scores(example, rules):
    study = profile_study.study(example, QUARTERS[1], rules, 200, 7)
    said = str(findings.profile.limitations(profile.profile(study, "XI04")))
    assert "from rules given in a framework file of the user's own" in said
    assert "read off" not in said
    kits = profile_study.study(release.embedded(), "Q1 2025/26", None, 200, 7)
    assert "standards and floors were read off" in str(findings.profile.limitations(profile.profile(kits, "RX7")))


def test_movement_does_not_say_that_cut_offs_of_one_s_own_were_read_off(example, rules):
    found = movement_study.study(example, *QUARTERS, ICB, rules, draws=200, seed=7)
    assert "read off" not in str(findings.movement.limitations(found))


def test_ranges_speak_of_an_override_only_where_there_is_one(figures, rules):
    drawn = bootstrap.rank_uncertainty(league.build(figures, rules), 200, 7)
    said = str(findings.ranks.about_ranges(drawn)) + str(findings.ranks.how_not_to_read(drawn).points)
    assert "override" not in said
    first = release.embedded().release("Q1 2025/26")
    trusts = bootstrap.rank_uncertainty(league.build(first, framework.for_quarter(first.quarter)), 200, 7)
    assert "with the override as published and the segment" in str(findings.ranks.about_ranges(trusts))
    assert "the override keeps there" in str(findings.ranks.how_not_to_read(trusts).points)


def test_a_league_table_without_an_override_has_no_columns_for_one(figures, rules):
    shown = tables.league_table(league.build(figures, rules), ICB)
    assert not {"Before override", "Deficit"} & set(shown.frame)
    assert "override" not in shown.caption
    first = release.embedded().release("Q1 2025/26")
    trusts = tables.league_table(league.build(first, framework.for_quarter(first.quarter)), AMBULANCE)
    assert {"Before override", "Deficit"} <= set(trusts.frame)
    assert "Before override: segment without the financial override." in trusts.caption


def test_another_scale_is_said_as_it_is(tmp_path, archive_of_five):
    rules, archive = archive_of_five
    rebuilt = league.build(archive.release(QUARTERS[1]), rules)
    assert "1 = best, 5 = worst" in tables.league_table(rebuilt, ICB).caption
    assert "1 = best, 5 = worst" in charts.domains(rebuilt, ICB).alt
    assert "(1 = best, 5 = worst)" in charts.averages(rebuilt, ICB).figure.axes[0].get_ylabel()
    study = uncached_profiles_of(archive, QUARTERS[1], rules, 200)
    shown = profile.profile(study, "XI04")
    said = findings.profile.headline(shown) + str(findings.profile.about_metrics(shown))
    assert "(1 = best, 5 = worst)" in said and "Scores run from 1 (best) to 5 (worst)" in said
    assert "who fails it scores 5.00" in said
    assert "1 = best, 5 = worst" in tables.trust_domains(shown).caption
    found = movement_study.study(archive, *QUARTERS, ICB, rules, draws=200, seed=7)
    assert "1 = best, 5 = worst" in tables.movers_table(found.movement, found.ranges).caption


@pytest.fixture
def archive_of_five(tmp_path):
    """The example on a scale of 1 to 5; its published scores lie on it all the same."""
    rules = framework.load(own(tmp_path, ("worst = 4", "worst = 5")))
    return rules, release.read(DATA, rules)
