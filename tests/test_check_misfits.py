"""How `check` seeks the one score behind many averages that do not follow: it finds it, and does not seek for long."""

from __future__ import annotations

import random

import pytest

from nofcore import reproduce, scoring
from nofcore.checks import misfits
from tests import makers
from tests.makers import Q1, Q2
from tests.test_check import BOTH, changing, checked


def doubled(rows):
    """All rows of a trust once more under a new code."""
    return rows + [row | {"Trust_code": "RZ9", "Trust_name": "New"} for row in rows if row["Trust_code"] == "RRV"]


def thinned(rows):
    """A hundred score rows less."""
    scores = [i for i, row in enumerate(rows) if row["Metric_ID"].startswith("OF1")]
    gone = set(random.Random(3).sample(scores, 100))
    return [row for i, row in enumerate(rows) if i not in gone]


@pytest.mark.parametrize("change", [doubled, thinned])
def test_averages_and_grids_are_made_again_a_few_times_alone(tmp_path, monkeypatch, change):
    """Each time takes some tenths of a second; for every trust that might be behind it, it would be a minute."""
    calls = {"reproduce": 0, "recover": 0}

    def count(module, name):
        make = getattr(module, name)

        def counting(*given):
            calls[name] += 1
            return make(*given)

        monkeypatch.setattr(module, name, counting)

    count(reproduce, "reproduce")
    count(scoring, "recover")
    assert checked(tmp_path / "many", [Q1], makers.TYPES, change, league=False).problems
    assert 1 <= calls["reproduce"] <= misfits.TRIES + 4
    metrics = 40  # 31 in 2025/26, of which some are ranked by type
    assert 1 <= calls["recover"] <= metrics * (misfits.TRIES + 4)


def test_that_no_more_was_sought_is_said(tmp_path):
    found = checked(tmp_path / "many", [Q1], makers.TYPES, doubled, league=False)
    assert any("was not sought further, as too many could be" in note for note in found.not_rederived)


@pytest.mark.parametrize(("code", "new"), [("RLY", "3.23"), ("R1D", "3.23"), ("TAJ", "3.42")])
def test_one_score_behind_many_averages_is_found_without_values_and_ranks(tmp_path, code, new):
    """A score that lies on a grid of more places than the sickness rates of Q2 2025/26 have puts all averages out."""
    change = changing(code, "OF1082", "Value", new)

    def bare(rows):
        rows = [row | {"Rank": ""} for row in rows if not row["Metric_ID"].startswith("OF0")]
        return change(rows)

    (problem,) = checked(tmp_path / "bare", [Q2], BOTH, bare, league=False).problems
    assert (problem.row, problem.column) == (change.row, "Value")
    assert f"OF1082 of {code} (" in problem.message and "no trust can have this score" in problem.message
