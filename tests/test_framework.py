"""The rules of a year, and what is said of a file that does not hold them."""

import pytest

from nofcore import framework
from nofcore.errors import InputError
from tests import reference

TEXT = (framework.FOLDER / "2025-26.toml").read_text("utf-8")
RULES = framework.for_quarter("Q1 2025/26")


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
    own = load(tmp_path, ('rule = "percentiles"', 'rule = "thresholds"\nthresholds = [1.92, 2.32, 2.77]'))
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
        ("standard = 75", "", "metric[6] (OF1011)", "key standard belongs to model 'standard'"),
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
        ('rule = "percentiles"', 'rule = "thresholds"', "segments", "needs a list of thresholds"),
        ("decimals = 2", "decimals = 3", "scale.decimals", "Input should be 2"),
        ("decimals = 2", "decimals = true", "scale.decimals", "Input should be 2"),
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
    (message,) = problems(tmp_path, (old, new))
    assert said in message


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
