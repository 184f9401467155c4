"""The rules of a year, and what is said of a file that does not hold them."""

import dataclasses
import re
import tomllib
import typing

import pytest

from nofcore import framework, toml_lines
from nofcore.errors import InputError
from tests import reference

TEXT = (framework.FOLDER / "2025-26.toml").read_text("utf-8")
RULES = framework.for_quarter("Q1 2025/26")
BY_THRESHOLDS = (
    ('rule = "percentiles"', 'rule = "thresholds"'),
    ("percentiles = [25, 50, 75]", "thresholds = [1.92, 2.32, 2.77]"),
)


def load(tmp_path, *changes, content=None):
    """The framework of 2025/26 with some text replaced, or other content."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "own.toml"
    path.write_bytes(text.encode() if content is None else content)
    return framework.load(path)


def problems(tmp_path, *changes, content=None):
    with pytest.raises(InputError) as caught:
        load(tmp_path, *changes, content=content)
    assert all(problem.file == str(tmp_path / "own.toml") for problem in caught.value.problems)
    assert len(str(caught.value).splitlines()) == 1
    return [problem.message for problem in caught.value.problems]


def test_metrics_against_the_methodology():
    """The reference types the rules in a second time, from the manual and the published data."""
    assert {metric.score[3:] for metric in RULES.metric} | {"080"} == set(reference.METRICS)
    domains = {domain.key: domain.score for domain in RULES.domain}
    for metric in RULES.metric:
        wanted = reference.METRICS[metric.score[3:]]
        assert (domains[metric.domain], metric.model, metric.pool) == (wanted.domain, wanted.model, wanted.pool)
        assert metric.threshold == wanted.mark
        assert metric.value is None or (metric.value[3:], metric.better) == (metric.score[3:], wanted.better)
    assert {metric.score for metric in RULES.metric if metric.group} == set(reference.INFECTIONS)
    assert {metric.score for metric in RULES.metric if not metric.averaged} == set(reference.NOT_AVERAGED)
    assert {metric.value for metric in RULES.metric if metric.unit} == set(reference.COUNTED_INFECTIONS)
    assert {quarter: set(ids) for quarter, ids in RULES.rounded_first.items()} == {
        quarter: set(ids) for quarter, ids in reference.ROUNDED_FIRST.items()
    }
    assert RULES.combined[0].matrix == reference.FINANCE_MATRIX


def test_rules_of_the_methodology():
    assert (RULES.scale.best, RULES.scale.worst, RULES.scale.decimals) == (1, 4, 2)
    assert (RULES.segments.rule, RULES.segments.percentiles, RULES.segments.pool) == (
        "percentiles",
        (25, 50, 75),
        "all",
    )
    assert RULES.segment_count == 4
    assert RULES.override.no_higher_than == 3
    assert len(RULES.metric) == 30


def test_every_rule_in_words_says_how_sure_it_is():
    assert {rule.basis for rule in RULES.rule} <= {"stated", "verified", "inferred", "unknown"}
    assert all(rule.evidence for rule in RULES.rule if rule.basis == "verified")


def test_a_framework_cannot_be_changed_once_loaded():
    with pytest.raises(AttributeError):
        RULES.year = "2031/32"
    assert isinstance(RULES.metric, tuple)
    assert isinstance(RULES.segments.percentiles, tuple)


def test_thresholds_instead_of_percentiles(tmp_path):
    own = load(tmp_path, *BY_THRESHOLDS)
    assert own.segments.thresholds == (1.92, 2.32, 2.77)
    assert own.segment_count == 4


def test_an_editor_s_byte_order_mark_and_line_ends_are_fine(tmp_path):
    assert load(tmp_path, content=b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()) == RULES


def test_the_framework_of_a_quarter():
    assert RULES.year == "2025/26"
    assert framework.for_quarter("Q4 2025/26") is RULES
    assert framework.for_quarter("Q1 2019/20") is None
    assert framework.newest().year == max(framework.shipped())


@pytest.mark.parametrize(
    ("old", "new", "key", "said"),
    [
        ("standard = 75", 'standard = "75"', "metric[6] (OF1011).standard", "must be a number"),
        ("standard = 75", "standard = true", "metric[6] (OF1011).standard", "must be a number"),
        ("standard = 75", "standard = nan", "metric[6] (OF1011).standard", "finite"),
        ("standard = 75", "standard = inf", "metric[6] (OF1011).standard", "finite"),
        ("standard = 75", "standrd = 75", "metric[6] (OF1011).standrd", "unknown key"),
        ("standard = 75", "", "metric[6] (OF1011)", "model 'standard' needs the key standard"),
        ("standard = 75", "standard = 75\nfloor = 2", "metric[6] (OF1011)", "key floor belongs to model 'floor'"),
        ('model = "standard"', 'model = "standart"', "metric[1] (OF1003).model", "'standard', 'floor'"),
        ('better = "low"', 'better = "less"', "metric[1] (OF1003).better", "'low' or 'high'"),
        ('better = "low"', "", "metric[1] (OF1003)", "needs the keys value and better"),
        ('trust_types = ["Acute trust"]', "trust_types = []", "metric[1] (OF1003).trust_types", "at least 1"),
        ('trust_types = ["Acute trust"]', 'trust_types = "Acute"', "metric[1] (OF1003).trust_types", "must be a list"),
        ("averaged = false", 'averaged = "no"', "metric[27] (OF1079).averaged", "true or false"),
        ("[25, 50, 75]", "[25, 75, 50]", "segments", "percentiles must increase"),
        ("[25, 50, 75]", "[25, 25, 75]", "segments", "percentiles must increase"),
        ("[25, 50, 75]", "[0, 50, 75]", "segments", "between 0 and 100"),
        ("[25, 50, 75]", "[]", "segments", "needs a list of percentiles"),
        ("[25, 50, 75]", '["25", 50, 75]', "segments.percentiles[1]", "must be a number"),
        (
            'rule = "percentiles"',
            'rule = "thresholds"',
            "segments",
            "percentiles and pool belong to rule 'percentiles'",
        ),
        (
            'rule = "percentiles"',
            'rule = "percentiles"\nthresholds = [2]',
            "segments",
            "thresholds belong to rule 'thr",
        ),
        ("percentiles = [25, 50, 75]", "", "segments", "needs a list of percentiles"),
        ("decimals = 2", "decimals = 3", "scale.decimals", "must be 2"),
        ("decimals = 2", "decimals = true", "scale.decimals", "must be 2"),
        ("no_higher_than = 3", "no_higher_than = true", "override.no_higher_than", "must be a whole number"),
        ("worst = 4", "worst = 2", "scale", "more than 1 above best"),
        ("no_higher_than = 3", "no_higher_than = 0", "override.no_higher_than", "1"),
        ('year = "2025/26"', 'year = "2025-26"', "year", "like '2025/26'"),
        ('year = "2025/26"', "year = 2025", "year", "must be text"),
        ('year = "2025/26"', "", "year", "is missing"),
        ('"Q1 2025/26" =', '"Q1 25/26" =', "rounded_first.Q1 25/26.[key]", "like 'Q1 2025/26'"),
        ("[scale]", "[[scale]]", "scale", "must be a table"),
        ("best = 1", "best = 1\nbset = 1", "scale.bset", "unknown key"),
    ],
)
def test_a_wrong_key_is_named_with_what_was_expected(tmp_path, old, new, key, said):
    messages = problems(tmp_path, (old, new))
    assert messages[0].startswith(f"key {key}: ")
    assert said in messages[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('domain = "access"', 'domain = "acces"', "domain 'acces' is not defined in this file (defined: access, "),
        ('group = "infections"', 'group = "x"', "group 'x' is not defined"),
        ('trust_types = ["Acute trust"]', 'trust_types = ["Acute"]', "trust_types 'Acute' is not defined"),
        ('score = "OF1011"', 'score = "OF1010"', "score 'OF1010' is given twice"),
        ('value = "OF0011"', 'value = "OF0010"', "value 'OF0010' is given twice"),
        ('key = "safety"', 'key = "access"', "domain key 'access' is given twice"),
        ('key = "infections"', 'key = "OF1020"', "score 'OF1020' is given twice"),
        ('["OF1003", ', '["OF0003", ', "rounded_first, Q1 2025/26 'OF0003' is not defined"),
        ("no_higher_than = 3", "no_higher_than = 5", "no_higher_than must be at most 4"),
        ("[1, 1, 2, 3]", "[1, 1, 2]", "matrix must be 4 by 4"),
        ("[1, 1, 2, 3]", "[1, 1, 2, 7]", "the score 7 is outside the scale, 1 to 4"),
        ("at_most = 2, score = 3", "at_most = 2, score = 9", "the score 9 is outside the scale"),
        ("above = -2, score = 3", "above = -2, score = 2.5", "rows 'OF1079' must be a score by lookup, in whole steps"),
        ('rows = "OF1079"', 'rows = "OF1082"', "rows 'OF1082' must be a score by lookup"),
        ('columns = "OF1081"', 'columns = "OF9999"', "columns 'OF9999' must be a score by lookup"),
    ],
)
def test_rules_that_do_not_fit_together(tmp_path, old, new, said):
    first, *others = problems(tmp_path, (old, new))
    assert said in first
    assert all("is not defined" in message for message in others)  # a name that is gone is missed where it was used


def test_a_bracket_takes_one_bound(tmp_path):
    (message,) = problems(tmp_path, ("{ at_most = 0, score = 1 }", "{ at_most = 0, above = 1, score = 1 }"))
    assert "exactly one of at_least, above, at_most, below" in message


def test_all_wrong_keys_at_once(tmp_path):
    messages = problems(tmp_path, ("standard = 75", 'standard = "75"'), ("decimals = 2", "decimals = 2.5"))
    assert len(messages) == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "key year: is missing"),
        (b"best = ", "is not valid TOML: "),
        (b"metric = 1\nmetric = 2", "is not valid TOML: "),
        (b"a = " + b"9" * 5000, "is not valid TOML: "),
        (b"a = " + b"[" * 5000 + b"]" * 5000, "is not valid TOML: "),
        (b"title = '\xff'", "cannot be read as UTF-8 text"),
        (TEXT.encode("utf-16"), "cannot be read as UTF-8 text"),
        (b"PK\x03\x04", "is not valid TOML: "),
    ],
)
def test_what_is_no_framework_file(tmp_path, content, said):
    assert said in problems(tmp_path, content=content)[0]


def test_a_framework_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none.toml: no such framework file$"):
        framework.load(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot be read"):
        framework.load(tmp_path)


# --- a framework of one's own ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[1.92, 2.32, 2.77]", "[1.92, 2.77, 2.32]", "thresholds must increase"),
        ("[1.92, 2.32, 2.77]", "[0.5, 2.32, 2.77]", "threshold 0.5 is outside the scale of averages, 1 to below 4"),
        ("[1.92, 2.32, 2.77]", "[1.92, 2.32, 4]", "threshold 4 is outside the scale of averages, 1 to below 4"),
        ("[1.92, 2.32, 2.77]", "[]", "needs a list of thresholds"),
        ('pool = "all"', 'pool = "type"', "percentiles and pool belong to rule 'percentiles', and only to it"),
        ("[scale]", "[weights]\naccess = 1e7\n[scale]", "'access' must be at most 1,000,000"),
        ("[scale]", "[weights]\nacess = 2\n[scale]", "nearest: access"),
        ('"Q1 2025/26" = ', '"Q1 2026/27" = ', "Q1 2026/27 is not in 2025/26, so it is not heeded"),
        ('year = "2025/26"', 'year = "2025/27"', "'2025/27' is not a financial year"),
    ],
)
def test_own_rules_refuse_what_scenarios_refuse(tmp_path, old, new, said):
    messages = problems(tmp_path, *BY_THRESHOLDS, (old, new))
    assert any(said in message for message in messages)


def test_every_contradiction_is_told_with_its_line(tmp_path):
    changes = (
        ('domain = "access"', 'domain = "acces"'),
        ("at_most = 2, score = 3", "at_most = 2, score = 9"),
        ("no_higher_than = 3", "no_higher_than = 7"),
        ('score = "OF1011"', 'score = "OF1010"'),
    )
    with pytest.raises(InputError) as caught:
        load(tmp_path, *changes)
    lines = (tmp_path / "own.toml").read_text("utf-8").splitlines()
    wanted = {
        next(number for number, line in enumerate(lines, start=1) if new.partition(" = ")[2] in line and new in line)
        for _, new in changes[:3]
    }
    wanted.add([n for n, line in enumerate(lines, start=1) if line == 'score = "OF1010"'][1])
    found = {
        problem.row
        for problem in caught.value.problems
        if "is not defined in this file (defined: OF" not in str(problem)
    }
    assert found == wanted


def test_the_line_of_a_wrong_key_and_of_bad_syntax(tmp_path):
    with pytest.raises(InputError) as caught:
        load(tmp_path, ("standard = 75", 'standard = "75"'))
    (problem,) = caught.value.problems
    lines = (tmp_path / "own.toml").read_text("utf-8").splitlines()
    assert lines[problem.row - 1] == 'standard = "75"'
    assert f"own.toml, line {problem.row}: key metric[6] (OF1011).standard: must be a number" in str(problem)
    with pytest.raises(InputError, match=r"own\.toml, line 2: is not valid TOML"):
        load(tmp_path, content=b"year = '2025/26'\ntitle = \n")


def test_no_words_of_the_library_reach_the_user(tmp_path):
    wrong = [
        ("best = 1", "best = []"), ("percentiles = [25", 'percentiles = [{}, "a"'), ('rule = "percentiles"', "rule = 1"),
        ("no_higher_than = 3", "no_higher_than = 2.5"), ("averaged = false", "averaged = 1"),
        ("survey = true", 'survey = "yes"'), ('better = "low"', "better = []"), ("[override]", "[[override]]"),
        ('trust_types = ["Acute trust"]', "trust_types = [1]"), ("[segments]", "[[segments]]"),
        ("matrix = [[1,", "matrix = [{}, [1,"), ("{ at_most = 0, score = 1 }", "1"), ("no_higher_than = 3", "no_higher_than = 0"),
        ("[scale]", "[freshness]\nmonths = -1\n[scale]"), ("[scale]", "[weights]\naccess = -1\n[scale]"),
        ('pool = "all"', "pool = true"), ('name = "Patient safety"', 'name = ""'), ("[rounded_first]", "[[rounded_first]]"),
    ]  # fmt: skip
    for old, new in wrong:
        for message in problems(tmp_path, (old, new)):
            assert not re.search("Input|valid|pydantic|instance|dataclass|argument", message), message


def _keys(value, path=()):
    """Every key and place in a list, by walking through what tomllib reads: apart from the code under test."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (*path, key)
        yield from _keys(inner, (*path, key))


@pytest.mark.parametrize("path", sorted(framework.FOLDER.rglob("*.toml")), ids=lambda path: path.name)
def test_the_line_of_every_key(path):
    text = path.read_text("utf-8")
    found, lines = toml_lines.lines(text), text.splitlines()
    assert set(found) == set(_keys(tomllib.loads(text)))
    assert all(key[-1] in lines[line - 1] for key, line in found.items() if isinstance(key[-1], str))


def test_lines_of_odd_toml():
    text = """a."b c".d = 1
e = [ # one
  1,
  [2, 3], {f = 'x, ]', g.h = "\\"]"},
]
s = '''
k = 1 ]
'''
t = \"\"\"a \\\""" [
\"\"\"
[u.v]
w = 1979-05-27 07:32:00
[[u.x]]
y = {}
[[u.x]]
y = true
"""
    found = toml_lines.lines(text)
    assert set(found) == set(_keys(tomllib.loads(text)))
    assert [found[key] for key in (("a", "b c", "d"), ("e", 2, "g", "h"), ("s",), ("t",), ("u", "v", "w"))] == [
        1,
        4,
        6,
        9,
        12,
    ]
    assert found["u", "x", 1, "y"] == 16
    assert toml_lines.line_of(found, ("u", "x", 1, "z")) == 15


def _documented():
    return (framework.FOLDER / "README.md").read_text("utf-8").partition("## A framework file")[2]


TABLES = {
    "top level": (framework.Framework,),
    "`[scale]`": (framework.Scale,),
    "`[identifiers]`": (framework.Identifiers,),
    "`[segments]`": (framework.Segments,),
    "`[override]`": (framework.Override,),
    "condition or bracket": (framework.Condition, framework.Bracket),
    "`[average]`": (framework.Average,),
    "`[freshness]`": (framework.Freshness,),
    "`[[domain]]`, `[[group]]`": (framework.Domain, framework.Group),
    "`[[metric]]`": (framework.Metric,),
    "`spread` of a metric": (framework.Spreading,),
    "`[[combined]]`": (framework.Combined,),
    "`[[rule]]`, `[[claim]]`": (framework.Rule, framework.Claim),
}
"""The tables of the documentation by their headings, and what each of them is about."""


def _tables() -> dict[str, dict[str, str]]:
    """Heading: key: default, of each table of the documentation."""
    found: dict[str, dict[str, str]] = {}
    for table in re.findall(r"(?:^\|.*\n)+", _documented(), re.MULTILINE):
        head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
        found[head[0]] = {key: cells[2] for cells in lines for key in re.findall(r"`([a-z_]+)`", cells[0])}
    return found


def test_every_part_of_a_framework_has_its_table():
    assert set(_tables()) == set(TABLES)
    hints = [typing.get_type_hints(kind).values() for kinds in TABLES.values() for kind in kinds]
    stack, seen = [hint for each in hints for hint in each], set()
    while stack:
        hint = stack.pop()
        stack += typing.get_args(hint)
        seen |= {hint} if dataclasses.is_dataclass(hint) else set()
    # A lookup is told in the line of the key unit.
    assert seen - {kind for kinds in TABLES.values() for kind in kinds} == {framework.Lookup}


@pytest.mark.parametrize("heading", TABLES)
def test_every_key_is_documented_with_whether_it_is_needed(heading):
    fields = {field.name: field for kind in TABLES[heading] for field in dataclasses.fields(kind)}
    documented = _tables()[heading]
    assert set(documented) == set(fields)
    for key, default in documented.items():
        free = fields[key].default is dataclasses.MISSING and fields[key].default_factory is dataclasses.MISSING
        assert (default == "needed") == free, key


def test_the_documented_example_is_a_framework(tmp_path):
    (tmp_path / "example.toml").write_text(_documented().partition("```toml")[2].partition("```")[0], "utf-8")
    rules = framework.load(tmp_path / "example.toml")
    assert [metric.model for metric in rules.metric] == ["standard", "rank", "lookup"]


# --- rules that no one may mean ------------------------------------------------------------------------------

EXAMPLE = (framework.FOLDER.parents[1] / "docs" / "example-icb" / "framework.toml").read_text("utf-8")
BRACKETS = "{ at_least = 0, score = 1 }, { above = -0.5, score = 2 }, { above = -1, score = 3 }"


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ('value = "IC0002"', 'value = "IC1001"', 'score = "IC1001"', "'IC1001' stands for a score here and for a value before"),
        ('value = "IC0002"', 'value = "IC1002"', 'score = "IC1002"', "'IC1002' stands for a score here and for a value before"),
        ('score = "IC1002"', 'score = "IC5002"', 'average = "IC5002"', "'IC5002' stands for a result here and for a score"),
        ('segment = "IC4100"', 'segment = "IC4101"', 'segment = "IC4101"', "stands for the segment of a domain here"),
        ('segment = "IC4100"', 'segment = "IC4000"', 'segment = "IC4000"', "the segment of a domain here and for a score"),
        ('average = "IC5002"', 'average = "IC5003"', 'unadjusted_segment = "IC5003"', "stands for a result here and for a"),
        ('short = "Dentistry"', 'short = "Diabetes care"', 'short = "Diabetes care"', "short name 'Diabetes care' is given twice"),
        ('name = "Access to services"', 'name = "Population health"', 'name = "Population health"', "domain name 'Population"),
        ('short = "Dentistry"', 'short = "  "', 'short = "  "', "must not be empty"),
        ('score = "IC1001"', 'score = "IC1\u200b001"', 'score = "IC1', "write it without blanks and hidden signs"),
        ('value = "IC0002"', 'value = "IC 0002"', 'value = "IC 0002"', "write it without blanks and hidden signs"),
        ('average = "IC5002"', 'average = "I\u0421 5002"', 'average = "I', "write it without blanks and hidden signs"),
        ('"Ambulance trust"]', '"ambulance Trusts", "Ambulance trust"]', "trust_types = ", "are one trust type on the command"),
        ("above = -0.5", "above = -1.5", "brackets = ", "this bracket never holds"),
        (BRACKETS, "{ at_most = 5, score = 4 }, { below = 5, score = 2 }", "brackets = ", "this bracket never holds"),
        ("worst = 4", "worst = 1e300", "worst = 1e300", "must be 1000 or less"),
        ("best = 1", "best = -1e9", "best = -1e9", "must be -1000 or more"),
        ("[scale]", "[weights]\naccess = 1e-320\n[scale]", "access = 1e-320", "must be 0, or at least 0.000001"),
        ("[scale]", "[weights]\nacces = 1\n[scale]", "acces = 1", "nearest: access"),
        ("[scale]", "[override]\nsegments_down = 4\n[scale]", "segments_down = 4", "segments_down must be at most 3"),
        ("[scale]", "[freshness]\nmonths = 999999999999999999\n[scale]", "months = 999", "must be 1200 or less"),
        ("floor = 80\n", "", "[[metric]]", "model 'floor' needs the key floor"),
        ("[25, 50, 75]", "[1, 2, 3, 4, 5, 6, 7, 8]", "percentiles = ", "must hold at most 7 of its kind, and holds 8"),
        ("otherwise = 4\n", "", "[[metric]]", "model 'lookup' needs the key otherwise"),
        (f"brackets = [{BRACKETS}]", "brackets = []", "[[metric]]", "model 'lookup' needs the key brackets"),
        ("floor = 80\n", 'floor = 80\nunknown = ["floor"]\n', "[[metric]]", "unknown says that it is not known"),
        ("[scale]", f"a{'.a' * 3000} = 1\n[scale]", None, "nested more than 50 deep"),
        ('text = "Everything in this example is made up."', 'text = "Everything', None, "is not valid TOML"),
    ],
)  # fmt: skip
def test_rules_that_no_one_may_mean(tmp_path, old, new, line, said):
    assert old in EXAMPLE
    (tmp_path / "own.toml").write_text(EXAMPLE.replace(old, new, 1), "utf-8")
    with pytest.raises(InputError) as caught:
        framework.load(tmp_path / "own.toml")
    assert len(str(caught.value).splitlines()) == 1
    lines = (tmp_path / "own.toml").read_text("utf-8").splitlines()
    told = [(problem.row and lines[problem.row - 1], problem.message) for problem in caught.value.problems]
    assert any(said in message and (line is None or at.startswith(line)) for at, message in told), told


def test_brackets_that_do_not_hide_each_other_are_fine(tmp_path):
    new = "{ at_least = 0, score = 1 }, { above = -0.5, score = 2 }, { below = -3, score = 4 }, { at_most = -2, score = 3 }"
    (tmp_path / "own.toml").write_text(EXAMPLE.replace(BRACKETS, new), "utf-8")
    assert len(framework.load(tmp_path / "own.toml").by_score["IC1006"].brackets) == 4


def test_a_matrix_on_a_large_scale_is_refused_at_once(tmp_path):
    messages = problems(tmp_path, ("worst = 4", "worst = 900"))
    assert any("matrix must be 900 by 900" in message for message in messages)
