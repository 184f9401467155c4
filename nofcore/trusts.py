"""Which trust a user means: by code, or by a name or a part of it that belongs to one trust alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

import pandas as pd

from nofcore.errors import InputError
from nofcore.release import Archive, Release

EVERY = "all"
LISTED = 6
"""Trusts that an error names at most."""
NOTHING_NEAR = "; give a code such as RJ1, or whole words of a name"
_COMMON = re.compile(r"\b(nhs|foundation|trust|the|and)\b|[^a-z0-9 ]")


def find(figures: Release, wanted: str, archive: Archive | None = None) -> str:
    """The code of a trust of the quarter.

    ``wanted``: its code, its name, or whole words of its name that no other trust's name has together; capitals,
    punctuation, "and", "the" and "NHS Foundation Trust" do not count. InputError with suggestions where it
    is no trust or more than one; ``archive``: to tell of trusts of other quarters.
    """
    names = figures.trusts["trust_name"]
    text = " ".join(str(wanted).split())
    for code in (text, text.upper()):
        if code in names.index:
            return code
    plain = {code: _plain(name) for code, name in names.items()}
    mine = _plain(text)
    same = [code for code, name in plain.items() if mine and name == mine]
    within = same or [code for code, name in plain.items() if mine and set(mine.split()) <= set(name.split())]
    if len(within) == 1:
        return within[0]
    if within:
        raise InputError(
            f"{len(within)} trusts of {figures.quarter} are meant by {text!r}: {_listed(names, within)}; give the code"
        )
    elsewhere = _elsewhere(text, mine, archive)
    raise InputError(f"no trust {text!r} in {figures.quarter}{elsewhere or _near(text, mine, names, plain)}")


def find_all(figures: Release, wanted: Sequence[str], archive: Archive | None = None) -> tuple[str, ...]:
    """The codes of some trusts, each once, in the order given; "all" stands for every trust of the quarter."""
    codes: list[str] = []
    for text in wanted:
        codes += list(figures.trusts.index) if text.strip().lower() == EVERY else [find(figures, text, archive)]
    return tuple(dict.fromkeys(codes))


def _plain(name: str) -> str:
    return " ".join(_COMMON.sub(" ", re.sub("['\u2019]", "", name.lower())).split())


def _listed(names: pd.Series, codes: Sequence[str]) -> str:
    shown = ", ".join(f"{code} ({names[code]})" for code in codes[:LISTED])
    return shown + (f" and {len(codes) - LISTED} more" if len(codes) > LISTED else "")


def _elsewhere(text: str, mine: str, archive: Archive | None) -> str:
    """In which other quarters there is a trust with the code, or one trust alone with the words in its name."""
    if archive is None:
        return ""
    rows = archive.trusts
    meant = rows["trust_code"] == text.upper()
    if mine and not meant.any():
        words = set(mine.split())
        meant = rows["trust_name"].map(lambda name: words <= set(_plain(name).split()))
    found = rows[meant]
    if found["trust_code"].nunique() != 1:
        return ""
    code, name = found.iloc[-1][["trust_code", "trust_name"]]
    return f": {code} ({name}) is only in {', '.join(q for q in archive.quarters if q in set(found['quarter']))}"


def _near(text: str, mine: str, names: pd.Series, plain: dict[str, str]) -> str:
    if not mine:
        return NOTHING_NEAR
    begun = [
        code
        for code, name in plain.items()
        if all(any(word.startswith(part) for word in name.split()) for part in mine.split())
    ]
    by_name = {name: code for code, name in plain.items()}
    codes = begun + ([by_name[name] for name in get_close_matches(mine, by_name, 3, 0.6)] if len(mine) > 3 else [])
    codes += get_close_matches(text.upper(), list(names.index), 3, 0.6)
    words = {word for name in plain.values() for word in name.split()}
    for word in mine.split():
        near = get_close_matches(word, words, 1, 0.75) if len(word) > 3 else []
        codes += [code for code, name in plain.items() if near and near[0] in name.split()]
    codes = list(dict.fromkeys(codes))[:LISTED]
    if not codes:
        return NOTHING_NEAR
    return f"; the nearest: {_listed(names, codes)}"
