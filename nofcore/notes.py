"""Notes on how figures came about: text for a reader that also says what it is about.

A note is a text like any other; pages that must tell one from another ask `is_routine` and `concerns` and
never look into the words. Plain text counts as a note that everyone must read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

ROUTINE, NO_SEGMENTS, NO_RANKS = "routine", "no segments", "no ranks"
"""What any change of rules brings (other scores, averages, cut-offs); why a type has no segments; who has no rank."""

NOT_MADE = "not made"
"""What could not be made from other figures, and why."""


class Note(str):
    """A note. ``kind``: "" for any other; ``trust_types``: those it speaks of, empty for all."""

    kind: str
    trust_types: frozenset[str]

    def __new__(
        cls,
        text: str,
        kind: Literal["", "routine", "no segments", "no ranks", "not made"] = "",
        trust_types: Iterable[str] = (),
    ):
        note = super().__new__(cls, text)
        note.kind, note.trust_types = kind, frozenset(trust_types)
        return note


def worded(note: str, text: str) -> str:
    """Another text about the same."""
    return Note(text, note.kind, note.trust_types) if isinstance(note, Note) else text


def not_made(note: str) -> bool:
    """Whether a note says what could not be made again, and why."""
    return isinstance(note, Note) and note.kind in (NOT_MADE, NO_SEGMENTS, NO_RANKS)


def is_routine(note: str) -> bool:
    """Whether a note only says what any change of rules brings."""
    return isinstance(note, Note) and note.kind == ROUTINE


def concerns(note: str, trust_type: str) -> bool:
    """Whether a note speaks of a trust type: of this one, or of all."""
    return not isinstance(note, Note) or not note.trust_types or trust_type in note.trust_types


def why_no_segments(notes: Iterable[str], trust_type: str) -> str:
    """Why a trust type has no segments, as far as notes say so; "" where none does."""
    mine = (note for note in notes if isinstance(note, Note) and note.kind == NO_SEGMENTS)
    return "; ".join(note for note in mine if trust_type in note.trust_types)
