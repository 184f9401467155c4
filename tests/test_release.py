"""The embedded figures, those of NHS England's files, and that nothing downstream can tell them apart."""

import csv
import tomllib
from collections import Counter

import pandas as pd
import pytest

from nofcore import framework, league, release
from nofcore.errors import InputError
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4, TYPES

KEY = ["quarter", "trust_code", "metric_id"]
SPELLINGS = {"percent": "%"}


@pytest.fixture(scope="module")
def official_archive(official_folder):
    return release.read(official_folder)


@pytest.fixture(scope="module")
def official_rows(official_folder):
    """The rows of NHS England's data files, read with nothing but the csv module, Q1 of the first release added."""
    rows = []
    for path in sorted(official_folder.glob("*-data*.csv")):
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows += [{"Quarter": Q1, **row} for row in csv.DictReader(handle)]
    return rows


def flat(rows):
    """Observations as a counted set of plain tuples."""
    rows = rows[["quarter", "trust_code", "metric_id", "unit", "period", "value", "rank"]]
    return Counter(tuple(None if pd.isna(cell) else cell for cell in row) for row in rows.itertuples(index=False))


def test_embedded_observations_against_nhs_england(archive, official_rows):
    wanted = Counter(
        (
            row["Quarter"], row["Trust_code"], row["Metric_ID"], SPELLINGS.get(row["Units"], row["Units"]),
            row["Reporting_date"].strip(), float(row["Value"]), float(row["Rank"]) if row["Rank"] else None,
        )
        for row in official_rows
    )  # fmt: skip
    held = archive.observations[archive.observations["quarter"] != "Q1 2026/27"]
    assert len(official_rows) == 17_399
    assert len(archive.observations) - len(held) == 466
    assert flat(held) == wanted


def test_embedded_trusts_against_nhs_england(archive, official_rows):
    regions = {"North East": "North East and Yorkshire"}
    wanted = {
        (row["Quarter"], row["Trust_code"]): (
            " ".join(row["Trust_name"].split()),
            row["Trust_type"],
            row["Trust_subtype"],
            regions.get(row["Region"], row["Region"]),
        )
        for row in official_rows
    }
    columns = ["trust_name", "trust_type", "trust_subtype", "region"]
    held = archive.trusts.set_index(["quarter", "trust_code"])[columns]
    assert {key: tuple(held.loc[key]) for key in wanted} == wanted


def test_files_are_read_row_for_row_against_nhs_england(archive, official_archive):
    held = archive.observations[archive.observations["quarter"] != "Q1 2026/27"]
    assert flat(official_archive.observations) == flat(held)
    assert official_archive.quarters == (Q1, Q2, Q3, Q4)
    assert len(official_archive.inputs) == 4
    assert official_archive.notes == ()


def test_published_league_tables_against_nhs_england(archive, official_archive):
    key = ["quarter", "trust_code"]
    read = official_archive.league.set_index(key).sort_index()
    held = archive.league.set_index(key).loc[read.index]
    pd.testing.assert_frame_equal(read, held, check_dtype=False)
    assert read["score_low"].notna().sum() == 61  # the one league table with likely ranges


@pytest.mark.parametrize(
    ("quarter", "start"), [(Q1, "scores"), (Q1, "values"), (Q2, "scores"), (Q3, "scores"), (Q4, "scores")]
)
def test_files_and_embedded_data_make_the_same_table(archive, official_archive, quarter, start):
    rules = framework.for_quarter(quarter)
    read = league.build(official_archive.release(quarter), rules, start).table()
    embedded = league.build(archive.release(quarter), rules, start).table()
    embedded = embedded[embedded["trust_type"].isin(read["trust_type"].unique())]
    assert len(read) == (205 if quarter == Q1 else 71)
    pd.testing.assert_frame_equal(read.reset_index(drop=True), embedded.reset_index(drop=True))


WAYS = [
    {"quarter_column": False, "percent": "percent", "north_east": "North East", "decimal_ranks": True, "bom": True},
    {"shuffle": 7, "bom": False, "newline": "\n"},
]


@pytest.mark.parametrize(("options", "start"), [(WAYS[0], "scores"), (WAYS[1], "values")])
def test_neither_spelling_nor_order_of_rows_changes_a_table(archive, tmp_path, options, start):
    for name, trust_type in zip("cab", TYPES, strict=True):
        makers.write(tmp_path / f"{name}.csv", makers.data_rows([Q1], [trust_type]), **options)
    rules = framework.for_quarter(Q1)
    read = league.build(release.read(tmp_path).release(Q1), rules, start).table()
    embedded = league.build(archive.release(Q1), rules, start).table()
    pd.testing.assert_frame_equal(read.reset_index(drop=True), embedded.reset_index(drop=True))


def test_figures_of_trusts_that_are_not_in_the_embedded_data(tmp_path):
    rows = makers.data_rows([Q2], [AMBULANCE])
    renamed = [row | {"Trust_code": f"X{row['Trust_code']}", "Trust_name": "New & <b>bold</b>"} for row in rows]
    makers.write(tmp_path / "a.csv", renamed)
    figures = release.read(tmp_path).release(Q2)
    assert list(figures.trusts.index) == sorted({row["Trust_code"] for row in renamed})
    assert set(figures.trusts["trust_name"]) == {"New & <b>bold</b>"}
    assert figures.trust_types == (AMBULANCE,)


# --- archive and release ----------------------------------------------------------------------------------


def test_trusts_of_each_quarter_against_the_methodology(archive):
    # METHOD: 134 acute; 61 mental health and community, 58 from Q1 2026/27 after mergers; 10 ambulance.
    for quarter in archive.quarters:
        counts = archive.release(quarter).trusts["trust_type"].value_counts().to_dict()
        assert counts == {ACUTE: 134, COMMUNITY: 58 if quarter == "Q1 2026/27" else 61, AMBULANCE: 10}


def test_the_marks_of_a_quarter_against_nhs_england(archive):
    found = archive.release(Q1).league
    assert found["unadjusted_segment"].value_counts().sort_index().to_list() == [53, 50, 51, 51]
    assert found["segment"].value_counts().sort_index().to_list() == [32, 25, 97, 51]
    assert found["in_deficit"].sum() == 120


def test_quarters_are_in_the_order_of_time(archive):
    assert archive.quarters == (Q1, Q2, Q3, Q4, "Q1 2026/27")


def test_the_latest_quarter_is_the_latest_with_rows_of_all_types(archive, tmp_path):
    assert archive.latest() == Q1  # acute rows are held for Q1 2025/26 only
    for number, trust_type in enumerate(TYPES):
        makers.write(tmp_path / f"{number}.csv", makers.data_rows([Q1], [trust_type], metrics=["OF1082"]))
    ambulance = makers.data_rows([Q2], [AMBULANCE], metrics=["OF1082"])
    makers.write(tmp_path / "ambulance-q2-25-26.csv", ambulance)
    assert release.read(tmp_path).latest() == Q1
    acute = [row | {"Trust_code": f"A{row['Trust_code']}", "Trust_type": ACUTE} for row in ambulance]
    makers.write(tmp_path / "acute-q2-25-26.csv", acute)
    makers.write(tmp_path / "community-q2-25-26.csv", makers.data_rows([Q2], [COMMUNITY], metrics=["OF1082"]))
    assert release.read(tmp_path).latest() == Q2


def test_no_quarter_with_all_types(tmp_path):
    makers.write(tmp_path / "a.csv", makers.data_rows([Q1, Q2], [AMBULANCE]))
    with pytest.raises(InputError, match="name one of Q1 2025/26, Q2 2025/26"):
        release.read(tmp_path).latest()


def test_the_only_quarter_needs_no_name(tmp_path):
    makers.write(tmp_path / "a.csv", makers.data_rows([Q2], [AMBULANCE]))
    assert release.read(tmp_path).latest() == Q2


def test_a_trust_type_of_the_rules_that_no_row_has_is_named(archive, tmp_path):
    """It is spelt another way in the rules, and not missing from a quarter."""
    own = tmp_path / "own.toml"
    own.write_text(
        framework.shipped()["2025/26"].read_text("utf-8").replace('"Acute trust"', '"Acute trusts"'), "utf-8"
    )
    with pytest.raises(
        InputError, match=r"all trust types of its rules \('Acute trusts' occurs in no row\); name one of"
    ):
        archive.latest(framework.load(own))


def test_a_release_holds_one_quarter_by_trust(archive):
    figures = archive.release("q3-25-26")
    assert figures.quarter == Q3
    assert figures.trusts.index.equals(figures.league.index)
    assert figures.trusts.index.is_monotonic_increasing
    assert "quarter" not in figures.observations
    assert len(figures.observations) == sum(row["quarter"] == Q3 for row in makers.table("observations"))


@pytest.mark.parametrize(
    ("quarter", "said"),
    [("Q9 2025/26", "not a quarter"), ("", "not a quarter"), ("Q1 2024/25", "no figures for Q1 2024/25; it")],
)
def test_an_unknown_quarter(archive, quarter, said):
    with pytest.raises(InputError, match=said):
        archive.release(quarter)


def test_an_unknown_trust_type_names_those_there_are():
    assert release.trust_type_of("acute", TYPES) == ACUTE
    assert release.trust_type_of("Acute trust", TYPES) == ACUTE
    with pytest.raises(InputError, match="hold acute, ambulance, mental-health-and-community"):
        release.trust_type_of("acut", TYPES)


def test_a_folder_is_never_filled_from_the_embedded_data(tmp_path):
    makers.write(tmp_path / "a.csv", makers.data_rows([Q2], [AMBULANCE], ["RX7", "RYA"]))
    archive = release.read(tmp_path)
    assert archive.quarters == (Q2,)
    assert list(archive.trusts["trust_code"].sort_values()) == ["RX7", "RYA"]
    assert len(archive.league) == 2


def test_problems_of_all_files_of_a_folder_are_found_at_once(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"")
    makers.write(tmp_path / "b.csv", [row | {"Rank": "x"} for row in makers.data_rows([Q1], [AMBULANCE])[:2]])
    with pytest.raises(InputError) as caught:
        release.read(tmp_path)
    assert [(problem.file, problem.row) for problem in caught.value.problems] == [
        ("a.csv", None),
        ("b.csv", 2),
        ("b.csv", 3),
    ]


def test_reference_averages_are_those_of_the_embedded_league_table():
    found = release.reference_averages(Q3, [ACUTE])
    wanted = {
        row["trust_code"]: float(row["average_score"]) for row in makers.table("league_tables") if row["quarter"] == Q3
    }
    assert len(found) == 134
    assert found.to_dict() == {(ACUTE, code): wanted[code] for _, code in found.index}
    assert release.reference_averages("Q1 2019/20", [ACUTE]).empty


def test_a_framework_of_a_user_s_own_serves_its_year_only():
    text = (framework.FOLDER / "2025-26.toml").read_text("utf-8").replace("2025/26", "2031/32")
    own = framework.parse(tomllib.loads(text), "own.toml")
    assert release.framework_for("Q2 2031/32", own) is own
    assert release.framework_for(Q1, own) is framework.for_quarter(Q1)
    assert release.framework_for("Q2 2032/33", own) is None


def test_the_embedded_data_pass_the_checks_and_are_on_record(monkeypatch):
    assert release.embedded().inputs == release.checked_before()
    monkeypatch.setattr(release, "checked_before", lambda: ())
    assert release._read_embedded(None).quarters == release.embedded().quarters
