"""Several files of one thing: which of them is right, and what is refused."""

import itertools
from functools import partial

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nofcore import release
from nofcore.errors import InputError
from tests import makers
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3

# Enough to tell one row from another, and all that a league table is made of.
data_rows = partial(makers.data_rows, metrics=["OF0017", "OF0082", "OF5000", "OF5002", "OF5003", "OF5004"])
ROWS = data_rows(types=[AMBULANCE])
LEAGUE = makers.league_rows(types=[AMBULANCE])


def edited(rows, place, **cells):
    """The rows with some cells of one of them changed. Row ``place`` is line ``place + 2`` of a file."""
    return [row | cells if number == place else row for number, row in enumerate(rows)]


def place_of(rows, code, metric_id):
    """The place among the rows of a trust's row of a metric."""
    return next(n for n, row in enumerate(rows) if (row["Trust_code"], row["Metric_ID"]) == (code, metric_id))


def read(folder, **files):
    """The archive of a folder with these files: name (underscores for hyphens) and rows."""
    for name, rows in files.items():
        makers.write(folder / f"{name.replace('_', '-')}.csv", rows)
    return release.read(folder)


def problems(folder, **files):
    with pytest.raises(InputError) as caught:
        read(folder, **files)
    return caught.value.problems


def value(archive, quarter, code, metric_id):
    rows = archive.observations
    mine = rows[(rows["quarter"] == quarter) & (rows["trust_code"] == code) & (rows["metric_id"] == metric_id)]
    return mine["value"].item()


def same(one: release.Archive, other: release.Archive):
    """Whether two archives hold the same figures, in whatever order they were read."""
    keys = {"observations": ["quarter", "trust_code", "metric_id"]}
    for name in ("observations", "trusts", "league"):
        key = keys.get(name, ["quarter", "trust_code"])
        mine, theirs = (getattr(a, name).sort_values(key, ignore_index=True) for a in (one, other))
        pd.testing.assert_frame_equal(mine, theirs, check_dtype=False)
    return True


# --- files that agree ---------------------------------------------------------------------------------


def test_a_cumulative_file_is_the_same_as_a_file_a_quarter(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    quarters = (Q1, Q2, Q3)
    one = read(tmp_path / "one", ambulance_q3_25_26=data_rows(quarters, [AMBULANCE]))
    files = {f"ambulance_{q[:2]}": data_rows([q], [AMBULANCE]) for q in quarters}
    assert same(one, read(tmp_path / "many", **files))
    assert one.quarters == quarters


def test_of_files_that_agree_the_newest_names_the_trust(tmp_path):
    later = [row | {"Trust_name": "Renamed", "Region": "London"} for row in data_rows([Q1, Q2], [AMBULANCE])]
    found = read(tmp_path, z_first=ROWS, a_later=later)
    assert len(found.observations) == len(later)
    assert set(found.trusts["trust_name"]) == {"Renamed"}
    assert set(found.trusts["region"]) == {"London"}


def test_the_same_file_twice_is_the_file_once(tmp_path):
    once = read(tmp_path, ambulance=ROWS)
    makers.write(tmp_path / "ambulance (1).csv", ROWS, shuffle=1)
    assert same(once, release.read(tmp_path))


def test_the_order_of_files_never_matters(tmp_path):
    parts = [ROWS, data_rows([Q1, Q2], [AMBULANCE]), LEAGUE]
    first = None
    for order in itertools.permutations(range(3)):
        folder = tmp_path / "".join(map(str, order))
        folder.mkdir()
        found = read(folder, **{letter: parts[n] for letter, n in zip("abc", order, strict=True)})
        first = first or found
        assert same(first, found)


def test_a_rank_that_only_one_file_gives_contradicts_nothing(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    found = read(tmp_path, a=ROWS, b=edited(ROWS, place, Rank=""))
    assert len(found.observations) == len(ROWS)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_rank_or_unit_is_taken_from_the_file_that_gives_it(tmp_path, names):
    place = place_of(ROWS, "RX7", "OF0017")
    blank = edited(ROWS, place, Rank="", Units="")
    files = dict(zip(names, (ROWS, blank), strict=True))
    found = read(tmp_path, **files).observations.set_index(["trust_code", "metric_id"]).loc[("RX7", "OF0017")]
    assert f"{found['rank']:g}" == ROWS[place]["Rank"]
    assert found["unit"] == ROWS[place]["Units"].lower()


@pytest.mark.parametrize("names", ["ab", "ba"])
@pytest.mark.parametrize("later", [(Q1,), (Q1, Q2)])
def test_a_range_is_taken_from_the_file_that_gives_it(tmp_path, names, later):
    ranged = [row | {"Likely_range_of_rank": f"{row['Rank']} to 10"} for row in LEAGUE]
    for name, rows in zip(names, (ranged, makers.league_rows(later, [AMBULANCE])), strict=True):
        makers.write(tmp_path / f"{name}.csv", rows)
    found = release.read(tmp_path).league.set_index(["quarter", "trust_code"])
    for row in LEAGUE:
        low, high = found.loc[(Q1, row["Trust_code"]), ["rank_low", "rank_high"]]
        assert (f"{low:g}", high) == (row["Rank"], 10)


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_blank_name_is_an_error_even_where_another_file_gives_it(tmp_path, names):
    blank = LEAGUE[0] | {"Trust_name": ""}
    (problem,) = problems(tmp_path, **dict(zip(names, (ROWS, [blank, *LEAGUE[1:]]), strict=True)))
    assert (problem.file, problem.row, problem.column) == (f"{names[1]}.csv", 2, "Trust_name")


def test_units_that_disagree_are_an_error(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    (problem,) = problems(tmp_path, a=ROWS, b=edited(ROWS, place, Units="Rate"))
    assert problem.column == "Units"
    assert "a.csv, row " in str(problem)
    assert "b.csv, row " in str(problem)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_names_of_files_never_matter(tmp_path_factory, data):
    """Files that agree and each leave something out, or spell a period, subtype or name in ways of their own."""
    parts = [_with_gaps(rows, data.draw) for rows in (ROWS, ROWS, data_rows([Q1, Q2], [AMBULANCE]), LEAGUE)]
    first, told = None, None
    for names in ("abcd", "".join(data.draw(st.permutations("abcd")))):
        folder = tmp_path_factory.mktemp("files")
        found = read(folder, **dict(zip(names, parts, strict=True)))
        first, told = first or found, len(found.notes) if told is None else told
        assert same(first, found)
        assert len(found.notes) == told


def _with_gaps(rows, draw):
    """The rows, of which a few lack a rank or unit or say a period in another way, in all of one trust another name."""
    code, name = draw(st.sampled_from([row["Trust_code"] for row in LEAGUE])), draw(st.sampled_from([None, "A", "B"]))
    rows = [row | {"Trust_name": name or row["Trust_name"]} if row["Trust_code"] == code else row for row in rows]
    for place in draw(st.lists(st.integers(0, len(rows) - 1), max_size=8)):
        if "Metric_ID" in rows[place]:
            text = st.sampled_from([{"Rank": ""}, {"Units": ""}, {"Reporting_date": "Q4 2024/25"}])
            rows = edited(rows, place, **draw(text))
    return rows


def test_a_trust_s_subtype_may_differ_between_quarters(tmp_path):
    subtypes = {Q1: "Care Trust", Q2: "Mental Health and Learning Disability"}
    found = read(tmp_path, community=data_rows([Q1, Q2], [COMMUNITY], ["G6V2S"]))
    assert dict(zip(found.trusts["quarter"], found.trusts["trust_subtype"], strict=True)) == subtypes


# --- re-issues ------------------------------------------------------------------------------------------


def test_a_reissue_wins_and_is_told(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    found = read(tmp_path, ambulance=ROWS, ambulance_v2=edited(ROWS, place, Value="24.99"))
    assert value(found, Q1, "RX7", "OF0017") == 24.99
    assert len(found.observations) == len(ROWS)
    assert found.notes == ("ambulance.csv: superseded by the re-issue ambulance-v2.csv",)


def test_the_highest_version_wins(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    versions = {f"a_v{n}": edited(ROWS, place, Value=str(n)) for n in (10, 2, 9)}
    assert value(read(tmp_path, **versions), Q1, "RX7", "OF0017") == 10


def test_a_trust_that_a_reissue_drops_is_gone(tmp_path):
    found = read(tmp_path, a=ROWS, a_v2=[row for row in ROWS if row["Trust_code"] != "RRU"])
    assert "RRU" not in set(found.trusts["trust_code"])
    assert "RRU" not in set(found.observations["trust_code"])
    assert len(found.trusts) == 9


def test_a_reissue_replaces_its_own_quarters_and_types_only(tmp_path):
    mixed = data_rows([Q1, Q2], [AMBULANCE, COMMUNITY])
    place, quarter = place_of(ROWS, "RX7", "OF0017"), data_rows([Q2], [AMBULANCE])
    reissue = [*edited(ROWS, place, Value="24.99"), *quarter]
    found = read(tmp_path, all_q2_25_26=mixed, ambulance_q2_25_26_v2=reissue)
    assert value(found, Q1, "RX7", "OF0017") == 24.99
    assert len(found.observations) == len(mixed)


def test_a_later_file_must_agree_with_a_reissue_too(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    later = data_rows([Q1, Q2], [AMBULANCE])
    found = problems(tmp_path, a=ROWS, a_v2=edited(ROWS, place, Value="24.99"), b_q2=later)
    assert found[0].file == "a-v2.csv"
    assert "b-q2.csv" in found[0].message


@pytest.mark.parametrize("text", ["24.99", "*"])
def test_a_later_file_that_disagrees_is_an_error_that_names_both(tmp_path, text):
    place = place_of(ROWS, "RX7", "OF0017")
    (problem,) = problems(tmp_path, a=ROWS, b=edited(ROWS, place, Value=text))
    assert (problem.file, problem.row, problem.column) == ("a.csv", place + 2, "Value")
    assert f"b.csv, row {place + 2}" in problem.message
    assert ROWS[place]["Value"] in problem.message
    assert ("no figure" if text == "*" else text) in problem.message
    assert "-v2" in problem.message


def advised(problem):
    """What a problem of two files advises."""
    return problem.message.split("; ")[-1]


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (("a", "b"), "remove the file that is out of date, or let the name of the re-issue end in -v2"),
        (("a_v2", "b_v2"), "remove the file that is out of date, or let the name of the re-issue end in -v3"),
    ],
)
def test_of_files_of_one_age_either_may_be_marked_as_the_re_issue(tmp_path, names, advice):
    place = place_of(ROWS, "RX7", "OF0017")
    one, two = names
    (problem,) = problems(tmp_path, **{one: ROWS, two: edited(ROWS, place, Value="24.99")})
    assert advised(problem) == advice


@pytest.mark.parametrize("lacking", [False, True])
def test_a_version_is_advised_only_for_the_file_that_it_would_help(tmp_path, lacking):
    """x-q3-v2 ends sooner than x-q4, so that no version makes it win."""
    q3, place = data_rows([Q3], [AMBULANCE]), place_of(ROWS, "RX7", "OF0017")
    q3 = [row for n, row in enumerate(q3) if n != place] if lacking else edited(q3, place, Value="24.99")
    later = data_rows([Q3, makers.Q4], [AMBULANCE])
    (problem,) = problems(tmp_path, x_q3_v2=q3, x_q4=later)
    assert advised(problem) == (
        "remove the file that is out of date, or, if x-q4.csv is the re-issue, let its name end in -v2"
    )
    (tmp_path / "x-q4.csv").rename(tmp_path / "x-q4-v2.csv")
    assert len(release.read(tmp_path).observations) == len(later)


def test_of_data_and_league_table_the_next_version_is_advised(tmp_path):
    changed = edited(LEAGUE, 0, Average_score="1.11")
    (problem,) = problems(tmp_path, data_v2=ROWS, league_v2=changed)
    assert advised(problem) == "remove the file that is out of date, or let the name of the re-issue end in -v3"
    (tmp_path / "league-v2.csv").rename(tmp_path / "league-v3.csv")
    assert release.read(tmp_path).league.set_index("trust_code").at[LEAGUE[0]["Trust_code"], "average_score"] == 1.11


def test_flags_are_shown_as_the_files_have_them(tmp_path):
    place = next(n for n, row in enumerate(LEAGUE) if row["Trust_in_financial_deficit"] == "No")
    changed = edited(LEAGUE, place, Trust_in_financial_deficit="Yes")
    (tmp_path / "tables").mkdir()
    (problem,) = problems(tmp_path / "tables", a=LEAGUE, b=changed)
    assert f": No against Yes in b.csv, row {place + 2};" in problem.message
    (tmp_path / "kinds").mkdir()
    (problem,) = problems(tmp_path / "kinds", data=ROWS, league=changed)
    assert ": Yes against 0 in data.csv, row " in problem.message


@pytest.mark.parametrize("mark", ["*", ""])
@pytest.mark.parametrize("column", ["Average_score", "Segment", "Rank", "Trust_in_financial_deficit"])
@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_main_figure_of_a_league_table_that_one_file_suppresses_is_an_error(tmp_path, mark, column, names):
    (problem,) = problems(tmp_path, **dict(zip(names, (LEAGUE, edited(LEAGUE, 3, **{column: mark})), strict=True)))
    assert (problem.row, problem.column) == (5, column)
    assert "no figure" in problem.message


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_a_value_that_one_file_suppresses_is_an_error_and_a_rank_is_none(tmp_path, names):
    place = place_of(ROWS, "RX7", "OF0017")
    (tmp_path / "rank").mkdir()
    found = read(tmp_path / "rank", **dict(zip(names, (ROWS, edited(ROWS, place, Rank="*")), strict=True)))
    assert found.observations["rank"].count() == sum(row["Rank"] != "" for row in ROWS)
    (tmp_path / "value").mkdir()
    files = dict(zip(names, (ROWS, edited(ROWS, place, Value="*")), strict=True))
    (problem,) = problems(tmp_path / "value", **files)
    assert (problem.row, problem.column) == (place + 2, "Value")


def test_both_files_may_suppress_the_same_figure(tmp_path):
    marked = edited(LEAGUE, 3, Average_score="*", Rank="*")
    assert read(tmp_path, a=marked, b=marked).league["average_score"].count() == len(LEAGUE) - 1


def test_a_league_table_makes_up_for_what_the_data_suppress(tmp_path):
    place = place_of(ROWS, LEAGUE[3]["Trust_code"], "OF5002")
    found = read(tmp_path, data=edited(ROWS, place, Value="*"), league=LEAGUE).league.set_index("trust_code")
    assert found.at[LEAGUE[3]["Trust_code"], "average_score"] == float(LEAGUE[3]["Average_score"])


def test_figures_that_differ_far_behind_the_point_are_shown_apart(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    pair = (edited(ROWS, place, Value=text) for text in ("123456.71", "123456.72"))
    (problem,) = problems(tmp_path, a=next(pair), b=next(pair))
    assert "123456.71 against 123456.72" in problem.message


@pytest.mark.parametrize(("a", "b", "file"), [(ROWS, ROWS[:-1], "a.csv"), (ROWS[:-1], ROWS, "b.csv")])
def test_a_row_that_one_of_two_files_lacks_is_an_error(tmp_path, a, b, file):
    (problem,) = problems(tmp_path, a=a, b=b)
    assert (problem.file, problem.row) == (file, len(ROWS) + 1)
    assert f"is missing from {'b.csv' if file == 'a.csv' else 'a.csv'}" in problem.message


def test_a_rank_that_disagrees_is_an_error(tmp_path):
    place = place_of(ROWS, "RX7", "OF0017")
    (problem,) = problems(tmp_path, a=ROWS, b=edited(ROWS, place, Rank="9"))
    assert (problem.row, problem.column) == (place + 2, "Rank")


# --- data files and league tables -------------------------------------------------------------------------


def test_league_table_and_data_agree_against_nhs_england(tmp_path):
    quarter = "Q4 2025/26"  # the one league table with likely ranges that the embedded data hold
    both = {
        "data": data_rows([quarter], [COMMUNITY]),
        "league": makers.league_rows([quarter], [COMMUNITY]),
    }
    found = read(tmp_path, **both).league.set_index("trust_code")
    assert len(found) == 61
    for row in both["league"]:
        mine = found.loc[row["Trust_code"]]
        assert (mine["average_score"], mine["segment"], mine["rank"]) == tuple(
            float(row[name]) for name in ("Average_score", "Segment", "Rank")
        )
        assert mine["in_deficit"] == (row["Trust_in_financial_deficit"] == "Yes")
        assert f"{mine['rank_low']:.0f} to {mine['rank_high']:.0f}" == row["Likely_range_of_rank"]
    assert found["unadjusted_segment"].notna().all()
    assert found["score_rank"].notna().all()


@pytest.mark.parametrize(
    ("column", "text", "metric_id", "version"),
    [
        ("Average_score", "1.11", "OF5002", ""),
        ("Average_score", "1.11", "OF5002", "_v2"),
        ("Segment", "1", "OF5000", ""),
        ("Rank", "9", "OF5000", "_v2"),
        ("Trust_in_financial_deficit", "Yes", "OF5004", ""),
    ],
)
def test_a_league_table_that_contradicts_the_data_is_an_error(tmp_path, column, text, metric_id, version):
    place = next(n for n, row in enumerate(LEAGUE) if row["Segment"] == "3" and row["Rank"] != "9")
    text = {"Yes": "No", "No": "Yes"}[LEAGUE[place][column]] if text == "Yes" else text
    files = {f"data{version}": ROWS, f"league{version}": edited(LEAGUE, place, **{column: text})}
    (problem,) = problems(tmp_path, **files)
    name = version.replace("_", "-")
    assert (problem.file, problem.row, problem.column) == (f"league{name}.csv", place + 2, column)
    there = place_of(ROWS, LEAGUE[place]["Trust_code"], metric_id) + 2
    assert f"in data{name}.csv, row {there};" in problem.message


@pytest.mark.parametrize(
    ("data", "league", "average"),
    [("data", "league_v2", 1.11), ("data_v2", "league", 1.86), ("data_v2", "league_v3", 1.11)],
)
def test_of_data_and_league_table_the_higher_version_wins(tmp_path, data, league, average):
    place = next(n for n, row in enumerate(LEAGUE) if row["Average_score"] == "1.86")
    found = read(tmp_path, **{data: ROWS, league: edited(LEAGUE, place, Average_score="1.11")})
    assert found.league.set_index("trust_code").loc[LEAGUE[place]["Trust_code"], "average_score"] == average


def test_a_league_table_alone_is_enough(tmp_path):
    found = read(tmp_path, league=LEAGUE)
    assert len(found.observations) == 0
    figures = found.release(Q1)
    assert list(figures.league.loc[[row["Trust_code"] for row in LEAGUE], "rank"]) == [
        float(row["Rank"]) for row in LEAGUE
    ]


def test_data_without_results_leave_the_league_table_blank(tmp_path):
    found = read(tmp_path, data=[row for row in ROWS if not row["Metric_ID"].startswith("OF5")])
    assert found.release(Q1).league.isna().all(axis=None)


# --- trusts -----------------------------------------------------------------------------------------------


def test_a_trust_under_two_types_in_one_file(tmp_path):
    (problem,) = problems(tmp_path, a=edited(ROWS, 20, Trust_type=ACUTE))
    assert (problem.file, problem.column) == ("a.csv", "Trust_type")
    assert ROWS[20]["Trust_code"] in problem.message
    assert repr(ACUTE) in problem.message
    assert repr(AMBULANCE) in problem.message


@pytest.mark.parametrize("other", [LEAGUE[:1], [row for row in ROWS if row["Trust_code"] == LEAGUE[0]["Trust_code"]]])
def test_a_trust_under_two_types_in_two_files(tmp_path, other):
    (problem,) = problems(tmp_path, a=ROWS, b=[row | {"Trust_type": ACUTE} for row in other])
    # Which of them is wrong nothing can tell, so both are named.
    assert problem.column == "Trust_type"
    assert "a.csv, row " in str(problem)
    assert "b.csv, row 2" in str(problem)


def test_a_trust_may_change_its_type_between_quarters(tmp_path):
    later = [row | {"Trust_type": ACUTE} for row in data_rows([Q2], [AMBULANCE])]
    found = read(tmp_path, a=ROWS, b=later)
    assert found.release(Q1).trust_types == (AMBULANCE,)
    assert found.release(Q2).trust_types == (ACUTE,)


@pytest.mark.parametrize("column", ["Trust_name", "Trust_subtype", "Region"])
def test_a_trust_with_two_names_subtypes_or_regions_in_one_file(tmp_path, column):
    (problem,) = problems(tmp_path, a=edited(ROWS, 20, **{column: "Another"}))
    assert problem.column == column
    assert "'Another'" in problem.message
