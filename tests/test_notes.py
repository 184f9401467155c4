"""Notes: text that says what it is about, on the embedded figures."""

import pickle

import pytest

from nofcore import framework, league, notes, release, scenarios, sensitivity
from nofcore.notes import NO_RANKS, NO_SEGMENTS, ROUTINE, Note
from tests.makers import Q1, Q2

ACUTE, AMBULANCE = "Acute trust", "Ambulance trust"


def test_a_note_is_text_and_keeps_what_it_is_about():
    note = pickle.loads(pickle.dumps(Note("of acute trusts", NO_RANKS, [ACUTE])))
    assert (note, note.kind, note.trust_types) == ("of acute trusts", NO_RANKS, {ACUTE})
    assert notes.concerns(note, ACUTE)
    assert not notes.concerns(note, AMBULANCE)
    assert notes.concerns("plain text", AMBULANCE)
    assert not notes.is_routine("plain text")


@pytest.mark.parametrize(
    ("key", "routine"),
    [("z-scores", {"scored again from", "segment cut-offs", "rebuilt averages"}), ("median", {"segment cut-offs", "rebuilt averages"})],
)  # fmt: skip
def test_what_any_change_of_rules_brings_is_routine(key, routine):
    (scenario,) = [one for one in scenarios.shipped() if one.key == key]
    figures = release.embedded().release(Q1)
    table = league.build(figures, scenarios.apply(framework.for_quarter(Q1), scenario))
    found = [note for note in table.notes if notes.is_routine(note)]
    assert len(found) == len(routine)
    assert all(any(words in note for note in found) for words in routine)


def test_why_a_type_has_no_segments_is_told_of_it_alone():
    """The flags of acute trusts are not published in the figures held of Q2 2025/26, and the stricter rule needs them."""
    (down,) = [one for one in scenarios.shipped() if one.key == "one-segment-down"]
    figures = release.embedded().release(Q2)
    (outcome,) = sensitivity.compare(figures, framework.for_quarter(Q2), [down]).outcomes
    told = [note for note in outcome.table.notes if isinstance(note, Note) and note.kind in (NO_SEGMENTS, NO_RANKS)]
    assert {note.trust_types for note in told} == {frozenset({ACUTE})}
    assert "not segmented" in notes.why_no_segments(told, ACUTE)
    assert notes.why_no_segments(told, AMBULANCE) == ""
    assert ROUTINE not in {note.kind for note in told}
    assert outcome.why_not(ACUTE) == notes.why_no_segments(told, ACUTE)
