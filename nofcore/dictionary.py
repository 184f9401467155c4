"""What each column means in the files that the kit writes: the data dictionary, read from ``data/dictionary.toml``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from nofcore import release
from nofcore.errors import InputError
from nofcore.framework import STRICT, Text, as_tuples, problem, read_toml


@dataclass(frozen=True, config=STRICT)
class Column:
    """A column, or several of one kind: then ``pattern`` is a regular expression that fits the whole of their names."""

    name: Text
    meaning: Text
    unit: Text
    pattern: Text | None = None

    @model_validator(mode="after")
    def _pattern_compiles(self):
        try:
            re.compile(self.pattern or "")
        except re.error as error:
            raise ValueError(f"pattern is not a regular expression: {error}") from None
        return self

    def fits(self, name: str) -> bool:
        """Whether a column with this name is meant."""
        return name == self.name if self.pattern is None else bool(re.fullmatch(self.pattern, name))


@dataclass(frozen=True, config=STRICT)
class File:
    """A kind of file; ``key``: the command, or the ending of the name of a download."""

    key: Text
    title: Text
    rows: Text
    column: Annotated[tuple[Column, ...], Field(min_length=1)]

    def find(self, name: str) -> Column | None:
        """What a column of the file means: the one that bears the name before those that fit by pattern."""
        found = sorted((column for column in self.column if column.fits(name)), key=lambda c: c.pattern is not None)
        return found[0] if found else None


@dataclass(frozen=True, config=STRICT)
class _Dictionary:
    file: Annotated[tuple[File, ...], Field(min_length=1)]


@lru_cache(maxsize=1)
def files() -> tuple[File, ...]:
    """Every kind of file that the kit writes as CSV. InputError naming the key if the dictionary is not well formed."""
    path = release.FOLDER / "dictionary.toml"
    content = read_toml(path, "dictionary")
    try:
        return TypeAdapter(_Dictionary).validate_python(as_tuples(content)).file
    except ValidationError as error:
        raise InputError(problem(path.name, content, entry) for entry in error.errors()) from None
