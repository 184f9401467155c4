"""Framework files: reading them, and what is wrong with one in the words of the file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from nofcore import toml_lines
from nofcore.errors import InputError, Problem
from nofcore.framework.contradictions import ContradictionError, Key
from nofcore.framework.rules import Framework

DEEPEST = 50
"""Tables and lists within each other; rules need six."""


def load(path: Path | str) -> Framework:
    """Read a framework file.

    Raises InputError naming the file, the key and what was expected, for every key that is wrong.
    """
    return parse(read_toml(Path(path), "framework"), str(path))


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a TOML file. InputError if there is none; ``what``: kind of file."""
    try:
        text = path.read_text("utf-8-sig")
        found = tomllib.loads(text)
        _require_shallow(found)
        return found
    except FileNotFoundError:
        message = f"no such {what} file"
    except (OSError, UnicodeDecodeError) as error:
        message = f"cannot be read as UTF-8 text ({error})"
    except (ValueError, RecursionError) as error:  # ValueError: bad TOML, or a number beyond all bounds
        message = f"is not valid TOML: {error}"
    line = re.search(r"at line (\d+), column \d+", message)
    row = int(line[1]) if line else None
    if message.endswith("(at end of document)"):
        row = len(text.splitlines()) or None
    raise InputError(Problem(str(path), row, None, message))


def _require_shallow(content: dict[str, Any]) -> None:
    """Raise ValueError where tables or lists stand deeper in each other than any rules need."""
    level: list[Any] = [content]
    for _ in range(DEEPEST):
        level = [
            inner
            for one in level
            for inner in (one.values() if isinstance(one, dict) else one if isinstance(one, list) else ())
        ]
    if level:
        raise ValueError(f"tables or lists are nested more than {DEEPEST} deep")


def parse(rules: Mapping[str, Any], name: str) -> Framework:
    """A Framework from the content of a TOML file; ``name`` is the file named in errors."""
    try:
        return _adapter().validate_python(as_tuples(rules))
    except ValidationError as error:
        raise InputError(problem(name, rules, one) for entry in error.errors() for one in _each(entry)) from None


def _each(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """An error of pydantic's; of rules that do not fit together one for each contradiction, at its own key."""
    cause = error.get("ctx", {}).get("error")
    if not isinstance(cause, ContradictionError):
        return [error]
    return [{**error, "loc": (*error["loc"], *key), "msg": message} for key, message in cause.found]


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter:
    return TypeAdapter(Framework)


def as_tuples(value: Any) -> Any:
    """TOML arrays as tuples, so that what is loaded cannot be changed later."""
    if isinstance(value, Mapping):
        return {key: as_tuples(entry) for key, entry in value.items()}
    return tuple(as_tuples(entry) for entry in value) if isinstance(value, list) else value


_PLAIN = {
    "unexpected_keyword_argument": "unknown key; remove it or correct its spelling",
    "missing": "is missing",
    "tuple_type": "must be a list",
    "dict_type": "must be a table of names, each with its own; nothing is matched by its position",
    "float_type": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "int_type": "must be a whole number, without quotes",
    "dataclass_type": "must be a table of keys",
    "string_pattern_mismatch": "must be written like '2025/26', and a quarter like 'Q1 2025/26'",
    "bool_type": "must be true or false, without quotes",
    "string_type": "must be text in quotes",
}
"""pydantic's error types in the words of a TOML file."""


def problem(name: str, rules: Mapping[str, Any], error: Mapping[str, Any]) -> Problem:
    key, value = "", rules
    for part in error["loc"]:
        if isinstance(part, int):
            key += f"[{part + 1}]"
            value = value[part] if isinstance(value, list) and part < len(value) else None
            if isinstance(value, Mapping) and (label := value.get("score") or value.get("key")):
                key += f" ({label})"
        else:
            key += f".{part}" if key else str(part)
            value = value.get(part) if isinstance(value, Mapping) else None
    return Problem(name, _line(name, error["loc"]), None, f"key {key}: {said(error)}" if key else said(error))


def _line(name: str, key: Key) -> int | None:
    """The line of a key in a TOML file; None where there is no such file or key, or a pipe, which is read out."""
    try:
        path = Path(name)
        return toml_lines.line_of(toml_lines.lines(path.read_text("utf-8-sig")), key) if path.is_file() else None
    except (OSError, ValueError):
        return None


_BOUNDS = {
    "greater_than": "must be more than {gt:g}",
    "greater_than_equal": "must be {ge:g} or more",
    "less_than": "must be less than {lt:g}",
    "less_than_equal": "must be {le:g} or less",
    "literal_error": "must be {expected}",
    "string_too_short": "must not be empty",
    "too_short": "must hold at least {min_length} of its kind, and holds {actual_length}",
    "too_long": "must hold at most {max_length} of its kind, and holds {actual_length}",
}
"""The same, of errors that name what would be right."""


def said(error: Mapping[str, Any]) -> str:
    """What an error of pydantic's says, in the words of a TOML file."""
    kind = error["type"]
    if kind in _BOUNDS:
        return _BOUNDS[kind].format_map(error["ctx"])
    return _PLAIN.get(kind) or re.sub(r"^Value error, |^Input should be ", _without, error["msg"])


def _without(found: re.Match) -> str:
    return "must be " if found[0].startswith("Input") else ""
