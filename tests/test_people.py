"""Tables, charts and sentences: what readers see is what the figures say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from nofcore import charts, findings, framework, league, release, reproduce, tables, wording

ACUTE = "Acute trust"
AMBULANCE = "Ambulance trust"


def rebuilt_of(figures: release.Release) -> league.LeagueTable:
    return league.build(figures, framework.for_quarter(figures.quarter))


@pytest.fixture(scope="module")
def figures():
    return release.embedded().release("Q1 2025/26")


@pytest.fixture(scope="module")
def rebuilt(figures):
    return rebuilt_of(figures)


@pytest.fixture(scope="module")
def compared(figures):
    return reproduce.reproduce(figures, framework.for_quarter(figures.quarter))


class Cells(HTMLParser):
    """The rows of a table, and the tags that were opened."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.rows, self._cell = [], [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self._cell = None

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data


def test_league_table_in_html_against_nhs_england(rebuilt):
    found = Cells(tables.league_table(rebuilt, ACUTE)._repr_html_())
    assert len(found.rows) == 135
    assert found.rows[0][:5] == ["Trust", "Code", "Rank", "Segment", "Average"]
    assert found.rows[1][:5] == ["Moorfields Eye Hospital NHS Foundation Trust", "RP6", "1", "1", "1.39"]
    assert found.rows[134][1:5] == ["RCX", "134", "4", "3.35"]
    scopes = [attrs.get("scope") for tag, attrs in found.tags if tag == "th"]
    assert scopes.count("row") == 134
    assert scopes.count("col") == 10
    assert [tag for tag, _ in found.tags].count("caption") == 1


def test_a_trust_name_is_text_and_never_runs(figures):
    names = figures.trusts.copy()
    names.loc["RXF", "trust_name"] = "A & B <script>alert(1)</script>"
    renamed = rebuilt_of(replace(figures, trusts=names))
    text = tables.league_table(renamed, ACUTE)._repr_html_()
    assert "<script" not in text
    assert "A &amp; B &lt;script&gt;" in text
    assert "A & B <script>alert(1)</script>" in {cell for row in Cells(text).rows for cell in row}
    assert "<script" not in wording.Text(("A & B <script>",))._repr_html_()


def test_capped_trusts_and_their_rank_without_the_override(rebuilt, figures):
    """Without the override the rank follows the average: NHS England's rank on the average alone."""
    frame = tables.capped(rebuilt, ACUTE).frame
    assert len(frame) == 38
    published = figures.league.loc[frame["Code"]]
    assert (frame["Without override"].to_numpy() == published["score_rank"].to_numpy()).all()
    assert (frame["Places lost"].to_numpy() == (published["rank"] - published["score_rank"]).to_numpy()).all()


def test_nobody_held_back_is_said_in_words(figures):
    flags = figures.league.assign(in_deficit=0.0)
    nobody = rebuilt_of(replace(figures, league=flags))
    assert tables.capped(nobody, ACUTE)._repr_html_() == ""
    assert str(findings.league.about_override(nobody, ACUTE)).startswith("No trust is in a worse segment")


def test_unknown_flags_are_never_read_as_nobody():
    """Acute trusts after Q1: 37 averages of Q3 2025/26 at or below 2.35 stand in segment 3 or 4."""
    third = release.embedded().release("Q3 2025/26")
    said = str(findings.league.about_override(rebuilt_of(third), ACUTE))
    assert said.startswith("Not known")
    assert "37 trusts stand in a worse segment" in said


def test_segment_counts_against_nhs_england(rebuilt):
    frame = tables.segment_counts(rebuilt, ACUTE, "region", "Region").frame.set_index("Region")
    assert frame.loc["All"].tolist() == [16, 11, 76, 31, 134]
    assert (frame.drop(index="All").sum() == frame.loc["All"]).all()


def test_agreement_table_against_nhs_england(compared):
    frame = tables.agreement(compared, None, "trusts of all types").frame.set_index("Figure")
    row = frame[frame["Rebuilt from"] == "metric values"].loc["Metric score"]
    assert row[["Compared", "Exact", "Tied at published precision", "Other"]].tolist() == [3240, 3207, 33, 0]


def test_differences_have_units_and_ranks_are_whole(compared):
    frame = tables.differences(compared, framework.for_quarter("Q1 2025/26"), None, "trusts").frame
    row = frame[(frame["Figure"] == "League rank") & (frame["Code"] == "RN3")].iloc[0]
    assert row[["Published", "Rebuilt", "Difference"]].tolist() == ["76", "78", "+2 places"]
    row = frame[(frame["Figure"] == "Average metric score") & (frame["Code"] == "RCX")].iloc[0]
    assert row[["Published", "Rebuilt", "Difference"]].tolist() == ["3.35", "3.34", "-0.01 points"]


@pytest.mark.parametrize("trust_type", [ACUTE, AMBULANCE])
@pytest.mark.parametrize("chart", [charts.averages, charts.domains])
def test_charts_carry_a_text_alternative(rebuilt, chart, trust_type):
    data, metadata = chart(rebuilt, trust_type)._repr_mimebundle_()
    assert data["image/svg+xml"].lstrip().startswith("<?xml")
    alt = metadata["image/svg+xml"]["alt"]
    assert re.match(r"(Average metric score|Heat map of the domain scores) of (134 acute|10 ambulance) trusts", alt)


def test_text_alternative_of_the_averages_against_nhs_england(rebuilt):
    alt = charts.averages(rebuilt, ACUTE).alt
    assert "segment 1: 16 trusts, averages 1.39 to" in alt
    assert "segment 4: 31 trusts" in alt
    assert "38 trusts are held" in alt


def test_the_same_figures_give_the_same_chart(rebuilt):
    first, second = (charts.averages(rebuilt, AMBULANCE)._repr_mimebundle_() for _ in range(2))
    assert first == second


def test_headline_claims_no_more_than_was_rebuilt(figures, rebuilt, compared):
    said = findings.league.league_headline(rebuilt, compared, ACUTE)
    assert said.startswith("Every average, segment and rank of the 134 acute trusts in Q1 2025/26 can be rebuilt")
    assert "38 trusts are held at segment 3 by the financial override, losing up to 20 places." in said
    assert "Of the 133 pairs of trusts next to each other in average score, 97 differ by 0.01 or less." in said
    published = figures.league.copy()
    published.loc["RXF", "segment"] = 4 if published.at["RXF", "segment"] != 4 else 3
    tampered = replace(figures, league=published)
    wrong = reproduce.reproduce(tampered, framework.for_quarter(figures.quarter))
    assert findings.league.league_headline(rebuilt_of(tampered), wrong, ACUTE).startswith(
        "From the published metric scores"
    )


def test_headline_of_a_quarter_without_metric_rows():
    figures = release.embedded().release("Q3 2025/26")
    compared = reproduce.reproduce(figures, framework.for_quarter(figures.quarter))
    said = findings.league.league_headline(rebuilt_of(figures), compared, ACUTE)
    assert said.startswith("No metric scores are at hand for the 134 acute trusts in Q3 2025/26")
    assert findings.league.facts(rebuilt_of(figures), compared, ACUTE) == {"Trusts": "134"}


@pytest.mark.parametrize(("score", "text"), [(2.7, "2.70"), (1.935, "1.935"), (2, "2.00"), (2.0525, "2.0525")])
def test_points(score, text):
    assert wording.points(score) == text


def test_a_users_own_rules_are_marked_as_such(rebuilt, compared):
    said = findings.league.league_headline(rebuilt, compared, ACUTE, "/somewhere/mine.toml")
    assert said.startswith("What if: these tables follow the rules in mine.toml, not NHS England's.")
    assert list(tables.rules(rebuilt.framework, "mine.toml").frame) == ["Rule"]
    assert "does not carry over" in str(findings.league.about_rules(rebuilt, "mine.toml"))


def test_the_page_names_the_segment_of_the_rules_in_force(figures):
    rules = framework.for_quarter(figures.quarter)
    stricter = replace(rules, override=framework.Override(no_higher_than=4))
    points = findings.league.how_not_to_read(league.build(figures, stricter), ACUTE).points
    assert any("no higher than segment 4" in rest for _, rest in points)


def test_a_type_without_any_figure_has_a_page_all_the_same(figures):
    rows = figures.observations[~figures.observations["trust_code"].map(figures.trusts["trust_type"]).eq(AMBULANCE)]
    published = figures.league.copy()
    published.loc[figures.trusts["trust_type"] == AMBULANCE] = float("nan")
    reference = replace(figures, observations=rows, league=published)
    empty = rebuilt_of(reference)
    compared = reproduce.reproduce(reference, framework.for_quarter(figures.quarter))
    said = findings.league.league_headline(empty, compared, AMBULANCE)
    assert said == "No ambulance trust can be ranked in Q1 2025/26: neither scores nor averages are at hand."


def test_items_averaged_against_the_published_rows(rebuilt):
    """Moorfields has 12 scored items in Q1 2025/26; among acute trusts the middle number is 17."""
    items = rebuilt.of(ACUTE)["n_items"]
    assert items["RP6"] == 12
    assert items.median() == 17


def test_a_league_table_file_alone_is_never_read_as_nobody_held_back(figures):
    """The flag is known and the segment before the override is not: 38 acute trusts are held in Q1 2025/26."""
    bare = replace(
        figures,
        observations=figures.observations.iloc[:0],
        league=figures.league.assign(unadjusted_segment=float("nan")),
    )
    assert str(findings.league.about_override(rebuilt_of(bare), ACUTE)).startswith("Not known")
