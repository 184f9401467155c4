"""Plain text for people: paragraphs that a page shows, and small matters of grammar."""

from __future__ import annotations

import html
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Text:
    """Paragraphs of plain text that a notebook shows as HTML; the text is escaped."""

    paragraphs: tuple[str, ...]

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(paragraph)}</p>" for paragraph in self.paragraphs)

    def __str__(self) -> str:
        return "\n\n".join(self.paragraphs)


@dataclass(frozen=True)
class Bullets:
    """A list of points, each a bold opening and the rest; the text is escaped."""

    points: tuple[tuple[str, str], ...]
    _list: ClassVar[str] = "ul"

    def _repr_html_(self) -> str:
        items = (
            f"<li><strong>{html.escape(opening)}</strong> {html.escape(rest)}</li>" for opening, rest in self.points
        )
        return f"<{self._list}>{''.join(items)}</{self._list}>"


@dataclass(frozen=True)
class Steps(Bullets):
    """The same for points that follow one another: a numbered list."""

    _list: ClassVar[str] = "ol"


def sentence(text: str) -> str:
    """A note as a sentence: a capital first letter and a full stop."""
    text = capital(text)
    return text if text.endswith((".", "!", "?")) else f"{text}."


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 trust", "3 trusts"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def singular(trust_type: str) -> str:
    """A trust type within a sentence: "Acute trust" -> "acute trust", "Integrated Care Board" -> "integrated care board";
    a word with a capital within it, such as an abbreviation, keeps its case: "NHS trust"."""
    return " ".join(word.lower() if word[1:].islower() or len(word) == 1 else word for word in trust_type.split())


def slug(trust_type: str) -> str:
    """The short name of a trust type on the command line: lower case, hyphens, without "trust"."""
    words = "".join(c if c.isalnum() else " " for c in trust_type.lower()).split()
    return "-".join(word for word in words if word not in {"trust", "trusts"}) or "trust"


def plural(trust_type: str) -> str:
    """ "Acute trust" -> "acute trusts", "ICB" -> "ICBs", "Health body (HB)" -> "health bodies (HB)"; see `singular`."""
    name, bracket, short = singular(trust_type).partition(" (")
    return _with_s(name) + bracket + short


def _with_s(name: str) -> str:
    if name[-1:] == "y" and name[-2:-1].islower() and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    return name if name.endswith("s") else f"{name}s"


def capital(text: str) -> str:
    """A text with a capital first letter; the rest, abbreviations among it, stays: "NHS trusts" and "ICBs" too."""
    return text[:1].upper() + text[1:]


def points(score: float) -> str:
    """A score with 2 decimals, or with as many as it has: 2.7 -> "2.70", 1.935 -> "1.935"."""
    return max(f"{score:.2f}", f"{score:.6g}", key=len)


def organisations(number: int, trust_types: Iterable[str]) -> str:
    """How many there are of some types: "12 trusts", or "12 organisations" where one of the types is no trust by name."""
    return counted(number, "trust" if all("trust" in name.lower() for name in trust_types) else "organisation")


def given(text: str) -> str:
    """A label such as a subtype or region, for people; "not given" where it is blank in the figures."""
    return text or "not given"


def signed(value: float, decimals: int = 2) -> str:
    """A number with its sign, a true minus; no sign where it rounds to 0."""
    text = decimal(value, decimals)
    return f"+{text}" if value > 0 and float(text) else text


def decimal(value: float, decimals: int = 2) -> str:
    """A number with so many decimals; a true minus before it where it is below 0, none where it rounds to 0."""
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


def as_given(value: float) -> str:
    """A number with as many digits as it has, a true minus before it where it is below 0."""
    return f"{value:g}".replace("-", "−")


def shares(low: float, high: float) -> str:
    """Two shares (0 to 1) in per cent without the sign: "35 to 67", or "35" where they are alike; neither 0 nor 100 is
    said of what is not."""
    first, last = _percent(low), _percent(high)
    return first if first == last else f"{first} to {last}"


def _percent(share: float) -> str:
    text = f"{100 * share:.0f}"
    if text == "100" and share < 1:
        return "more than 99"
    return "fewer than 1" if text == "0" and share > 0 else text
