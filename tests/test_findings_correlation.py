"""What the page on correlations says, with and without the figures it speaks of."""

from __future__ import annotations

import re
from dataclasses import replace

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from nofcore import charts, claims, cli, consistency, correlation, findings, framework, league, peers, release, tables
from nofcore.errors import InputError
from nofcore.findings import correlation as says
from nofcore.wording import Text

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"
RULES = framework.for_quarter("Q1 2025/26")
DRAWS, SEED = 200, 5


@pytest.fixture(autouse=True)
def no_open_figures():
    """Charts close when they are shown; those of a test that only looks at them are closed here."""
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def figures():
    return release.embedded().release("Q1 2025/26")


@pytest.fixture(scope="module")
def rebuilt(figures):
    return league.build(figures, RULES)


class Made:
    """All that the notebook makes for a type."""

    def __init__(self, figures, rebuilt, kind, method="spearman", on="values"):
        self.figures, self.rebuilt, self.kind = figures, rebuilt, kind
        self.found = correlation.correlations(figures, RULES, kind, method, on, DRAWS, SEED)
        self.tested = claims.put_to_the_test(figures, RULES, kind, method, on, DRAWS, SEED)
        self.driven = says.driven(rebuilt, kind, method, DRAWS, SEED)
        self.groups = says.clusters(self.found)
        self.shown = says.two_rankings(self.found, self.tested)
        self.inside = says.claims_within(self.tested, figures)
        self.shares = peers.shares_between(rebuilt, kind, DRAWS, SEED)
        self.within = peers.within_subtype(rebuilt, kind)
        self.history = consistency.history(release.embedded(), None, kind, method, on, DRAWS, SEED)
        self.subtypes = consistency.by_subtype(figures, self.found.aligned, DRAWS, SEED)

    def texts(self) -> list[Text]:
        return [
            says.how_not_to_read(self.found),
            says.about_pairs(self.found),
            says.about_clusters(self.found, self.groups),
            says.about_claim(self.tested, self.kind),
            self.shown.why,
            says.about_quartiles(self.shown),
            says.about_claims_within(self.inside),
            says.about_drivers(self.driven),
            says.about_structure(self.driven),
            says.about_shares(self.shares, self.figures.quarter),
            says.about_within(self.within),
            says.about_history(self.history),
            says.about_subtypes(self.subtypes, self.found.aligned),
            says.about_own(None),
            says.limitations(self.found),
        ]

    def tables(self) -> list[tables.Table]:
        several = [
            says.claim_tables(self.tested),
            says.quartile_tables(self.shown, self.kind, self.figures.quarter),
            says.tables_within(self.inside),
            says.structure_tables(self.driven, RULES),
        ]
        return [
            tables.pair_table(self.found),
            says.far_apart(self.shown, self.figures, self.kind),
            says.driver_table(self.driven, RULES),
            tables.shares_between(self.shares, self.figures.quarter, DRAWS),
            tables.within_subtype(self.within, self.kind, self.figures.quarter),
            tables.history_table(self.history),
            tables.subtype_table(self.subtypes, self.kind, self.figures.quarter),
            says.type_table(self.figures, RULES, self.found),
            *(table for group in several for table in group.tables),
        ]

    def charts(self) -> list[charts.Chart]:
        made = [
            charts.correlation_heat_map(self.found, self.groups),
            *says.scatters(self.shown, self.kind).charts,
            says.influence_chart(self.driven),
            says.component_chart(self.driven),
            charts.history_scatter(self.history, self.found.aligned.metrics["short"]),
        ]
        return [chart for chart in made if isinstance(chart, charts.Chart)]


@pytest.fixture(scope="module")
def acute(figures, rebuilt):
    return Made(figures, rebuilt, ACUTE)


@pytest.fixture(scope="module")
def ambulance(figures, rebuilt):
    return Made(figures, rebuilt, AMBULANCE)


@pytest.fixture(scope="module")
def mental(figures, rebuilt):
    return Made(figures, rebuilt, MENTAL)


def plain(text) -> str:
    """Text with ordinary spaces."""
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


def whole(made: Made) -> str:
    headline = says.headline(made.found, made.driven, made.tested)
    points = " ".join(f"{opening} {rest}" for opening, rest in made.texts()[0].points)
    return plain(" ".join(filter(None, [headline, points, *map(str, made.texts()[1:])])))


# --- every type, every method ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["acute", "ambulance", "mental"])
def test_sentences_are_whole(request, name):
    said = whole(request.getfixturevalue(name))
    assert not re.search(r"\bnan\b|\{|\}|  |-0\.00\b|-0 %|\b1 (trusts|pairs|coefficients are)\b", said)


@pytest.mark.parametrize("name", ["acute", "ambulance", "mental"])
def test_no_coefficient_is_missing_without_a_word(request, name):
    for table in request.getfixturevalue(name).tables():
        if "Coefficient" in table.frame:
            blank = table.frame["Coefficient"].isna()
            assert not blank.any() or table.frame.loc[blank, "Note"].str.contains("not available, because").all()


def test_tables_and_charts_as_shown(ambulance):
    for table in ambulance.tables():
        cells = re.sub(r"<[^>]+>", " ", table._repr_html_()).lower().split()
        assert "nan" not in cells, table.name
    drawn = ambulance.charts()
    assert all(len(chart.alt) > 100 and not re.search(r"\bnan\b", chart.alt) for chart in drawn)
    for chart in drawn:
        data, metadata = chart._repr_mimebundle_()
        assert "<svg" in data["image/svg+xml"]
        assert metadata["image/svg+xml"]["alt"] == chart.alt


@pytest.mark.parametrize(("method", "on"), [("kendall", "values"), ("pearson", "values"), ("spearman", "scores")])
def test_other_methods_and_scores(figures, rebuilt, method, on):
    made = Made(figures, rebuilt, AMBULANCE, method, on)
    assert ("metric scores" if on == "scores" else "published values") in str(says.about_pairs(made.found))
    assert says.METHODS[method] in str(says.about_pairs(made.found))
    assert len(made.charts()) == 6
    assert len(made.tables()) > 8
    # Shared variance is said of ranks alone.
    assert "of their variance" not in whole(made)


def test_names_of_tables_are_unique_on_a_page(acute):
    names = [table.name for table in acute.tables()]
    assert len(names) == len(set(names))


# --- what is said of acute trusts -----------------------------------------------------------------


def test_headline_of_acute_trusts(acute):
    said = plain(says.headline(acute.found, acute.driven, acute.tested))
    assert said.startswith("Of 190 pairs of metrics of acute trusts in Q1 2025/26, ")
    assert "correlations of 0.23, 0.16 and 0.30, 2 of them beyond chance" in said
    assert (
        "Staff engagement and raising concerns have 12 % of the weight in the average and 22 % of the influence on it."
        in said
    )
    facts = says.facts(acute.found, acute.driven)
    assert facts["Pairs of metrics"] == "190"
    assert facts["Draws"] == "200"


def test_the_claim_in_words(acute):
    said = plain(says.about_claim(acute.tested, ACUTE))
    assert said.startswith("The King's Fund, September 2025, in our words: There is no consistent relationship")
    assert "four-hour A&E with 18-week elective waits 0.23 (" in said
    assert "Even so, the ranks on two of these metrics share 2 % to 9 % of their variance" in said
    said = str(says.about_quartiles(acute.shown))
    assert (
        "Of the 31 trusts in the best quartile on four-hour A&E, 9 are in the best quartile, 9 in the second, 7 in "
        "the third and 6 in the worst on 18-week elective waits; with no relation about 7.8 would be in each."
    ) in said


def test_outlying_trusts_are_named(acute, figures):
    frame = says.far_apart(acute.shown, figures, ACUTE).frame
    assert len(frame) == 18
    assert frame.loc[0, ["Code", "Rank", "Rank on it", "Of"]].tolist() == ["REP", 5, 122, 123]
    assert frame["Trust"].iat[0] == figures.trusts.at["REP", "trust_name"]


def test_shares_in_words(acute):
    said = plain(says.about_shares(acute.shares, "Q1 2025/26"))
    assert (
        "19 % lies between 10 subtypes (by lot 4 %), 8 % between 7 regions (by lot 3 %) and 0 % between 3 types of "
        "trust" in said
    )


def test_one_quarter_is_no_history(acute):
    said = str(says.about_history(acute.history))
    assert said.startswith("For acute trusts only Q1 2025/26 has metric rows")
    assert str(charts.history_scatter(acute.history, acute.found.aligned.metrics["short"])) == ""
    assert tables.history_table(acute.history)._repr_html_() == ""


# --- small types ----------------------------------------------------------------------------------


def test_ten_trusts_are_warned_of(ambulance):
    assert "With 10 trusts single coefficients mean little." in says.headline(
        ambulance.found, ambulance.driven, ambulance.tested
    )
    for text in (
        says.about_pairs(ambulance.found),
        says.about_drivers(ambulance.driven),
        says.about_history(ambulance.history),
    ):
        assert str(text).startswith("Only 10 ambulance trusts: one or two trusts can make or unmake")
    assert "fewer than 20 trusts" in tables.pair_table(ambulance.found).frame["Note"].iat[0]


def test_a_claim_that_a_type_cannot_test(ambulance):
    said = str(says.about_claim(ambulance.tested, AMBULANCE))
    assert (
        "This cannot be put to the test for ambulance trusts: none of them has figures of four-hour A&E, 18-week "
        "elective waits or 28-day cancer diagnosis in Q1 2025/26."
    ) in said
    assert "most alike and most opposed" in str(ambulance.shown.why)
    assert str(says.about_quartiles(ambulance.shown)).startswith("No quartiles: with fewer than 20 trusts")
    assert not ambulance.shown.claimed
    assert says.quartile_tables(ambulance.shown, AMBULANCE, "Q1 2025/26").tables == ()


def test_no_test_for_pairs_picked_for_being_extreme(mental):
    said = str(says.about_quartiles(mental.shown))
    assert "in the best quartile" in said
    assert "p = " not in said


def test_rules_without_a_claim(ambulance):
    assert str(says.about_claim((), AMBULANCE)) == "The rules in use name no published claim."


def test_a_type_without_scores(figures):
    later = release.embedded().release("Q3 2025/26")
    rebuilt = league.build(later, RULES)
    found = correlation.correlations(later, RULES, ACUTE, draws=10)
    driven = says.driven(rebuilt, ACUTE, "spearman", 10, 1)
    assert says.headline(found, driven, ()).startswith(
        "No two metrics of acute trusts in Q3 2025/26 can be set against each other"
    )
    assert str(driven).startswith("Not available, because Q3 2025/26: no acute trusts have metric scores")
    assert str(says.about_pairs(found)).startswith(
        "No two metrics of acute trusts have enough trusts in common and differ"
    )
    groups = says.clusters(found)
    assert str(charts.correlation_heat_map(found, groups)).startswith("No chart")
    assert says.influence_chart(driven)._repr_html_() == ""
    assert says.two_rankings(found, ()).tables == ()
    assert str(says.about_quartiles(says.two_rankings(found, ()))) == ""


def test_too_few_draws_for_so_many_tests_are_said(acute, ambulance):
    """200 draws and 190 tests: the smallest adjusted p of a pair alone is 190 / 201."""
    assert "a pair alone in being strong could not be found" in str(says.limitations(acute.found))
    enough = replace(ambulance.found, draws=2_000)
    assert "a pair alone" not in str(says.limitations(enough))


def test_pairs_near_the_border_are_counted(acute):
    rows = acute.found.table().dropna(subset="coefficient")
    assert "near the border" in says._beyond_chance(rows)
    far = rows.assign(p_adjusted=0.9, p=0.9, p_error=0.001)
    assert says._beyond_chance(far).startswith("None of 190 coefficients is beyond chance")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Four-hour A&E", "four-hour A&E"), ("MRSA", "MRSA"), ("E. coli", "E. coli"), ("CQC safe rating",) * 2,
     ("12-hour A&E", "12-hour A&E"), ("Children's mental health access", "children's mental health access")],
)  # fmt: skip
def test_names_inside_sentences(name, expected):
    assert says.in_text(name) == expected


def test_alpha_in_words(acute):
    made = acute.driven.structure
    words = {
        (0.92, 0.95): "form one scale, fit to judge single trusts by",
        (0.8, 0.95): "form one scale; whether one to judge single trusts by is open",
        (0.5, 0.95): "open too whether single trusts",
        (0.3, 0.6): "do not form one scale",
        (0.75, 0.85): "form one scale, and they are far from one to judge single trusts by",
        (0.6, 0.8): "it is open whether",
    }
    for (low, high), said in words.items():
        assert said in says._alpha_said(replace(made, alpha_low=low, alpha_high=high))


# --- a table of one's own -------------------------------------------------------------------------


@pytest.fixture
def own_path(tmp_path, rebuilt):
    path = tmp_path / "beds.csv"
    rows = rebuilt.of(ACUTE)["average_score"].iloc[:-1]
    path.write_text(
        "trust_code,beds\n" + "".join(f"{code},{3 - x:.2f}\n" for code, x in rows.items()) + "ZZZ,5\n", "utf-8"
    )
    return str(path)


def test_an_own_table_on_the_page(figures, rebuilt, own_path):
    found = says.own_table(own_path, figures, rebuilt, ACUTE, "spearman", DRAWS, SEED)
    said = str(says.about_own(found))
    assert "1 acute trust without a row in beds.csv: RCX." in said
    assert "Codes in beds.csv that are no trust of Q1 2025/26: ZZZ." in said
    frame = says.own_tables(found, rebuilt, DRAWS).frame
    assert frame.loc[0, ["Column", "Against", "Trusts"]].tolist() == ["beds", "average score", 133]
    assert frame["Coefficient"].iat[0] == pytest.approx(1)


def test_no_own_table(figures, rebuilt):
    assert says.own_table(None, figures, rebuilt, ACUTE, "spearman", DRAWS, SEED) is None
    assert "--characteristics" in str(says.about_own(None))
    assert str(says.own_tables(None, rebuilt, DRAWS)) == ""


def test_a_bad_own_table_stops_a_report_before_it_begins(tmp_path, capsys):
    path, out = tmp_path / "own.csv", tmp_path / "out"
    path.write_text("trust_code,beds\nRX7,few\n", "utf-8")
    options = ["report", "metric_correlation", "--characteristics", str(path), "--out", str(out)]
    assert cli.main(options) == 2
    said = capsys.readouterr().err
    assert "own.csv, row 2, column beds: 'few' is not a number" in said
    assert len(said.strip().splitlines()) == 1
    assert not out.exists()


def test_a_page_with_an_own_table(tmp_path, capsys):
    path, out = tmp_path / "own.csv", tmp_path / "out"
    codes = release.embedded().release("Q1 2025/26").trusts.query("trust_type == @AMBULANCE").index
    path.write_text("trust_code,calls\n" + "".join(f"{code},{i}\n" for i, code in enumerate(codes)), "utf-8")
    options = [
        "report",
        "metric_correlation",
        "--trust-type",
        "ambulance",
        "--characteristics",
        str(path),
        "--draws",
        "150",
    ]
    assert cli.main([*options, "--out", str(out)]) == 0
    page = (out / "metric-correlation-ambulance-q1-2025-26.html").read_text("utf-8")
    assert "Columns of own.csv against the results of ambulance trusts" in page
    assert "150 resamples of trusts and 150 permutations" in page
    capsys.readouterr()


def test_pages_are_made_for_types_with_scores_only(tmp_path, capsys):
    options = ["report", "metric_correlation", "--quarter", "Q3 2025/26", "--trust-type", "acute"]
    assert cli.main([*options, "--out", str(tmp_path / "out")]) == 2
    assert "metric_correlation has no page" in capsys.readouterr().err


def test_bad_words_in_a_notebook(figures, rebuilt):
    with pytest.raises(InputError, match="the method must be one of"):
        correlation.correlations(figures, RULES, ACUTE, "phi")
    assert "the method must be one of" in str(says.driven(rebuilt, ACUTE, "phi", 10, 1))
    assert findings.correlation is says


@pytest.mark.parametrize(
    ("coefficients", "adjusted", "expected"),
    [
        ([0.6, 0.7], [0.01, 0.01], "goes with"),
        ([-0.6, -0.7], [0.01, 0.01], "pulls against"),
        ([-0.6, 0.0, 0.05], [0.2, 0.9, 0.9], "says little about"),
        ([0.6, 0.1], [0.01, 0.4], "goes with or against, for some of them only,"),
        ([0.6, -0.7], [0.01, 0.01], "goes with or against, for some of them only,"),
    ],
)
def test_a_claim_is_as_strong_as_its_figures(coefficients, adjusted, expected):
    """Half or more, all on one side and all beyond chance: only then do ranks go together."""
    assert says._how_close(pd.DataFrame({"coefficient": coefficients, "p_adjusted": adjusted})) == expected


def test_domains_that_agree_less_than_by_lot_say_so(ambulance):
    """Ambulance trusts: -0.38 within domains, 0.16 across, further apart than labels put by lot."""
    structure = replace(ambulance.driven.structure, within=-0.38, across=0.16, p=0.015)
    said = says._domains_said(structure)
    assert "go together less than groups of items put together by lot" in said
    assert "open" in says._domains_said(replace(structure, p=0.4))
