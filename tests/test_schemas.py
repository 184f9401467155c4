"""What every release must satisfy."""

import time
import tomllib

import pytest

from nofcore import framework, merge, official, release, schemas
from nofcore.errors import InputError, Problem
from tests import makers
from tests.makers import AMBULANCE, Q1

ROWS = makers.data_rows(types=[AMBULANCE])
LEAGUE = makers.league_rows(types=[AMBULANCE])
NAME = "figures.csv"


def problems(tmp_path, rows):
    path = makers.write(tmp_path / NAME, rows)
    with pytest.raises(InputError) as caught:
        release.read_files([path], NAME)
    return caught.value.problems


def edited(rows, place, **cells):
    """The rows with some cells of one of them changed. Row ``place`` is line ``place + 2`` of a file."""
    return [row | cells if number == place else row for number, row in enumerate(rows)]


def place_of(metric_id):
    """A place in the middle of a metric's rows."""
    return [n for n, row in enumerate(ROWS) if row["Metric_ID"] == metric_id][4]


OUT_OF_BOUNDS = [
    ("OF1017", "0.99", "outside 1 to 4"),
    ("OF1082", "4.01", "outside 1 to 4"),
    ("OF1080", "0", "outside 1 to 4"),
    ("OF4000", "5", "outside 1 to 4"),
    ("OF5002", "-1.5", "outside 1 to 4"),
    ("OF5000", "5", "none of 1 to 4"),
    ("OF5003", "2.5", "none of 1 to 4"),
    ("OF4100", "0", "none of 1 to 4"),
    ("OF5004", "2", "none of 0 to 1"),
]


def test_scores_segments_and_flags_out_of_bounds(tmp_path):
    rows = ROWS
    for metric_id, text, _ in OUT_OF_BOUNDS:
        rows = edited(rows, place_of(metric_id), Value=text)
    found = {problem.row: problem for problem in problems(tmp_path, rows)}
    assert len(found) == len(OUT_OF_BOUNDS)
    for metric_id, text, said in OUT_OF_BOUNDS:
        place = place_of(metric_id)
        problem = found[place + 2]
        assert (problem.file, problem.column) == (NAME, "Value")
        assert problem.message.startswith(f"{text} ({metric_id} of {ROWS[place]['Trust_code']}, Q1 2025/26) is {said}")


def test_the_ends_of_the_scale_and_a_final_segment_of_5_are_fine(tmp_path):
    rows = edited(ROWS, place_of("OF1017"), Value="1")
    rows = edited(rows, place_of("OF1082"), Value="4.00")
    path = makers.write(tmp_path / NAME, edited(rows, place_of("OF5005"), Value="5"))
    assert len(release.read_files([path], NAME).observations) == len(ROWS)


@pytest.mark.parametrize("rows", [ROWS, LEAGUE], ids=["data", "league table"])
def test_ranks_that_are_none(tmp_path, rows):
    for place, text in enumerate(["0", "-1", "1.5"]):
        rows = edited(rows, place, Rank=text)
    found = problems(tmp_path, rows)
    assert [(problem.row, problem.column) for problem in found] == [(2, "Rank"), (3, "Rank"), (4, "Rank")]
    assert all("not a rank" in problem.message for problem in found)


def test_a_league_table_out_of_bounds(tmp_path):
    wrong = [
        ("Average_score", "0.99"),
        ("Average_score", "4.01"),
        ("Segment", "5"),
        ("Segment", "1.5"),
        ("Likely_range_of_average_score", "0.5 to 2"),
        ("Likely_range_of_rank", "0 to 6"),
        ("Likely_range_of_rank", "1 to 6.5"),
    ]
    rows = LEAGUE
    for place, (column, text) in enumerate(wrong):
        rows = edited(rows, place, **{column: text})
    found = [(problem.row, problem.column) for problem in problems(tmp_path, rows)]
    assert found == [(place + 2, column) for place, (column, _) in enumerate(wrong)]


def test_a_league_table_of_a_year_without_rules_is_judged_too(tmp_path):
    rows = [row | {"Quarter": "Q1 2031/32"} for row in LEAGUE]
    found = problems(tmp_path, edited(edited(rows, 4, Average_score="4.01"), 5, Segment="5"))
    assert [(problem.row, problem.column) for problem in found] == [(6, "Average_score"), (7, "Segment")]


@pytest.mark.parametrize("rows", [ROWS, LEAGUE], ids=["data", "league table"])
def test_a_row_given_twice(tmp_path, rows):
    (problem,) = problems(tmp_path, [*rows, rows[4]])
    assert (problem.file, problem.row) == (NAME, len(rows) + 2)
    assert "second row" in problem.message
    assert rows[4]["Trust_code"] in problem.message


def test_each_of_very_many_doubled_rows_is_named_in_a_short_time(tmp_path):
    """Rows of a file that was put together from copies: one problem for each, not a search for each."""
    copies = 40_000 // len(ROWS)
    path = makers.write(tmp_path / NAME, ROWS * (copies + 1))
    file = official.read_file(path)
    trusts = merge.merge([file], framework.for_quarter).trusts
    began = time.process_time()
    found = schemas.problems(file.rows, trusts, file.rows.iloc[:0], framework.for_quarter)
    took = time.process_time() - began
    assert [problem.row for problem in found] == [*range(len(ROWS) + 2, (copies + 1) * len(ROWS) + 2)]
    first, last = ROWS[0], ROWS[-1]
    for problem, row in ((found[0], first), (found[-1], last)):
        key = f"{Q1}, {row['Trust_code']}, {row['Metric_ID']}"
        assert problem == Problem(NAME, problem.row, None, f"a second row for {key}; remove one of the two")
    assert took < 4  # a few tenths of a second; a look-up for each row takes more than ten


@pytest.mark.parametrize(
    ("column", "text"),
    [("Trust_code", "rx7"), ("Trust_code", ""), ("Trust_code", "R X7"), ("Trust_name", ""), ("Trust_type", "")],
)
def test_a_trust_without_code_name_or_type(tmp_path, column, text):
    code = ROWS[0]["Trust_code"]
    rows = [row | {column: text} if row["Trust_code"] == code else row for row in ROWS]
    found = problems(tmp_path, rows)
    assert {problem.column for problem in found} == {column}
    assert found[0].row == 2


def test_a_row_without_metric(tmp_path):
    (problem,) = problems(tmp_path, edited(ROWS, 4, Metric_ID=""))
    assert (problem.row, problem.column) == (6, "Metric_ID")


def test_an_unknown_trust_type_in_two_spellings(tmp_path):
    names = ("Integrated care board", "Integrated Care Board")
    rows = [row | {"Trust_type": names[row["Trust_code"] == "RX7"]} for row in ROWS]
    (problem,) = problems(tmp_path, rows)
    assert problem.column == "Trust_type"
    assert all(repr(name) in problem.message for name in names)


def test_rules_of_a_user_s_own_never_make_published_figures_wrong():
    text = (framework.FOLDER / "2025-26.toml").read_text("utf-8")
    own = text.replace("[25, 50, 75]", "[50]").replace("no_higher_than = 3", "no_higher_than = 2")
    rules = framework.parse(tomllib.loads(own), "own.toml")
    assert rules.segment_count == 2
    assert release.read(own=rules).quarters == release.embedded().quarters


def test_embedded_data_that_are_damaged_are_named(monkeypatch):
    table = release.embedded_table

    def damaged(name):
        found = table(name)
        if name == "league_tables":
            found.loc[4, "trust_code"] = "XX9"
            found.loc[5, "segment"] = 5
        return found

    monkeypatch.setattr(release, "embedded_table", damaged)
    monkeypatch.setattr(release, "checked_before", lambda: ())
    rules = framework.for_quarter("Q1 2025/26")
    with pytest.raises(InputError) as caught:
        release.read(own=rules)
    found = [(problem.file, problem.row, problem.column) for problem in caught.value.problems]
    assert found == [("league_tables.csv", 6, "trust_code"), ("league_tables.csv", 7, "segment")]
