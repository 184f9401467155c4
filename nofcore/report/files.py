"""The files beside a page: each table as CSV and all in one workbook, each chart as SVG and PNG."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from nofcore import exhibits
from nofcore.output import escape_text

from .page import Page
from .prose import headings, stem
from .workbook import write_workbook


@dataclass(frozen=True)
class TableFile:
    """``content``: the table, as `nofcore.exhibits.table` gives it."""

    name: str
    text: str
    content: Mapping


@dataclass(frozen=True)
class ChartFiles:
    """``names``: the file of the drawing and that of the image, if there is one."""

    text: str
    alt: str
    names: tuple[str, ...]


@dataclass(frozen=True)
class Files:
    """What a page offers, in the order of the page. ``others``: what each file that the notebook itself wrote holds, by name."""

    tables: tuple[TableFile, ...] = ()
    charts: tuple[ChartFiles, ...] = ()
    workbook: str | None = None
    others: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """All files."""
        own = [self.workbook] if self.workbook else []
        tables = [table.name for table in self.tables]
        return (*own, *tables, *(name for chart in self.charts for name in chart.names), *self.others)


def write_files(notebook, page: Page, headline: Mapping | None, provenance: Mapping, folder: Path) -> Files:
    """Write the files of an executed notebook into a folder, and take what only they need out of its outputs."""
    others = headline["facts"].get("downloads", {}) if headline else {}
    others = dict(others) if isinstance(others, dict) else {name: name for name in others}
    tables, charts, taken = [], [], {name.rpartition(".")[0] for name in others}
    for section, output in _outputs(notebook):
        for content in output.data.pop(exhibits.TABLES, ()):
            name = _free(taken, f"{page.slug}-{stem(content['name'])}")
            tables.append(TableFile(f"{name}.csv", content["caption"], content))
            _write_csv(content, folder / f"{name}.csv")
        if "image/svg+xml" in output.data:
            name = _free(taken, f"{page.slug}-{stem(section or 'chart')}")
            alt = output.metadata.get("image/svg+xml", {}).get("alt", "")
            charts.append(ChartFiles(section or page.title, alt, _write_chart(output, folder, name)))
    workbook = f"{page.slug}.xlsx" if tables else None
    if workbook:
        write_workbook([table.content for table in tables], page, headline, provenance, folder / workbook)
    return Files(tuple(tables), tuple(charts), workbook, others)


def _outputs(notebook) -> Iterator[tuple[str, Mapping]]:
    """Every output with data, with the title of the section it stands in."""
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            section = [section, *headings(cell.source, level=2)][-1]
        for output in cell.get("outputs", []):
            if "data" in output:
                yield section, output


def _free(taken: set[str], name: str) -> str:
    """The name, with a number after it where it is taken."""
    free = next(free for number in count(1) if (free := name if number == 1 else f"{name}-{number}") not in taken)
    taken.add(free)
    return free


def _write_chart(output, folder: Path, name: str) -> tuple[str, ...]:
    (folder / f"{name}.svg").write_text(output.data["image/svg+xml"], encoding="utf-8")
    if "image/png" not in output.data:
        return (f"{name}.svg",)
    (folder / f"{name}.png").write_bytes(base64.b64decode(output.data.pop("image/png")))
    return (f"{name}.svg", f"{name}.png")


def _write_csv(content: Mapping, path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([escape_text(column) for column in content["columns"]])
        held = [column in content["figures"] for column in content["columns"]]
        for row in content["rows"]:
            numbers = [exhibits.figure(cell) if figures else None for cell, figures in zip(row, held, strict=True)]
            writer.writerow([number or escape_text(cell) for number, cell in zip(numbers, row, strict=True)])
