"""The agreement tables count what they say."""

import pandas as pd
import pytest

from nofcore import framework, release, reproduce
from nofcore.reproduce import FROM_RESULTS, FROM_SCORES, FROM_VALUES


def reproduction(quarter: str) -> reproduce.Reproduction:
    return reproduce.reproduce(release.embedded().release(quarter), framework.for_quarter(quarter))


@pytest.fixture(scope="module")
def first_quarter():
    return reproduction("Q1 2025/26")


def test_q1_agreement_against_nhs_england(first_quarter):
    table = first_quarter.table().set_index(["start", "quantity"])
    columns = ["compared", "exact", "within", "tied", "rest"]
    assert table.loc[(FROM_VALUES, "metric score"), columns].tolist() == [3240, 3207, 0, 33, 0]
    assert table.loc[(FROM_VALUES, "average metric score"), columns].tolist() == [205, 197, 8, 0, 0]
    assert table.loc[(FROM_VALUES, "league rank"), columns].tolist() == [205, 202, 0, 0, 3]
    assert table.loc[(FROM_VALUES, "league rank"), "largest"] == 2
    for quantity, n in (("average metric score", 205), ("domain score", 1017), ("domain segment", 1017)):
        assert table.loc[(FROM_SCORES, quantity), columns].tolist() == [n, n, 0, 0, 0]
    for quantity in ("unadjusted segment", "segment", "league rank", "rank on the average"):
        assert table.loc[(FROM_SCORES, quantity), columns].tolist() == [205, 205, 0, 0, 0]


def test_every_figure_that_is_not_exact_is_listed(first_quarter):
    table = first_quarter.table()
    assert len(first_quarter.differences()) == (table["compared"] - table["exact"]).sum()


def test_types_add_up_to_all(first_quarter):
    columns = ["compared", "exact", "within", "tied", "rest"]
    types = first_quarter.comparisons["trust_type"].unique()
    parts = pd.concat([first_quarter.table(name) for name in types]).groupby(["start", "quantity"])[columns].sum()
    pd.testing.assert_frame_equal(
        parts, first_quarter.table().set_index(["start", "quantity"])[columns].sort_index(), check_like=True
    )


@pytest.mark.parametrize("quarter", ["Q2 2025/26", "Q3 2025/26", "Q4 2025/26", "Q1 2026/27"])
def test_later_quarters_against_nhs_england(quarter):
    found = reproduction(quarter)
    assert found.differences().empty
    n = 202 if quarter == "Q1 2026/27" else 205
    assert found.agreement(FROM_RESULTS, "league rank") == (n, n)
    assert any("not rebuilt from metric values" in note for note in found.notes)
    assert found.agreement(FROM_VALUES, "league rank") == (0, 0)


def test_a_wrong_published_figure_is_found():
    figures = release.embedded().release("Q1 2025/26")
    published = figures.league.copy()
    published.loc["RXF", "average_score"] += 0.02
    published.loc["RXF", "score_rank"] += 1
    tampered = release.Release(
        figures.quarter, figures.observations, figures.trusts, published, figures.source, figures.inputs
    )
    found = reproduce.reproduce(tampered, framework.for_quarter(figures.quarter)).differences()
    mine = found[(found["trust_code"] == "RXF") & (found["start"] == FROM_SCORES)]
    assert mine[["quantity", "difference"]].to_numpy().tolist() == [
        ["average metric score", -0.02],
        ["rank on the average", -1.0],
    ]
