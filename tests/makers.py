"""Files in NHS England's official format, made from the embedded tables with the csv module alone.

Nothing of the package is used here, so that a test that reads such a file back compares two things
that were made apart from each other.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).parent.parent / "nofcore" / "data"
ACUTE = "Acute trust"
AMBULANCE = "Ambulance trust"
COMMUNITY = "Mental health and community trust"
TYPES = (ACUTE, AMBULANCE, COMMUNITY)
Q1 = "Q1 2025/26"
Q2 = "Q2 2025/26"
Q3 = "Q3 2025/26"
Q4 = "Q4 2025/26"

DATA_HEADER = [
    "Quarter", "Region", "Trust_type", "Trust_subtype", "Trust_code", "Trust_name", "Domain", "Sub-domain", "Metric_ID",
    "Metric_description", "Reporting_date", "Units", "Value", "Median_value", "Lower_quartile", "Upper_quartile",
    "Rank",
]  # fmt: skip
LEAGUE_HEADER = [
    "Quarter", "Region", "Trust_type", "Trust_subtype", "Trust_code", "Trust_name", "Average_score",
    "Likely_range_of_average_score", "Segment", "Trust_in_financial_deficit", "Rank", "Likely_range_of_rank",
]  # fmt: skip

Row = dict[str, str]


@lru_cache
def table(name: str) -> tuple[Row, ...]:
    """An embedded table as it stands in its file: all text."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as handle:
        return tuple(csv.DictReader(handle))


@lru_cache
def _of(name: str, quarters: tuple[str, ...]) -> tuple[Row, ...]:
    return tuple(row for row in table(name) if row["quarter"] in quarters)


@lru_cache
def _trusts() -> dict[tuple[str, str], Row]:
    return {(row["quarter"], row["trust_code"]): row for row in table("trusts")}


@lru_cache
def _metrics() -> dict[tuple[str, str], Row]:
    return {(row["framework"], row["metric_id"]): row for row in table("metrics")}


def _attributes(row: Row) -> Row:
    trust = _trusts()[row["quarter"], row["trust_code"]]
    return {
        "Quarter": row["quarter"],
        "Region": trust["region"],
        "Trust_type": trust["trust_type"],
        "Trust_subtype": trust["trust_subtype"],
        "Trust_code": row["trust_code"],
        "Trust_name": trust["trust_name"],
    }


def data_rows(quarters=(Q1,), types=TYPES, codes=None, metrics=None) -> list[Row]:
    """Rows of a data file: those of some quarters and types, or only some trusts or metrics of them."""
    found = []
    for row in _of("observations", tuple(quarters)):
        typed = _trusts()[row["quarter"], row["trust_code"]]["trust_type"] in types
        chosen = typed and (codes is None or row["trust_code"] in codes)
        if chosen and (metrics is None or row["metric_id"] in metrics):
            about = _metrics().get((row["quarter"][3:], row["metric_id"]), {})
            found.append(
                _attributes(row)
                | {
                    "Domain": about.get("domain", ""),
                    "Sub-domain": about.get("sub_domain", ""),
                    "Metric_ID": row["metric_id"],
                    "Metric_description": about.get("description", "") + "\N{NO-BREAK SPACE}",
                    "Reporting_date": row["period"],
                    "Units": row["unit"],
                    "Value": row["value"],
                    "Rank": row["rank"],
                }
            )
    return found


def league_rows(quarters=(Q1,), types=TYPES, codes=None) -> list[Row]:
    """Rows of a league-table file: those of some quarters and types, or only some trusts of them."""
    found = []
    for row in _of("league_tables", tuple(quarters)):
        if row["trust_type"] in types and (codes is None or row["trust_code"] in codes):
            flag = {"1": "Yes", "0": "No"}.get(row["in_deficit"].removesuffix(".0"), "")
            found.append(
                _attributes(row)
                | {
                    "Average_score": row["average_score"],
                    "Likely_range_of_average_score": _range(row, "score"),
                    "Segment": row["segment"],
                    "Trust_in_financial_deficit": flag,
                    "Rank": row["rank"],
                    "Likely_range_of_rank": _range(row, "rank"),
                }
            )
    return found


def _range(row: Row, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{low} to {high}" if low else ""


def content(
    rows: Iterable[Row],
    header: list[str] | None = None,
    *,
    quarter_column: bool = True,
    bom: bool = True,
    newline: str = "\r\n",
    percent: str = "%",
    north_east: str = "North East and Yorkshire",
    decimal_ranks: bool = False,
    shuffle: int | None = None,
) -> bytes:
    """The bytes of a file with these rows, spelt in one of the ways that NHS England's files are spelt.

    ``percent`` and ``north_east``: how to write the unit and the region; ``decimal_ranks``: segments
    and ranks as "1.0"; ``shuffle``: seed of a random order of the rows.
    """
    rows = [dict(row) for row in rows]
    header = header or (DATA_HEADER if "Metric_ID" in rows[0] else LEAGUE_HEADER)
    if shuffle is not None:
        random.Random(shuffle).shuffle(rows)
    for row in rows:
        row["Region"] = row["Region"].replace("North East and Yorkshire", north_east)
        row["Units"] = percent if row.get("Units") == "%" else row.get("Units", "")
        if decimal_ranks:
            row |= {name: _decimal(row[name]) for name in ("Rank", "Segment") if name in row}
    text = io.StringIO()
    columns = [name for name in header if quarter_column or name != "Quarter"]
    writer = csv.DictWriter(text, columns, restval="", extrasaction="ignore", lineterminator=newline)
    writer.writeheader()
    writer.writerows(rows)
    return (b"\xef\xbb\xbf" if bom else b"") + text.getvalue().encode()


def _decimal(number: str) -> str:
    return f"{float(number):.1f}" if number else number


def write(path: Path, rows: Iterable[Row], **options) -> Path:
    """Write a file with `content`."""
    path.write_bytes(content(rows, **options))
    return path
