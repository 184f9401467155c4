"""What becomes of averages, segments and ranks when values change: slow, simple, in exact fractions.

Built on `tests.reference` alone. The start is the published scores; a changed metric is scored in its
whole pool before and after, and the difference is added. Equal values stand in the order of their
published scores; a changed value that equals others shares the best place among them.
"""

import csv
from collections import defaultdict
from fractions import Fraction
from functools import lru_cache

from tests import reference
from tests.makers import DATA, Q1

CUTS = (205, 232, 260)
"""Cut-offs of Q1 2025/26 in hundredths: 2.05, 2.32 and 2.60."""
SPREAD = {"OF0" + key for key, metric in reference.METRICS.items() if metric.model in ("rank", "standard", "floor")}
LOOKED_UP = {"OF0079", "OF0081"}


class WhatIf:
    """``rows``: of `reference.read_rows`; ``flags``: trusts under the override; ``cuts``: in hundredths."""

    def __init__(self, rows, types, flags, cuts, quarter):
        self.types, self.flags, self.cuts, self.quarter = types, flags, cuts, quarter
        self.rows = defaultdict(list)
        for row in rows:
            if row["metric_id"] in SPREAD | LOOKED_UP:
                self.rows[row["metric_id"]].append(dict(row))
        self.start = reference.recover_scores(rows, types, quarter)
        published = {(row["trust_code"], row["metric_id"]): row["value"] for row in rows}
        for value_id, mine in self.rows.items():
            self._put_in_order(value_id, mine, published)
        self.baseline = {value_id: self.scores(value_id, mine) for value_id, mine in self.rows.items()}
        self.items = defaultdict(dict)
        for (code, score_id), score in self.start.items():
            self.items[code][code, score_id] = score
        self.averages = {code: reference.mean_of_items(mine, code) for code, mine in self.items.items()}
        self.averages = {code: average for code, average in self.averages.items() if average is not None}
        self.segments, self.ranks = self.league(self.averages)

    def pool(self, value_id, row):
        if value_id in LOOKED_UP or (value_id in reference.COUNTED_INFECTIONS and row["unit"] == "count"):
            return None
        return self.types[row["trust_code"]] if reference.METRICS[value_id[3:]].pool == "type" else "all"

    def _put_in_order(self, value_id, mine, published):
        """Write the published order of equal values into their rank: by score, else by Rank, else none."""
        clusters = defaultdict(list)
        for row in mine:
            clusters[self.pool(value_id, row), row["value"]].append(row)
        for rows in clusters.values():
            scores = [published.get((row["trust_code"], "OF1" + value_id[3:])) for row in rows]
            ranks = [row["rank"] for row in rows]
            if None not in scores:
                ranks = scores
            for row, rank in zip(rows, ranks, strict=True):
                row["rank"] = 0 if None in ranks else rank

    def scores(self, value_id, rows):
        """{trust: score} of one metric, as it enters the average."""
        found = reference.score_one_metric(value_id, rows, self.types, use_rank=True)
        rounded = "OF1" + value_id[3:] in reference.ROUNDED_FIRST.get(self.quarter, ())
        return {
            row["trust_code"]: Fraction(reference.hundredths(score), 100) if rounded else score
            for row, score, _ in found
        }

    def changed_rows(self, value_id, new, together=False):
        """Rows of a metric in which the trusts named in ``new`` have other values."""
        rows = [dict(row) for row in self.rows[value_id]]
        for row in rows:
            code = row["trust_code"]
            if code in new and new[code] != row["value"]:
                row["value"] = new[code]
                pool = self.pool(value_id, row)
                equals = [
                    other["rank"]
                    for other in self.rows[value_id]
                    if other["value"] == new[code] and self.pool(value_id, other) == pool
                ]
                if not together:
                    row["rank"] = min(equals, default=0)
        return rows

    def __call__(self, changes, together=False):
        """(averages, segments, ranks, {(trust, value_id): own score}) after {value_id: {trust: new value}}.

        ``together``: all trusts change, and keep their order among equals.
        """
        scores, own = dict(self.start), {}
        after = {}
        for value_id, new in changes.items():
            now = self.scores(value_id, self.changed_rows(value_id, new, together))
            after[value_id] = now
            for code, score in now.items():
                key = (code, "OF1" + value_id[3:])
                if code in new:
                    own[code, value_id] = score
                if key in scores:
                    scores[key] += score - self.baseline[value_id][code]
        if LOOKED_UP & set(changes):
            self._combine(scores, after)
        averages = dict(self.averages)
        touched = {code for (code, score_id), score in scores.items() if score != self.start[code, score_id]}
        for code in touched:
            mine = {key: scores[key] for key in self.items[code]}
            averages[code] = reference.mean_of_items(mine, code)
        return averages, *self.league(averages), own

    def _combine(self, scores, after):
        """The combined finance score, where both of its parts have values."""
        if not set(self.baseline) >= LOOKED_UP:
            return

        def matrix(plan, variance):
            return reference.FINANCE_MATRIX[int(plan) - 1][int(variance) - 1]

        both = [self.baseline[value_id] for value_id in sorted(LOOKED_UP)]
        now = [after.get(value_id, self.baseline[value_id]) for value_id in sorted(LOOKED_UP)]
        for code in both[0].keys() & both[1].keys():
            if (code, "OF1080") in scores:
                before = matrix(both[0][code], both[1][code])
                scores[code, "OF1080"] += matrix(now[0][code], now[1][code]) - before

    def league(self, averages, cuts=None):
        unadjusted = {code: reference.segment(average, cuts or self.cuts) for code, average in averages.items()}
        segments = {code: reference.adjusted_segment(unadjusted[code], code in self.flags) for code in averages}
        return segments, reference.league_ranks(segments, averages, self.types)


@lru_cache
def published() -> dict[str, dict[str, str]]:
    """Rows of the published league table of Q1 2025/26 by trust."""
    with (DATA / "league_tables.csv").open(encoding="utf-8", newline="") as file:
        return {row["trust_code"]: row for row in csv.DictReader(file) if row["quarter"] == Q1}


@lru_cache
def first_quarter() -> WhatIf:
    """The figures of Q1 2025/26."""
    rows = reference.read_rows(DATA / "observations.csv", Q1)
    flags = {code for code, row in published().items() if float(row["in_deficit"]) == 1}
    return WhatIf(rows, reference.read_trust_types(DATA / "trusts.csv", Q1), flags, CUTS, Q1)
