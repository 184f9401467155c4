"""The page on methods: how old the figures are, the metrics and rules, the data dictionary, how to cite, what changed."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import nofcore
from nofcore import (
    about,
    charts,
    cli,
    data_age,
    dictionary,
    findings,
    framework,
    movement_study,
    profile,
    release,
    sensitivity_study,
)
from nofcore import tables as shown
from nofcore.errors import InputError
from nofcore.report import page, uptodate
from tests.figures import profiles_of
from tests.makers import Q1

ROOT = Path(__file__).parents[1]
RULES = framework.for_quarter(Q1)


@pytest.fixture(scope="module")
def figures():
    return release.embedded().release(Q1)


@pytest.fixture(scope="module")
def ages(figures):
    return data_age.ages(figures, RULES)


@pytest.fixture(scope="module")
def found(figures):
    return findings.methods.study(figures, RULES)


def with_period(figures, short: str, text: str, only_first: bool = False):
    """The same release with another period for a metric, or for the first trust that has it."""
    metric = RULES.find(short)
    rows = figures.observations
    mine = rows["metric_id"].isin([metric.value, metric.score])
    if only_first:
        mine &= rows["trust_code"] == rows.loc[mine, "trust_code"].iloc[0]
    return replace(figures, observations=rows.assign(period=rows["period"].mask(mine, text)))


# --- the age of the figures -------------------------------------------------------------------------


def slow_months(first: date, last: date) -> int:
    """Months counted one at a time."""
    count, (year, month) = 0, (first.year, first.month)
    step = 1 if (year, month) <= (last.year, last.month) else -1
    while (year, month) != (last.year, last.month):
        year, month = divmod(year * 12 + month - 1 + step, 12)
        month += 1
        count += step
    return count


@given(
    st.lists(st.none() | st.dates(date(2015, 1, 1), date(2035, 12, 31)), max_size=6),
    st.dates(date(2020, 1, 1), date(2030, 12, 31)),
)
def test_months_are_those_of_the_calendar(ends, last):
    expected = [np.nan if end is None else slow_months(end, last) for end in ends]
    np.testing.assert_array_equal(data_age.months_between(ends, last), expected)


def test_ages_of_q1_2025_26_against_the_published_periods(ages):
    """Read by eye from the period texts of NHS England's files of Q1 2025/26, which ended on 30 June 2025."""
    table = ages.table().set_index("short")
    assert len(table) == ages.metrics == 30 and ages.absent == ()
    assert table["age"].dropna().to_dict() | {"rest": 0} == dict.fromkeys(table.index[~table["age"].isna()], 0) | {
        "Inpatient survey": 18, "Relative cost": 15, "Community mental health survey": 6, "Raising concerns": 6,
        "Staff advocacy": 6, "Staff engagement": 6, "Hospital mortality": 3, "Productivity": 3, "Sickness absence": 3,
        "Financial plan": -9, "rest": 0,
    }  # fmt: skip
    assert table["period"][table["age"].isna()].to_dict() == {
        "CQC safe rating": "Latest published if awarded post August 2023",
        "Conveyance to A&E": "Year to date 25/26",
    }
    assert table.at["Inpatient survey", "ends"] == date(2023, 12, 31)


def test_oldest_come_first_and_what_is_not_dated_last(ages):
    age = ages.rows["age"]
    assert age.dropna().is_monotonic_decreasing
    assert age.isna().to_numpy()[-2:].all() and not age.isna().to_numpy()[:-2].any()


def test_every_period_of_every_quarter_is_dated_or_named():
    """No figure is left out: each metric row counts once, dated or not."""
    for quarter in release.embedded().quarters:
        rules = framework.for_quarter(quarter)
        if rules is None:
            continue
        figures = release.embedded().release(quarter)
        ages = data_age.ages(figures, rules)
        rows = figures.observations
        for metric in rules.metric:
            codes = set(rows.loc[rows["metric_id"].isin([metric.score, metric.value]), "trust_code"])
            listed = ages.rows.loc[ages.rows["metric_id"] == metric.score, "trusts"].sum()
            assert listed == len(codes), (quarter, metric.short)
            assert (metric.short in ages.absent) == (not codes)


def test_trusts_whose_figures_differ_in_period_get_a_row_each(figures):
    mixed = data_age.ages(with_period(figures, "Sickness absence", "Q1 2023/24", only_first=True), RULES)
    rows = mixed.rows[mixed.rows["short"] == "Sickness absence"].set_index("period")
    assert rows["trusts"].to_dict() == {"Q1 2023/24": 1, "Q4 2024-25": 204}
    assert rows["age"].to_dict() == {"Q1 2023/24": 24, "Q4 2024-25": 3}
    assert mixed.metrics == 30 and mixed.old()["short"].tolist()[0] == "Sickness absence"


def test_exactly_a_year_is_not_older_than_a_year(figures):
    old = data_age.ages(with_period(figures, "Sickness absence", "Jun-24"), RULES).old()
    assert "Sickness absence" not in set(old["short"])
    older = data_age.ages(with_period(figures, "Sickness absence", "May-24"), RULES).old()
    assert "Sickness absence" in set(older["short"])


def test_data_age_table_and_chart_name_what_cannot_be_dated(ages):
    frame = shown.data_ages(ages).frame.set_index("Metric")
    assert frame["Ends"].eq("not dated").sum() == 2
    assert frame["Ends"].iloc[0] == "Dec 2023"
    chart = charts.data_ages(ages)
    labels = {text.get_text() for text in chart.figure.axes[0].texts}
    assert {"18", "15", "−9", "not dated"} <= labels
    assert [label.get_text() for label in chart.figure.axes[0].get_yticklabels()] == ages.rows["short"].tolist()
    for said in (
        "30 metrics",
        "more than 12 months before it: 2 metrics",
        "Inpatient survey, 18 months",
        "2 periods cannot be dated",
    ):
        assert said in chart.alt


def test_chart_shows_every_period_of_a_metric_on_one_line(figures):
    chart = charts.data_ages(
        data_age.ages(with_period(figures, "Sickness absence", "Q1 2023/24", only_first=True), RULES)
    )
    assert len(chart.figure.axes[0].get_yticks()) == 30
    points = sum(len(dots.get_offsets()) for dots in chart.figure.axes[0].collections if len(dots.get_offsets()) > 1)
    assert points >= 29


def test_chart_where_no_period_is_dated_or_none_is_old(figures, ages):
    rows = ages.rows.assign(age=np.nan, ends=None)
    assert "30 periods cannot be dated" in charts.data_ages(replace(ages, rows=rows)).alt
    assert isinstance(charts.data_ages(None), findings.methods.Text)
    assert isinstance(charts.data_ages(replace(ages, rows=rows.iloc[:0])), findings.methods.Text)


# --- sentences --------------------------------------------------------------------------------------


def test_headline_against_the_published_figures(found):
    """Two of thirty metrics are older than a year; all 205 ranks are rebuilt."""
    said = findings.methods.headline(found)
    assert said.startswith("2 of the 30 metrics")
    assert "the oldest, Inpatient survey, in December 2023" in said
    assert "205 of 205 from the published metric scores" in said
    count = {basis: sum(rule.basis == basis for rule in RULES.rule) for basis in findings.methods.BASES}
    assert f"{count['stated']} are stated by NHS England, {count['verified']} verified" in said
    assert findings.methods.facts(found)["Metrics older than a year"] == "2 of 30"
    assert findings.methods.facts(found)["League ranks rebuilt"] == "205 of 205"


def test_old_planned_and_undated_figures_are_named(found):
    said = str(findings.methods.about_ages(found))
    assert "of 5 survey metrics, 1 from 2023 and 4 from 2024" in said
    assert "Inpatient survey (“2023”, ended December 2023); Relative cost (“2023/24”, ended March 2024)" in said
    assert "Financial plan (“2025/26”, ends March 2026)" in said
    assert "Conveyance to A&E (“Year to date 25/26”)" in said


def test_steps_say_the_rules_in_force(found):
    said = " ".join(text for point in findings.methods.steps(found).points for text in point)
    counts = {model: sum(metric.model == model for metric in RULES.metric) for model in ("rank", "standard", "floor")}
    assert f"{counts['rank']} by rank alone, {counts['standard']} with a standard" in said
    assert "2.05, 2.32, 2.60" in said  # the cut-offs of Q1 2025/26 as published
    assert "no higher than segment 3" in said and "1, 2, 2, 4" in said
    assert findings.methods.steps(found)._repr_html_().startswith("<ol>")
    lax = replace(found, framework=replace(RULES, override=None, ranking="average"))
    said = " ".join(text for point in findings.methods.steps(lax).points for text in point)
    assert "override" not in said and "Within their type, by average" in said


def test_a_users_own_rules_are_not_called_nhs_englands(figures):
    own = findings.methods.study(figures, RULES, "/somewhere/mine.toml")
    said = findings.methods.headline(own)
    assert said.startswith("What if: these pages follow the rules in mine.toml")
    assert "stated by NHS England" not in said and "/somewhere" not in said
    assert "stated" not in " ".join(findings.methods.facts(own))


def test_a_quarter_without_rules_still_has_a_page(figures):
    none = findings.methods.study(figures, None)
    assert none.ages is None
    assert "no rules" in findings.methods.headline(none) and "205 of 205" in findings.methods.headline(none)
    for make in (
        findings.methods.steps,
        findings.methods.about_rules,
        findings.methods.about_metrics,
        findings.methods.about_ages,
    ):
        assert "no rules" in str(make(none))
    assert findings.methods.limitations(none).paragraphs
    for table in (shown.metric_rules(None), shown.data_ages(None), shown.rules(None)):
        assert table._repr_html_() == ""


# --- the metrics ------------------------------------------------------------------------------------


def test_metric_table_against_the_method_notes():
    frame = shown.metric_rules(RULES).frame.set_index("Metric")
    short = {metric.short: metric.name for metric in RULES.metric}
    four_hours = frame.loc[short["Four-hour A&E"]]
    assert four_hours[["Who is scored", "Model", "Standard, floor or lookup", "Better", "Pool"]].tolist() == [
        "Acute", "Standard", "at least 78", "high", "all",
    ]  # fmt: skip
    assert frame.at[short["Raising concerns"], "Pool"] == "type"
    assert frame.at[short["Sickness absence"], "Who is scored"] == "All types"
    assert (
        frame.at[short["Financial plan"], "Standard, floor or lookup"]
        == "at least 0: 1, above −1: 2, above −2: 3, else 4"
    )
    assert "rows in count: " in frame.at[short["E. coli"], "Standard, floor or lookup"]
    assert "Our inference" not in frame


@pytest.mark.parametrize("year", sorted(framework.shipped()))
def test_weights_add_up_to_the_items(year):
    rules = framework.load(framework.shipped()[year])
    frame = shown.metric_rules(rules).frame
    assert len(frame) == len(rules.metric) + len(rules.combined)
    assert frame["Weight"].sum() == pytest.approx(len(rules.item_domains))
    assert (frame["Weight"].round(3).isin([0, 0.333, 1])).all()
    unknown = [metric.name for metric in rules.metric if "model" in metric.unknown]
    assert frame.loc[frame["Model"] == "Not known", "Metric"].tolist() == unknown
    open_bounds = [metric.name for metric in rules.metric if {"standard", "floor"} & {*metric.unknown}]
    bounds = frame.set_index("Metric")["Standard, floor or lookup"]
    assert all(bounds[name].startswith("not known") for name in open_bounds)
    inferred = [metric.name for metric in rules.metric if metric.inferred]
    assert (frame.loc[frame["Our inference"].notna(), "Metric"].tolist() if inferred else []) == inferred


def test_weights_of_a_users_own_show():
    mine = replace(RULES, weights={"Sickness absence": 0.5, "access": 2.0})
    frame = shown.metric_rules(mine).frame.set_index("Metric")["Weight"]
    assert frame[RULES.find("Sickness absence").name] == 0.5
    assert frame[RULES.find("Four-hour A&E").name] == 2.0
    assert frame[RULES.find("MRSA").name] == pytest.approx(1 / 3)


# --- the data dictionary ----------------------------------------------------------------------------


def described(key: str) -> dictionary.File:
    return next(file for file in dictionary.files() if file.key == key)


def assert_described(key: str, table: pd.DataFrame):
    """Every column is in the dictionary, and nothing else is."""
    entries = [described(key).find(str(name)) for name in table.columns]
    assert [name for name, entry in zip(table.columns, entries, strict=True) if entry is None] == []
    assert {entry.name for entry in entries} == {column.name for column in described(key).column}


@pytest.mark.parametrize("command", ["table", "scores"])
def test_every_column_that_the_command_line_writes_is_described(command, tmp_path):
    assert cli.main([command, "--quarter", Q1, "--out", str(tmp_path / "out.csv")]) == 0
    written = pd.read_csv(tmp_path / "out.csv")
    assert_described(command, written)
    assert list(written.columns) == [column.name for column in described(command).column]


def test_every_column_of_a_profiles_downloads_is_described():
    one = profile.profile(profiles_of(Q1), "RXF")
    found = findings.profile.download_tables(one)
    for ending, (_, table) in found.items():
        assert_described(f"trust-profile-{ending}", table)
    assert {f"trust-profile-{ending}" for ending in found} == keys("trust-profile-")


def test_every_column_of_the_drawn_tables_is_described(figures):
    study = sensitivity_study.study(figures, RULES, "ambulance", draws=20, sobol_n=4)
    found = findings.sensitivity.draw_tables(study)
    for ending, (_, table) in found.items():
        assert_described(f"method-sensitivity-{ending}", table)
    assert {f"method-sensitivity-{ending}" for ending in found} == keys("method-sensitivity-")


def test_every_column_of_the_table_of_changes_is_described():
    study = movement_study.study(release.read(None), "Q1 2025/26", "Q4 2025/26", "ambulance", None, 20, 1)
    (ending, (_, table)) = findings.movement.download_tables(study).popitem()
    assert_described(f"movement-{ending}", table)
    assert list(table.columns) == [column.name for column in described(f"movement-{ending}").column]
    assert {f"movement-{ending}"} == keys("movement-")


def keys(start: str) -> set[str]:
    return {file.key for file in dictionary.files() if file.key.startswith(start)}


def test_pages_that_save_tables_are_those_described():
    """A notebook that offers tables of its own must have them in the dictionary."""
    saving = {
        path.stem.split("_", 1)[1].replace("_", "-")
        for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")
        if "save_tables" in "".join(cell.source for cell in nbformat.read(path, 4).cells)
    }
    assert saving == {"trust-profile", "method-sensitivity", "movement"}


def test_dictionary_tables_show_every_entry():
    found = shown.column_dictionary()
    assert [table.name for table in found.tables] == [f"columns-{file.key}" for file in dictionary.files()]
    assert len({table.name for table in found.tables}) == len(found.tables)
    for table, file in zip(found.tables, dictionary.files(), strict=True):
        assert table.frame["Column"].tolist() == [column.name for column in file.column]
        assert table.frame.notna().all(axis=None)


# --- the kit itself ---------------------------------------------------------------------------------


def test_citation_is_of_this_version():
    content = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert content["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(content)
    assert content["version"] == nofcore.__version__
    assert content["authors"] == [{"name": "The NOF kit contributors"}]
    assert (ROOT / "LICENSE").read_text("utf-8").startswith(f"{content['license']} License")
    assert f"version {nofcore.__version__}" in str(about.citation())


def test_a_citation_that_is_missing_or_broken(tmp_path, found):
    assert about.citation(tmp_path / "none.cff") is None
    assert "not at hand" in str(findings.methods.how_to_cite(found, None))
    for text in ("title: x\n", "a: [", "- 1\n"):
        (tmp_path / "CITATION.cff").write_text(text)
        with pytest.raises(InputError, match=r"^CITATION\.cff: needs the keys authors"):
            about.citation(tmp_path / "CITATION.cff")


def test_newest_changes(tmp_path):
    path = tmp_path / "CHANGELOG.md"
    path.write_text(
        "# Changes\n\nSome words.\n\n## 1.2.0\n\n* First\n  over two lines.\n* Second: `a`.\n\n## 1.1.0\n\n* Old.\n"
    )
    changes = about.newest_changes(path)
    assert (changes.heading, changes.lines) == ("1.2.0", ("First over two lines.", "Second: `a`."))
    said = findings.methods.what_changed(changes).data
    assert "Version 1.2.0" in said and "* Second: `a`." in said and "Old" not in said
    path.write_text("# Changes\n")
    assert about.newest_changes(path) is None
    assert about.newest_changes(tmp_path / "none.md") is None
    assert "not at hand" in str(findings.methods.what_changed(None))


def test_changes_of_the_kit_are_at_hand():
    assert about.newest_changes().lines


def test_the_page_is_made_again_when_the_changes_are_not_the_same(tmp_path):
    notebook, changes = tmp_path / "n.ipynb", tmp_path / "CHANGELOG.md"
    notebook.write_text("{}")
    one = page.Page("methods-q1", notebook, "Methods", "Q1", reads=(changes,))
    provenance = {"inputs": [], "framework": None, "packages": {}, "python": "3"}
    before = uptodate.made_from(one, provenance)
    changes.write_text("# Changes\n")
    after = uptodate.made_from(one, provenance)
    assert before["files"] == {"CHANGELOG.md": None} and after["files"]["CHANGELOG.md"]
    assert after != before and uptodate.made_from(one, provenance) == after
