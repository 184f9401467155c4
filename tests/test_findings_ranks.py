"""What the page on rank uncertainty says, with and without the figures it speaks of."""

import pandas as pd
import pytest

from nofcore import bootstrap, charts, cli, findings, framework, league, release
from nofcore.errors import InputError

ACUTE, AMBULANCE = "Acute trust", "Ambulance trust"


def quarter(label: str) -> tuple[release.Release, league.LeagueTable]:
    figures = release.embedded().release(label)
    return figures, league.build(figures, framework.for_quarter(label))


@pytest.fixture(scope="module")
def first():
    return quarter("Q1 2025/26")


@pytest.fixture(scope="module")
def drawn(first):
    return bootstrap.rank_uncertainty(first[1], 1_000, 5, pairs=True)


@pytest.fixture(scope="module")
def measured(first):
    return findings.ranks.measurement(first[1], first[0], ACUTE, 500, 5)


def test_measurement_beside_the_choice_of_metrics(measured, first):
    said = str(findings.ranks.about_measurement(measured, first[1], ACUTE))
    assert said.startswith("For 6 metrics the numbers of patients are known.")
    assert "Chance in the counted metrics matters far less" in said
    assert len(findings.ranks.funnel_table(measured, "Q1 2025/26").frame) == 6


def test_no_counts_no_measurement(first):
    assert findings.ranks.measurement(first[1], first[0], AMBULANCE, 10, 5) is None
    later, rebuilt = quarter("Q2 2025/26")
    assert findings.ranks.measurement(rebuilt, later, AMBULANCE, 10, 5) is None
    said = str(findings.ranks.about_measurement(None, rebuilt, AMBULANCE))
    assert said.startswith("Not known for ambulance trusts in Q2 2025/26")
    assert findings.ranks.measurement_chart(None, AMBULANCE)._repr_html_() == ""


def test_a_users_counts_are_checked(first, tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("quarter,trust_code,metric_id,numerator,denominator\nQ1 2025/26,RXF,OF0013,5,0\n")
    with pytest.raises(InputError, match=r"counts.csv, row 2, column denominator"):
        findings.ranks.measurement(first[1], first[0], ACUTE, 10, 5, str(path))


def test_bad_counts_stop_a_report_before_it_begins(tmp_path, capsys):
    path = tmp_path / "counts.csv"
    path.write_text("quarter,trust_code,metric_id,numerator\n")
    out = tmp_path / "out"
    assert cli.main(["report", "rank_uncertainty", "--activity", str(path), "--out", str(out)]) == 2
    assert "denominator" in capsys.readouterr().err
    assert not out.exists()


def test_few_items_at_the_top_of_the_table_against_the_published_rows(first):
    """Eight of the acute top ten of Q1 2025/26 have 8 to 12 items, where the median has 17."""
    found = findings.ranks.average_funnel(first[1], ACUTE).table()
    top = found[found["rank"] <= 10]["n_items"]
    assert ((top >= 8) & (top <= 12)).sum() == 8
    assert found["n_items"].median() == 17


def test_charts_of_ranks_carry_text(drawn, measured, first):
    made = [
        charts.rank_ranges(drawn, AMBULANCE),
        charts.segment_probabilities(drawn, AMBULANCE),
        charts.rank_distribution(drawn, "RX7"),
        findings.ranks.measurement_chart(measured, ACUTE),
        findings.ranks.average_chart(findings.ranks.average_funnel(first[1], AMBULANCE), first[1]),
    ]
    for chart in made:
        data, metadata = chart._repr_mimebundle_()
        assert "<svg" in data["image/svg+xml"]
        assert len(metadata["image/svg+xml"]["alt"]) > 60


def test_a_type_without_ranges_says_so():
    later, rebuilt = quarter("Q3 2025/26")
    drawn = bootstrap.rank_uncertainty(rebuilt, 100, 5, pairs=True)
    assert findings.ranks.headline(drawn, ACUTE).startswith("No ranges can be drawn for acute trusts in Q3 2025/26")
    assert str(charts.rank_ranges(drawn, ACUTE)).startswith("No ranges")
    assert findings.ranks.rank_sets(rebuilt, ACUTE, 100, 5) is None
    assert "134 trusts without metric rows" in str(findings.ranks.limitations(drawn))
    assert later.quarter == drawn.quarter


def test_pages_of_ranks_are_made_for_types_with_scores_only(tmp_path, capsys):
    options = ["report", "rank_uncertainty", "--quarter", "Q3 2025/26", "--trust-type", "acute"]
    assert cli.main([*options, "--out", str(tmp_path)]) == 2
    assert "no metric scores are at hand, so rank_uncertainty has no page" in capsys.readouterr().err


def test_an_unknown_trust_is_refused(tmp_path, capsys):
    assert cli.main(["report", "--trust", "../../x", "--out", str(tmp_path)]) == 2
    assert "no trust '../../x' in Q1 2025/26" in capsys.readouterr().err


def test_ranges_in_a_table_are_those_drawn(first, drawn):
    table = drawn.fill(first[1].table(AMBULANCE))
    expected = drawn.table().loc[table["trust_code"]]
    assert table["rank_low"].tolist() == expected["rank_low"].tolist()
    assert table["score_high"].tolist() == expected["score_high"].tolist()
    assert isinstance(table["rank_low"].dtype, pd.Int64Dtype)
