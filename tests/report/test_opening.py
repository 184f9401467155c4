"""What the index says first is true of the organisations and rules that are shown."""

from pathlib import Path

import pytest

from nofcore import framework, release
from nofcore.report import plan
from nofcore.report.opening import opening

EXAMPLE = Path(__file__).parents[2] / "docs" / "example-icb"
Q1 = release.embedded().release("Q1 2025/26")
NEXT = release.embedded().release("Q1 2026/27")


def own(tmp_path, *changes):
    text = (EXAMPLE / "framework.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "boards.toml").write_text(text, "utf-8")
    return framework.load(tmp_path / "boards.toml"), tmp_path / "boards.toml"


@pytest.fixture(scope="module")
def boards():
    return release.read(EXAMPLE / "data", framework.load(EXAMPLE / "framework.toml")).release("Q2 2030/31")


@pytest.mark.parametrize("figures", [Q1, NEXT], ids=["2025/26", "2026/27"])
def test_of_nhs_england_s_rules(figures):
    who, how = opening(figures, framework.for_quarter(figures.quarter), None)
    assert who.startswith(
        "NHS England ranks every NHS trust in England each quarter under the NHS Oversight Framework."
    )
    assert "the average puts a trust into one of four segments" in how
    assert "a trust that reports a deficit, or receives deficit support, is held at segment 3 or worse" in how


def test_of_a_type_beside_the_trusts_that_the_rules_know():
    trusts = NEXT.trusts.assign(trust_type="Integrated care board")
    figures = release.Release(NEXT.quarter, NEXT.observations, trusts, NEXT.league, "", ())
    who, _ = opening(figures, framework.for_quarter(NEXT.quarter), None)
    assert who.startswith("NHS England ranks organisations of the NHS in England")


def test_of_rules_of_one_s_own(tmp_path, boards):
    rules, path = own(tmp_path)
    who, how = opening(boards, rules, path)
    assert who.startswith(
        "These pages rank ambulance trusts and integrated care boards by the rules in boards.toml: Example"
    )
    assert "NHS England" not in who + how and "override" not in how
    assert "the average puts an organisation into one of four segments" in how


@pytest.mark.parametrize(
    ("override", "said"),
    [
        (
            "no_higher_than = 3",
            "an organisation that reports a deficit, or receives deficit support, is held at segment 3",
        ),
        ("segments_down = 1", "is placed 1 segment lower."),
        ('no_higher_than = 2\ntrust_types = ["Ambulance trust"]', "of these types (Ambulance trust)"),
        (
            'no_higher_than = 2\nflag_if = [{ metric = "IC0006", below = 0 }]',
            "that meets a condition of the rules is held",
        ),
    ],
)
def test_of_an_override_of_one_s_own(tmp_path, boards, override, said):
    rules, path = own(tmp_path, ("# No [override]", f"[override]\n{override}\n# No [override]"))
    assert said in opening(boards, rules, path)[1]


def test_of_other_numbers_of_segments(tmp_path, boards):
    for cuts, said in (("[50]", "one of two segments"), ("[10, 20, 30, 40, 50, 60, 70]", "one of eight segments")):
        rules, path = own(tmp_path, ("percentiles = [25, 50, 75]", f"percentiles = {cuts}"))
        assert said in opening(boards, rules, path)[1]


def test_without_rules():
    assert opening(Q1, None, None)[1].startswith("The kit has no rules for 2025/26: published averages and segments")


def test_the_index_carries_it(tmp_path, boards):
    """With rules of another year than the quarter shown, the kit's own are in use, and the index says so."""
    request = plan.Request((), boards, "all", EXAMPLE / "data", EXAMPLE / "framework.toml", tmp_path, 1)
    assert "by the rules in framework.toml" in plan.provenance(request)["opening"][0]
    request = plan.Request((), Q1, "all", None, EXAMPLE / "framework.toml", tmp_path, 1)
    assert plan.provenance(request)["opening"][0].startswith("NHS England ranks every NHS trust")
