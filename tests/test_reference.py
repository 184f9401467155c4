"""The package beside an independent slow implementation, on releases that nobody has published."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nofcore import framework, league, scoring
from nofcore.release import Release
from tests import reference

QUARTERS = ["Q1 2025/26", "Q2 2025/26", "Q4 2025/26"]
TYPES = ["Acute trust", "Ambulance trust", "Mental health and community trust"]
RULES = framework.for_quarter("Q1 2025/26")


def invented_release(seed: int, quarter: str, sizes: list[int], with_ranks: bool) -> Release:
    """Invented trusts with invented values on coarse grids, so that ties, standards and brackets all occur."""
    random = np.random.default_rng(seed)
    codes = [f"X{number:03d}" for number in range(sum(sizes))]
    types = [name for name, size in zip(TYPES, sizes, strict=True) for _ in range(size)]
    trusts = pd.DataFrame({"trust_name": codes, "trust_type": types, "trust_subtype": "", "region": ""})
    trusts.index = pd.Index(codes, name="trust_code")
    rows = []
    missing = set(random.choice([metric.score for metric in RULES.metric], 3))
    for metric in RULES.metric:
        if metric.score in missing:
            continue
        held = [code for code in codes if random.random() < 0.8 and types[codes.index(code)] in metric.trust_types]
        if metric.value:
            centre = metric.threshold if metric.threshold is not None else random.integers(-3, 60)
            for code in held:
                value = round(float(centre) + int(random.integers(-8, 9)) / 4, 2)
                unit = "count" if metric.unit and random.random() < 0.2 else "%"
                value = abs(round(value)) if unit == "count" else value
                rows.append([code, metric.value, unit, "", value, int(random.integers(1, 9))])
        else:
            rows += [[code, metric.score, "score", "", float(random.integers(1, 5)), np.nan] for code in held]
    observations = pd.DataFrame(rows, columns=["trust_code", "metric_id", "unit", "period", "value", "rank"])
    if not with_ranks:
        observations["rank"] = np.nan
    flags = pd.DataFrame(index=trusts.index, columns=league_columns(), dtype=float)
    flags["in_deficit"] = random.integers(0, 2, len(codes)).astype(float)
    return Release(quarter, observations, trusts, flags, "invented figures", ())


def league_columns() -> list[str]:
    return [
        "average_score", "unadjusted_segment", "in_deficit", "segment", "rank", "score_rank",
        "score_low", "score_high", "rank_low", "rank_high",
    ]  # fmt: skip


def with_published_scores(release: Release, scores: dict) -> Release:
    """The same figures with published scores: the given ones, rounded half up to 2 decimals."""
    rows = [
        [code, metric_id, "score", "", reference.hundredths(score) / 100, np.nan]
        for (code, metric_id), score in scores.items()
    ]
    held = release.observations["metric_id"].isin(RULES.score_ids)
    added = pd.DataFrame(rows, columns=release.observations.columns)
    observations = pd.concat([release.observations[~held], added], ignore_index=True)
    return Release(release.quarter, observations, release.trusts, release.league, release.source, ())


def rows_of(release: Release) -> list[dict]:
    return [
        {
            "quarter": release.quarter, "trust_code": code, "metric_id": metric_id, "unit": unit,
            "value": Fraction(str(value)), "rank": None if pd.isna(rank) else int(rank),
        }
        for code, metric_id, unit, value, rank in release.observations[
            ["trust_code", "metric_id", "unit", "value", "rank"]
        ].itertuples(index=False)
    ]  # fmt: skip


def assert_same_league(release: Release, rebuilt: league.LeagueTable, scores: dict) -> None:
    """Averages, domain scores, segments and ranks equal the slow ones that follow from ``scores``."""
    types, flags = release.trusts["trust_type"].to_dict(), release.league["in_deficit"].to_dict()
    averages = reference.averages(scores)
    cuts = reference.quartiles(list(averages.values()))
    unadjusted = {code: reference.segment(average, cuts) for code, average in averages.items()}
    segments = {code: reference.adjusted_segment(unadjusted[code], flags[code] == 1) for code in averages}
    expected = pd.DataFrame(
        {
            "average_score": {code: average / 100 for code, average in averages.items()},
            "unadjusted_segment": unadjusted,
            "segment": segments,
            "rank": reference.league_ranks(segments, averages, types),
            "score_rank": reference.average_ranks(averages, types),
        }
    ).astype(float)
    found = rebuilt.trusts.loc[expected.index, expected.columns].astype(float)
    pd.testing.assert_frame_equal(found, expected, rtol=0, atol=1e-12, check_names=False)
    domains = reference.domain_scores(scores)
    segments_of_domains = reference.domain_segments(domains)
    for domain in RULES.domain:
        for code in expected.index:
            key = (code, domain.score)
            score, segment = rebuilt.domain_scores.at[code, domain.key], rebuilt.domain_segments.at[code, domain.key]
            assert domains.get(key, "none") == ("none" if np.isnan(score) else round(score * 100))
            assert segments_of_domains.get(key, "none") == ("none" if np.isnan(segment) else segment)


RELEASES = st.tuples(
    st.integers(0, 2**32), st.sampled_from(QUARTERS), st.lists(st.integers(2, 9), min_size=3, max_size=3), st.booleans()
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RELEASES)
def test_from_values_against_the_slow_implementation(drawn):
    release = invented_release(*drawn)
    rows, types = rows_of(release), release.trusts["trust_type"].to_dict()
    slow = reference.scores_from_values(rows, types)
    fast = scoring.scores_from_values(release, RULES)
    assert {key for key in slow} == set(zip(fast["trust_code"], fast["metric_id"], strict=True))
    for code, metric_id, score, tied in fast[["trust_code", "metric_id", "score", "tied"]].itertuples(index=False):
        expected, is_open = slow[code, metric_id]
        assert (score, tied) == (pytest.approx(float(expected), abs=1e-12), is_open), (code, metric_id)
    to_average = reference.scores_to_average(slow, rows, release.quarter, rounded_first=False)
    assert_same_league(release, league.build(release, RULES, "values"), to_average)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RELEASES)
def test_from_scores_against_the_slow_implementation(drawn):
    release = invented_release(*drawn)
    rows, types = rows_of(release), release.trusts["trust_type"].to_dict()
    true = {key: score for key, (score, _) in reference.scores_from_values(rows, types).items()}
    true |= {(row["trust_code"], row["metric_id"]): row["value"] for row in rows if row["metric_id"] in RULES.score_ids}
    published = with_published_scores(release, true)
    recovered = reference.recover_scores(rows_of(published), types, release.quarter)
    assert_same_league(published, league.build(published, RULES, "scores"), recovered)
