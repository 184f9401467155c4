"""A slow and simple implementation of the NHS Oversight Framework rules of 2025/26, for use in tests only.

It shares no code with the package and reads no framework file: the rules are typed in below from NHS
England's methodology manual (tagged "manual") and from what was found in the published data (tagged
"data"). Everything is plain loops over exact fractions. Averages are whole hundredths (2.05 is 205), so that
comparisons with cut-offs are exact.

A row is a dict with quarter, trust_code, metric_id, unit, value (a Fraction) and rank (an int, or None where
it is not published). trust_types maps a trust code to its type. One call deals with the rows of one quarter.
"""

import csv
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

MISSING = {"", "*", "-", "n/a", "<5"}
HALF = Fraction(1, 2)
LARGEST_POOL = 300


@dataclass(frozen=True)
class Metric:
    """How one metric is scored: its domain, better direction, model, standard or floor (mark), and pool."""

    domain: str
    better: str = "high"
    model: str = "rank"
    mark: Fraction | None = None
    pool: str = "all"


ACCESS, SAFETY, FINANCE, PEOPLE, EFFECT = "OF4000", "OF4002", "OF4003", "OF4004", "OF4005"

# Keyed by the last three digits, which pair a value (OF0nnn) with its score (OF1nnn). Standards, pools: data.
METRICS = {
    "003": Metric(ACCESS, "low", "standard", Fraction(1)),
    "023": Metric(ACCESS, "high"),
    "106": Metric(ACCESS, "high", "standard", Fraction(0)),
    "005": Metric(ACCESS, "low"),
    "010": Metric(ACCESS, "high", "standard", Fraction(80)),
    "011": Metric(ACCESS, "high", "standard", Fraction(75)),
    "013": Metric(ACCESS, "high", "standard", Fraction(78)),
    "014": Metric(ACCESS, "low"),
    "017": Metric(ACCESS, "low", "standard", Fraction(30)),
    "041": Metric(ACCESS, "high"),
    "025": Metric(EFFECT, "low"),
    "063": Metric(EFFECT, "low"),
    "028": Metric(EFFECT, "low"),
    "057": Metric(EFFECT, "high", "floor", Fraction(70)),
    "047": Metric(EFFECT, "high"),
    "035": Metric(EFFECT, model="published"),
    "046": Metric(EFFECT, model="published"),
    "069": Metric(EFFECT, model="published"),
    "020": Metric(SAFETY, "low", "standard", Fraction(0)),
    "048": Metric(SAFETY, "low", "standard", Fraction(1)),
    "088": Metric(SAFETY, "low", "standard", Fraction(1)),
    "061": Metric(SAFETY, "high", pool="type"),
    "067": Metric(SAFETY, model="published"),
    "016": Metric(SAFETY, "high"),
    "082": Metric(PEOPLE, "low"),
    "084": Metric(PEOPLE, "high", pool="type"),
    "079": Metric(FINANCE, "high", "lookup"),
    "081": Metric(FINANCE, "high", "lookup"),
    "080": Metric(FINANCE, model="published"),  # combined from 079 and 081 where those values are known
    "085": Metric(FINANCE, "high"),
    "086": Metric(FINANCE, "low"),
}
INFECTIONS = ("OF1020", "OF1048", "OF1088")
COUNTED_INFECTIONS = ("OF0048", "OF0088")
NOT_AVERAGED = ("OF1079", "OF1081")
# Rows: score of the planned surplus or deficit; columns: score of the variance to plan (data).
FINANCE_MATRIX = ((1, 1, 2, 3), (2, 2, 3, 4), (2, 3, 3, 4), (2, 3, 4, 4))
# Scores that entered the averages of this one quarter already rounded to 2 decimals (data).
ROUNDED_FIRST = {
    "Q1 2025/26": ["OF1" + x for x in ("003", "005", "013", "014", "016", "023", "025", "061", "063", "106")],
}


def parse_number(text):
    """An exact Fraction, or None for a mark of suppression or absence; any other text is an error."""
    text = text.strip()
    return None if text.lower() in MISSING else Fraction(text)


def read_rows(path, quarter):
    """The rows of one quarter of observations.csv that carry a value."""
    rows = []
    with Path(path).open(encoding="utf-8-sig", newline="") as handle:
        for line in csv.DictReader(handle):
            value = parse_number(line["value"])
            if line["quarter"] != quarter or value is None:
                continue
            rank = parse_number(line["rank"])
            row = {name: line[name] for name in ("quarter", "trust_code", "metric_id", "unit")}
            rows.append({**row, "value": value, "rank": None if rank is None else int(rank)})
    return rows


def read_trust_types(path, quarter):
    """{trust code: type} of one quarter of trusts.csv (a trust's attributes belong to a quarter)."""
    with Path(path).open(encoding="utf-8-sig", newline="") as handle:
        return {x["trust_code"]: x["trust_type"] for x in csv.DictReader(handle) if x["quarter"] == quarter}


def hundredths(number):
    """Rounded half up to 2 decimals, as a whole number of hundredths (data)."""
    return math.floor(number * 100 + HALF)


def scored_metric(metric_id, first_digit):
    """The rules of a value ("0") or score ("1") identifier, or None if it is not a scored metric."""
    return METRICS.get(metric_id[3:]) if metric_id.startswith("OF" + first_digit) else None


def meets(metric, value):
    """Whether a value meets the standard or floor; meeting it exactly is enough (data)."""
    return value >= metric.mark if metric.better == "high" else value <= metric.mark


def lookup_score(value_id, value):
    """The brackets of the two finance metrics and of infections published as a count (data)."""
    if value_id == "OF0079":
        return 1 if value >= 0 else 2 if value > -1 else 3 if value > -2 else 4
    if value_id == "OF0081":
        return 1 if value >= 0 else 2 if value > -HALF else 3 if value > -1 else 4
    return 1 if value <= 0 else 2 if value <= 1 else 3 if value <= 2 else 4


def spread_limits(metric):
    """Best and worst score of the trusts that are spread by rank (manual: the models; data: their limits)."""
    return {"rank": (1, 4), "standard": (2, 4), "floor": (1, 3)}[metric.model]


def order(metric, row, other, trust_types, use_rank):
    """-1 if other is better than row, 1 if worse, 0 if a true tie, None if the figures leave it open.

    Equal published values of one type are ordered by the published rank, which ranks unrounded values (data).
    """
    if other["value"] != row["value"]:
        return -1 if (other["value"] > row["value"]) == (metric.better == "high") else 1
    same_type = trust_types[row["trust_code"]] == trust_types[other["trust_code"]]
    if not (use_rank and same_type) or row["rank"] is None or other["rank"] is None:
        return None
    return (other["rank"] > row["rank"]) - (other["rank"] < row["rank"])


def spread_scores(metric, rows, trust_types, use_rank):
    """[(row, score, open)]: linear in rank between the limits, ties at the minimum rank (manual).

    Equal published values stand in the order of their published ranks, where every one of them has a rank;
    between types that is a convention, since ranks run within type, and the place is reported as open. A lone
    trust gets the best score (a definition; not in the data).
    """
    lo, hi = spread_limits(metric)
    result = []
    for row in rows:
        others = [order(metric, row, other, trust_types, use_rank) for other in rows if other is not row]
        equals = [other for other in rows if other["value"] == row["value"]]
        rank = 1 + sum(
            other["value"] != row["value"] and order(metric, row, other, trust_types, use_rank) == -1 for other in rows
        )
        if use_rank and all(other["rank"] is not None for other in equals):
            rank += sum(other["rank"] < row["rank"] for other in equals)
        share = Fraction(rank - 1, len(rows) - 1) if len(rows) > 1 else Fraction(0)
        result.append((row, lo + (hi - lo) * share, None in others))
    return result


def score_one_metric(value_id, rows, trust_types, use_rank):
    """[(row, score, open)] of all trusts with a value of one metric."""
    metric = METRICS[value_id[3:]]
    result, pools = [], {}
    for row in rows:
        counted = value_id in COUNTED_INFECTIONS and row["unit"] == "count"
        if metric.model == "lookup" or counted:  # counted infections stay out of the pool of the rates (data)
            result.append((row, Fraction(lookup_score(value_id, row["value"])), False))
        elif metric.model == "standard" and meets(metric, row["value"]):
            result.append((row, Fraction(1), False))
        elif metric.model == "floor" and not meets(metric, row["value"]):
            result.append((row, Fraction(4), False))
        else:
            name = trust_types[row["trust_code"]] if metric.pool == "type" else "all"
            pools.setdefault(name, []).append(row)
    for pool in pools.values():
        result.extend(spread_scores(metric, pool, trust_types, use_rank))
    return result


def scores_from_values(observations, trust_types, use_rank=True):
    """{(trust, score id): (score, open)} for every score that can be worked out from published values.

    open is True where another trust of the spread part has the same published value and the order between
    the two is not known. Score-only metrics are left out; combined finance (OF1080) is included.
    """
    by_metric = {}
    for row in observations:
        metric = scored_metric(row["metric_id"], "0")
        if metric is not None and metric.model != "published" and row["value"] is not None:
            by_metric.setdefault(row["metric_id"], []).append(row)
    scores = {}
    for value_id, rows in by_metric.items():
        for row, score, is_open in score_one_metric(value_id, rows, trust_types, use_rank):
            scores[row["trust_code"], "OF1" + value_id[3:]] = (score, is_open)
    for trust, score_id in list(scores):
        if score_id == "OF1079" and (trust, "OF1081") in scores:
            plan, variance = int(scores[trust, "OF1079"][0]), int(scores[trust, "OF1081"][0])
            scores[trust, "OF1080"] = (Fraction(FINANCE_MATRIX[plan - 1][variance - 1]), False)
    return scores


def scores_to_average(recomputed, observations, quarter, rounded_first=True):
    """{(trust, score id): score}: the recomputed scores, with the published ones of the score-only metrics.

    With rounded_first the scores that entered the quarter's averages already rounded are rounded here (data).
    """
    scores = {}
    for row in observations:
        metric = scored_metric(row["metric_id"], "1")
        if metric is not None and metric.model == "published" and row["value"] is not None:
            scores[row["trust_code"], row["metric_id"]] = row["value"]
    for key, (score, _) in recomputed.items():
        rounded = rounded_first and key[1] in ROUNDED_FIRST.get(quarter, ())
        scores[key] = Fraction(hundredths(score), 100) if rounded else score
    return scores


def grid(metric, size):
    """All unrounded scores a spread part of this size can give."""
    lo, hi = spread_limits(metric)
    return [lo + Fraction((hi - lo) * k, size - 1) for k in range(size)] if size > 1 else [Fraction(lo)]


def smallest_grid(metric, published):
    """The smallest grid, not below the trusts seen, that holds every published score; or None (data)."""
    wanted = {hundredths(score) for score in published}
    for size in range(len(published), LARGEST_POOL + 1):
        points = grid(metric, size)
        if wanted <= {hundredths(point) for point in points}:
            return points
    return None


def recover_pool(metric, rows):
    """{(trust, score id): unrounded score} of one spread part; without one clear grid value, as published."""
    points = smallest_grid(metric, [row["value"] for row in rows])
    result = {}
    for row in rows:
        fits = [point for point in points or [] if hundredths(point) == hundredths(row["value"])]
        result[row["trust_code"], row["metric_id"]] = fits[0] if len(fits) == 1 else row["value"]
    return result


def recover_scores(score_rows, trust_types, quarter):
    """{(trust, score id): the score as it entered the averages} from the published 2-decimal scores.

    Scores fixed by a standard, a floor or a lookup are exact already. Scores that were rounded first in this
    quarter keep their 2 decimals. Value rows should be among the rows where there are any: their only use is
    to show which infections were scored by count and so stay out of the grid of the rates.
    """
    counted = set()
    for row in score_rows:
        if row["metric_id"] in COUNTED_INFECTIONS and row["unit"] == "count":
            counted.add((row["trust_code"], "OF1" + row["metric_id"][3:]))
    scores, pools = {}, {}
    for row in score_rows:
        metric, key = scored_metric(row["metric_id"], "1"), (row["trust_code"], row["metric_id"])
        if metric is None or row["value"] is None:
            continue
        fixed = {"standard": Fraction(1), "floor": Fraction(4)}.get(metric.model)
        if metric.model in ("lookup", "published") or key in counted or row["value"] == fixed:
            scores[key] = row["value"]
        else:
            pool = trust_types[row["trust_code"]] if metric.pool == "type" else "all"
            pools.setdefault((row["metric_id"], pool), []).append(row)
    for (score_id, _), rows in pools.items():
        if score_id in ROUNDED_FIRST.get(quarter, ()):
            scores.update({(row["trust_code"], score_id): row["value"] for row in rows})
        else:
            scores.update(recover_pool(METRICS[score_id[3:]], rows))
    return scores


def items(scores, trust, domain=None):
    """The items of an average: each score once, the infections present as one item, their mean (manual)."""
    found, infections = [], []
    for (code, score_id), score in scores.items():
        if code != trust or score_id in NOT_AVERAGED or domain not in (None, METRICS[score_id[3:]].domain):
            continue
        (infections if score_id in INFECTIONS else found).append(score)
    return found + ([sum(infections) / len(infections)] if infections else [])


def mean_of_items(scores, trust, domain=None):
    """Mean of unrounded scores at equal weights, rounded half up to hundredths (data); None if no items."""
    values = items(scores, trust, domain)
    return hundredths(sum(values) / len(values)) if values else None


def averages(scores):
    """{trust: average metric score in hundredths}."""
    found = {trust: mean_of_items(scores, trust) for trust in {code for code, _ in scores}}
    return {trust: average for trust, average in found.items() if average is not None}


def domain_scores(scores):
    """{(trust, domain id): domain score in hundredths}, the mean of the domain's items (data)."""
    keys = {(trust, METRICS[score_id[3:]].domain) for trust, score_id in scores}
    found = {key: mean_of_items(scores, *key) for key in keys}
    return {key: score for key, score in found.items() if score is not None}


def quartiles(values):
    """The three linear-interpolated quartiles of all types together, as unrounded Fractions (data)."""
    ordered, result = sorted(values), []
    for quarter in (1, 2, 3):
        position = Fraction(quarter * (len(ordered) - 1), 4)
        below = math.floor(position)
        above = min(below + 1, len(ordered) - 1)
        result.append(ordered[below] + (position - below) * (ordered[above] - ordered[below]))
    return tuple(result)


def segment(average, cut_offs):
    """Unadjusted segment: at or below the first cut-off 1, the second 2, the third 3, else 4 (data)."""
    return 1 + sum(1 for cut_off in cut_offs if average > cut_off)


def domain_segments(scores_of_domains):
    """{(trust, domain id): segment}: the same quartile rule in each domain (data)."""
    result = {}
    for trust, domain in scores_of_domains:
        cut_offs = quartiles([score for (_, other), score in scores_of_domains.items() if other == domain])
        result[trust, domain] = segment(scores_of_domains[trust, domain], cut_offs)
    return result


def adjusted_segment(unadjusted, flagged):
    """Financial override: a flagged trust in segment 1 or 2 is placed in 3 (manual)."""
    return max(unadjusted, 3) if flagged else unadjusted


def ranks(keys, trust_types):
    """{trust: minimum rank within its type}, by counting the trusts of the type with a smaller key."""
    result = {}
    for trust, key in keys.items():
        rivals = [other for code, other in keys.items() if trust_types[code] == trust_types[trust]]
        result[trust] = 1 + sum(1 for other in rivals if other < key)
    return result


def average_ranks(average_of, trust_types):
    """Rank within type on the average alone (data)."""
    return ranks(average_of, trust_types)


def league_ranks(segment_of, average_of, trust_types):
    """League rank within type: adjusted segment first, then the 2-decimal average (data)."""
    return ranks({trust: (segment_of[trust], average_of[trust]) for trust in average_of}, trust_types)
