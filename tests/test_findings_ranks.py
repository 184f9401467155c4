"""What the page on rank uncertainty says, with and without the figures it speaks of."""

from dataclasses import replace

import pandas as pd
import pytest

from nofcore import bootstrap, charts, cli, findings, framework, league, release
from nofcore.errors import InputError
from tests import makers

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
    return findings.measurement.measurement(first[1], first[0], ACUTE, 500, 5)


def test_measurement_beside_the_choice_of_metrics(measured, first):
    said = str(findings.measurement.about_measurement(measured, ACUTE))
    assert said.startswith("For 6 metrics the numbers of cases are known.")
    assert "Chance in the counted metrics matters far less" in said
    assert len(findings.measurement.funnel_table(measured, "Q1 2025/26").frame) == 6


def test_no_counts_no_measurement(first):
    other = findings.measurement.measurement(first[1], first[0], AMBULANCE, 10, 5)
    assert "the counts at hand are of other types of trust" in str(other)
    later, rebuilt = quarter("Q2 2025/26")
    found = findings.measurement.measurement(rebuilt, later, AMBULANCE, 10, 5)
    said = str(findings.measurement.about_measurement(found, AMBULANCE))
    assert said.startswith("Not known for ambulance trusts in Q2 2025/26")
    assert "no numerators and denominators for Q2 2025/26" in said
    assert findings.measurement.measurement_chart(found, AMBULANCE)._repr_html_() == ""
    assert findings.measurement.outside_table(found, rebuilt)._repr_html_() == ""
    assert findings.measurement.funnel_charts(found, None).charts == ()


def test_measurement_needs_the_pools_of_the_counted_metrics_alone(tmp_path):
    """The six metrics with counts are scored among acute trusts: files of other types are not needed."""
    path = makers.write(tmp_path / "acute-data.csv", makers.data_rows(types=(ACUTE,)))
    figures = release.read(path.parent).release("Q1 2025/26")
    rebuilt = league.build(figures, framework.for_quarter("Q1 2025/26"))
    assert isinstance(
        findings.measurement.measurement(rebuilt, figures, ACUTE, 10, 5), findings.measurement.Measurement
    )


def test_embedded_counts_that_do_not_fit_a_users_figures_are_not_used(first):
    figures, rebuilt = first
    rows = figures.observations
    other = replace(figures, observations=rows.assign(value=rows["value"].where(rows["metric_id"] != "OF0013", 1.0)))
    said = str(findings.measurement.measurement(rebuilt, other, ACUTE, 10, 5))
    assert "differs from the published 1 by more than" in said


def test_counts_of_one_trust_have_no_funnel(first, tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("quarter,trust_code,metric_id,numerator,denominator\nQ1 2025/26,RXF,OF0013,7230,10000\n")
    value = first[0].observations.set_index(["trust_code", "metric_id"])["value"]["RXF", "OF0013"]
    path.write_text(path.read_text().replace("7230", f"{value * 100:.0f}"))
    found = findings.measurement.measurement(first[1], first[0], ACUTE, 10, 5, str(path))
    assert "No funnel for OF0013" in str(findings.measurement.about_funnels(found))
    assert findings.measurement.funnel_table(found, "Q1 2025/26")._repr_html_() == ""


def test_trusts_outside_a_funnel_are_named(measured, first):
    """Their number in the summary is that of the rows named, and of the codes in the text of the charts."""
    summary = findings.measurement.funnel_table(measured, "Q1 2025/26").frame
    every = findings.measurement.outside_table(measured, first[1]).frame
    for how in ("in proportion", "same variance added"):
        wanted = summary.set_index("Metric")[[f"Better, {how}", f"Worse, {how}"]].sum(axis=1)
        found = every[every[f"Beyond, {how} (SD)"].notna()]["Metric"].value_counts()
        assert found.to_dict() == wanted[wanted > 0].to_dict()
    named = every[every["Beyond, in proportion (SD)"].notna()]
    for chart in findings.measurement.funnel_charts(measured, "RXF").charts:
        mine = named[named["Metric"].map(lambda name, alt=chart.alt: f"Funnel plot of {name}," in alt)]
        assert len(mine) and all(code in chart.alt for code in mine["Code"])


def test_phi_is_checked_before_a_page_is_made(tmp_path, capsys):
    out = ["--out", str(tmp_path / "out")]
    assert cli.main(["report", "rank_uncertainty", "--phi", "160", *out]) == 2
    assert "phi 160 is not below the denominator of OF0011" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        cli.main(["report", "rank_uncertainty", "--phi", "0.5", *out])
    assert stopped.value.code == 2
    assert not (tmp_path / "out").exists()


def test_ranges_under_a_users_rules_are_not_held_against_the_published_ones(drawn):
    """Q4 2025/26 has published ranges: under other rules the kit's own are compared."""
    fourth, rebuilt = quarter("Q4 2025/26")
    capless = replace(rebuilt.framework, override=None)
    other = bootstrap.rank_uncertainty(league.build(fourth, capless), 500, 5)
    mine = findings.ranks.check_ranges(fourth, bootstrap.rank_uncertainty(rebuilt, 500, 5))
    theirs = findings.ranks.check_ranges(fourth, other, "mine.toml")
    pd.testing.assert_frame_equal(mine.differences, theirs.differences)


def test_a_users_counts_are_checked(first, tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text("quarter,trust_code,metric_id,numerator,denominator\nQ1 2025/26,RXF,OF0013,5,0\n")
    with pytest.raises(InputError, match=r"counts.csv, row 2, column denominator"):
        findings.measurement.measurement(first[1], first[0], ACUTE, 10, 5, str(path))


def test_bad_counts_stop_a_report_before_it_begins(tmp_path, capsys):
    path = tmp_path / "counts.csv"
    path.write_text("quarter,trust_code,metric_id,numerator\n")
    out = tmp_path / "out"
    assert cli.main(["report", "rank_uncertainty", "--activity", str(path), "--out", str(out)]) == 2
    assert "denominator" in capsys.readouterr().err
    assert not out.exists()


def test_few_items_do_not_explain_the_top_of_the_acute_table(first):
    """All of the acute top ten of Q1 2025/26 lie outside the limits for their numbers of items."""
    said = str(findings.measurement.about_average(findings.measurement.average_funnel(first[1], ACUTE), ACUTE))
    assert "All 10 lie outside the limits" in said and "40 lie outside, where about 6 would" in said


def test_every_place_is_on_the_chart_when_some_trusts_have_no_range(first):
    """134 places, though 3 trusts near the top have no range."""
    values = first[1].items.values.copy()
    for code in first[1].of(ACUTE).index[:3]:
        values.loc[code, values.loc[code].notna()] = 2.0
    rebuilt = replace(first[1], items=replace(first[1].items, values=values))
    axes = charts.rank_ranges(bootstrap.rank_uncertainty(rebuilt, 300, 1), ACUTE).figure.axes[0]
    assert axes.get_xlim() == (0, 135) and axes.get_ylim() == (135, 0)


def test_charts_of_ranks_carry_text(drawn, measured, first):
    made = [
        charts.rank_ranges(drawn, AMBULANCE),
        charts.segment_probabilities(drawn, AMBULANCE),
        charts.rank_distribution(drawn, "RX7"),
        findings.measurement.measurement_chart(measured, ACUTE),
        *findings.measurement.funnel_charts(measured, None).charts,
        findings.measurement.average_chart(findings.measurement.average_funnel(first[1], AMBULANCE), first[1]),
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
