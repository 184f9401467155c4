"""Damaged files: a correct table, a clear error or a problem that `check` names, and nothing else.

`make fuzz` runs many thousands of such inputs; here are some hundred, each way of damage among them.
"""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nofcore import framework, league, release
from tests import makers
from tests.fuzz import mutations, oracle
from tests.fuzz.files import MADE, PUBLISHED
from tests.fuzz.mutations import ALL, CAUGHT, REFUSED, SAME
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q2, Q3, Q4, TYPES

FIRST_RELEASE, WITH_TABLE, TWO_QUARTERS, TABLE_ALONE = MADE
SEEDS = st.integers(0, 2**32)
FEW = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.filter_too_much]}


def of(*outcomes):
    return [one for one in ALL if one.expects in outcomes]


def ids(things):
    return [getattr(thing, "name", str(thing)) for thing in things]


def judged(base, chosen, seed):
    """What came of a base with these mutations, of which at least one found something to change."""
    contents, done = mutations.apply(base.copy(), chosen, random.Random(seed))
    return oracle.judge(base, contents, mutations.expected(done)), done


# --- the oracle itself ------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", MADE, ids=lambda base: base.name)
def test_sound_folders_are_right_by_a_second_reading(base):
    contents = {name: file.render() for name, file in base.files().items()}
    assert oracle.judge(base, contents, SAME).outcome == oracle.SAME_TABLE
    assert len(oracle.second_reading(base, contents)) == {TABLE_ALONE: 61}.get(base, 10)


@pytest.mark.parametrize("figure", ["OF5004", "OF1082"])
def test_a_table_made_of_other_figures_than_those_read_is_noticed(figure):
    """Were a flag or score misread in silence, the second reading would say so."""
    file = FIRST_RELEASE.copy().popitem()[1]
    # The first in the league: segment 1 without the override.
    best = [row for row in file.rows if row[file.place("Trust_code")] == "RX7"]
    row = next(row for row in best if row[file.place("Metric_ID")] == figure)
    place = file.place("Value")
    row[place] = {"OF5004": str(1 - float(row[place])), "OF1082": "1.00" if float(row[place]) > 2 else "4.00"}[figure]
    with pytest.raises(oracle.BrokenRuleError, match="by a second reading"):
        oracle._require_by_second_reading(FIRST_RELEASE, {"a.csv": file.render()}, oracle.sound(FIRST_RELEASE))


@pytest.mark.parametrize("one", ALL, ids=ids(ALL))
def test_every_mutation_finds_something_to_change(one):
    assert any(mutations.apply(base.copy(), [one], random.Random(seed))[1] for base in MADE for seed in range(3))


@pytest.mark.parametrize(
    ("wanted", "outcome"), [(SAME, oracle.ERROR), (REFUSED, oracle.SAME_TABLE), (CAUGHT, oracle.OTHER_TABLE)]
)
def test_an_outcome_that_must_not_be_is_a_broken_rule(wanted, outcome):
    assert outcome not in oracle.ALLOWED[wanted]


# --- damage -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one", of(REFUSED), ids=ids(of(REFUSED)))
@settings(max_examples=6, **FEW)
@given(seed=SEEDS, base=st.sampled_from([FIRST_RELEASE, WITH_TABLE, TABLE_ALONE]))
def test_what_is_no_sound_file_is_refused_in_one_clear_line(one, base, seed):
    found, done = judged(base, [one], seed)
    assert found.outcome == oracle.ERROR or not done


@pytest.mark.parametrize("one", of(CAUGHT), ids=ids(of(CAUGHT)))
@settings(max_examples=2, **FEW)
@given(seed=SEEDS)
def test_a_changed_score_segment_or_rank_is_caught(one, seed):
    base = WITH_TABLE if one.name == "a figure of a league table changed" else FIRST_RELEASE
    found, done = judged(base, [one], seed)
    assert done
    assert found.outcome in (oracle.CAUGHT_BY_CHECK, oracle.ERROR)


@settings(max_examples=12, **FEW)
@given(chosen=st.lists(st.sampled_from(of(SAME)), min_size=1, max_size=4, unique=True), seed=SEEDS)
def test_order_and_spelling_never_change_a_table(chosen, seed):
    assert judged(FIRST_RELEASE, chosen, seed)[0].outcome == oracle.SAME_TABLE


@settings(max_examples=30, **FEW)
@given(
    chosen=st.lists(st.sampled_from(ALL), min_size=1, max_size=3, unique=True),
    seed=SEEDS,
    base=st.sampled_from([FIRST_RELEASE, TABLE_ALONE]),
)
def test_any_damage_ends_in_a_right_table_or_a_clear_error(chosen, seed, base):
    judged(base, chosen, seed)


@pytest.mark.parametrize("base", PUBLISHED, ids=lambda base: base.name)
@settings(max_examples=2, **FEW)
@given(chosen=st.lists(st.sampled_from(ALL), min_size=1, max_size=2, unique=True), seed=SEEDS)
def test_damage_to_the_files_of_nhs_england(official_folder, chosen, seed, base):
    judged(base, chosen, seed)


# --- marks of suppression --------------------------------------------------------------------------------------


@settings(max_examples=4, **FEW)
@given(marks=st.lists(st.sampled_from(mutations.MARKS), min_size=1, max_size=5), seed=SEEDS)
def test_marks_of_suppression_are_missing_and_counted(marks, seed):
    """Values do not enter a table made from scores: it must stay as it is, and the marks must be told."""
    name, file = FIRST_RELEASE.copy().popitem()
    values = [row for row in file.rows if row[file.place("Metric_ID")].startswith("OF0")]
    for row, mark in zip(random.Random(seed).sample(values, len(marks)), marks, strict=True):
        row[file.place("Value")] = mark
    found = oracle.judge(FIRST_RELEASE, {name: file.render()})
    assert found.table == oracle.sound(FIRST_RELEASE)
    if found.outcome != oracle.CAUGHT_BY_CHECK:
        assert f"{name}: {len(marks)} figure" in found.said


# --- order of rows and files, line ends, byte-order mark, source ----------------------------------------------------


def whole_quarter(folder, quarter):
    """The files of a quarter as far as the embedded tables hold them: metric rows, and league tables.

    Of a type without metric rows the unadjusted segments, which league-table files do not give, are in a data file.
    """
    for trust_type in TYPES:
        metrics, trusts = makers.data_rows([quarter], [trust_type]), makers.league_rows([quarter], [trust_type])
        metric_id = "OF5203" if quarter == "Q1 2026/27" else "OF5003"
        held = {row["trust_code"]: row for row in makers.table("league_tables") if row["quarter"] == quarter}
        unadjusted = [
            row | {"Metric_ID": metric_id, "Units": "segment", "Reporting_date": quarter, "Value": segment, "Rank": ""}
            for row in trusts
            if (segment := held[row["Trust_code"]]["unadjusted_segment"])
        ]
        if rows := metrics or unadjusted:
            makers.write(folder / f"{trust_type}-data.csv", rows)
        makers.write(folder / f"{trust_type}-league-table.csv", trusts)
    return folder


@pytest.mark.parametrize("quarter", [Q1, Q2, Q3, Q4, "Q1 2026/27"])
def test_a_quarter_from_files_and_from_the_embedded_data_write_the_same_table(tmp_path, quarter):
    folder = tmp_path / "files"
    folder.mkdir()
    whole_quarter(folder, quarter)
    written = []
    for source in ([], ["--data", folder]):
        out = tmp_path / f"{len(written)}.csv"
        made = oracle.run("table", "--quarter", quarter, *source, "--out", out)
        assert made.code == 0, made.err
        written.append(out.read_text("utf-8").splitlines())
    assert len(written[0]) == (206 if quarter != "Q1 2026/27" else 203)
    assert written[0] == written[1]


@pytest.fixture(scope="module")
def embedded_scores():
    figures = release.embedded().release(Q1)
    return league.build(figures, framework.for_quarter(Q1)).table().reset_index(drop=True)


@settings(max_examples=5, **FEW)
@given(
    seeds=st.tuples(SEEDS, SEEDS, SEEDS),
    names=st.permutations(["a.csv", "b.csv", "c.csv"]),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    bom=st.booleans(),
)
def test_order_of_rows_and_files_line_ends_and_marks_never_change_a_result(
    tmp_path_factory, embedded_scores, seeds, names, newline, bom
):
    folder = tmp_path_factory.mktemp("order")
    for name, trust_type, seed in zip(names, (ACUTE, AMBULANCE, COMMUNITY), seeds, strict=True):
        rows = makers.data_rows([Q1], [trust_type])
        makers.write(folder / name, rows, shuffle=seed, newline=newline, bom=bom, quarter_column=False)
    read = league.build(release.read(folder).release(Q1), framework.for_quarter(Q1)).table()
    assert read.reset_index(drop=True).equals(embedded_scores)
