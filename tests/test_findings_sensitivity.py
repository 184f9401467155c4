"""What the page on other rules says, shows and refuses."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from nofcore import charts, cli, findings, framework, league, release, scenarios, sensitivity_study, tables
from nofcore.errors import InputError
from nofcore.report import downloads, plan
from tests.makers import ACUTE, AMBULANCE, COMMUNITY, Q1, Q4, table

PAGE, WEIGHTS, CHOICES, OVERRIDE = findings.sensitivity, findings.weightings, findings.sobol, findings.override
NO_GAINS = findings.incentives.Unknown("nothing is asked of improvements here")
QUICK = {"draws": 300, "sobol_n": 64, "seed": 1}
OWN = """
[[scenario]]
key = "mine"
name = "Mine <b>"
question = "What if <i>only</i> access counted twice?"
[scenario.changes]
weights = { access = 2 }
"""


def studied(trust_type: str, quarter: str = Q1, trust: str | None = None, **given):
    figures = release.embedded().release(quarter)
    return sensitivity_study.study(figures, framework.for_quarter(quarter), trust_type, trust, **QUICK | given)


@pytest.fixture(scope="module")
def acute():
    return studied(ACUTE, trust="RL1")


@pytest.fixture(scope="module")
def ambulance():
    return studied(AMBULANCE)


@pytest.fixture(scope="module")
def incomplete():
    """A quarter of which the kit holds no metric rows of acute trusts."""
    return studied(COMMUNITY, Q4)


def published(quarter: str, trust_type: str) -> pd.DataFrame:
    """NHS England's league table, read with the csv module."""
    types = {row["trust_code"]: row["trust_type"] for row in table("trusts") if row["quarter"] == quarter}
    rows = [
        row for row in table("league_tables") if row["quarter"] == quarter and types[row["trust_code"]] == trust_type
    ]
    return pd.DataFrame(rows).set_index("trust_code")


# --- scenarios ------------------------------------------------------------------------------------


def test_the_headline_gives_the_findings(acute):
    """NHS England: 134 acute trusts; the override moved 38 of them (its own account of Q1 2025/26)."""
    said = PAGE.headline(acute, NO_GAINS)
    assert (
        "of 30 other rules, each tried by itself, change ranks of the 134 acute trusts; “Domains weigh the same” does most"
        in said
    )
    assert "The financial override places 38 trusts in a worse segment" in said
    assert "Domains weigh the same" in said
    assert not re.search(r"\bnan\b|None|<NA>", said)


@pytest.mark.parametrize("name", ["acute", "ambulance", "incomplete"])
def test_no_scenario_is_left_out_of_the_page(name, request):
    """Each of the kit's scenarios stands in one of the two tables, those without effect with a reason."""
    found = request.getfixturevalue(name)
    shown = list(tables.scenario_table(found.compared, found.trust_type).frame["Scenario"])
    others = tables.scenarios_without_effect(found.compared, found.trust_type).frame
    if len(others):
        shown += list(others["Scenario"])
        assert (others["Why"] != "").all()
    assert sorted(shown) == sorted(scenario.name for scenario in scenarios.shipped())


def test_the_scenario_table_gives_the_changes_of_rank(acute):
    """Counted again from the ranks of the two tables."""
    rows = tables.scenario_table(acute.compared, ACUTE).frame.set_index("Scenario")
    shown = tables.scenario_ranks(acute.compared, ACUTE, acute.outcome("median")).frame
    change = (shown["Rank"] - shown["Rank then"]).abs()
    row = rows.loc["Median instead of mean"]
    assert row["Mean change"] == pytest.approx(change.mean()) and row["Largest"] == change.max()
    assert row["Change segment"] == (shown["Segment"] != shown["Segment then"]).sum()
    first = (shown["Rank"] <= 10) & (shown["Rank then"] <= 10)
    assert row["First 10 kept"] == first.sum()
    assert row["Of"] in set(shown.loc[change == change.max(), "Trust"])


def test_a_small_type_has_no_first_and_last_ten(ambulance):
    assert not any("10" in name for name in tables.scenario_table(ambulance.compared, AMBULANCE).frame)
    assert not any("10" in name for name in WEIGHTS.weights_table(ambulance).frame)
    assert "first 10" not in str(PAGE.about_alternative(ambulance))


def test_notes_say_what_limits_scenarios_and_name_metrics(acute):
    said = PAGE.scenario_notes(acute)._repr_html_()
    assert "Inpatient survey (&#x27;2023&#x27;, 130 trusts)" in said  # the period text of NHS England's file
    assert "Periods that are not understood, so these stay" in said
    assert not re.search(r"OF\d{4}|segment cut-offs", said)


def test_notes_speak_of_the_type_alone(incomplete):
    said = PAGE.scenario_notes(incomplete)._repr_html_()
    assert "not segmented" not in said and "Not ranked" not in said


def test_ranges_name_the_scenarios_at_both_ends(acute):
    ranks = acute.compared.ranks(ACUTE).loc["RL1"].astype(int)
    names = {one.scenario.key: one.scenario.name for one in acute.compared.outcomes}
    row = tables.scenario_ranges(acute.compared, ACUTE).frame.set_index(acute.trusts.index).loc["RL1"]
    assert row["Best"] == ranks.min() and row["Worst"] == ranks.max()
    assert (
        row["Worst"]
        == ranks[next(key for key in ranks.index if names.get(key) and row["Worst under"].startswith(names[key]))]
    )
    assert f"and {ranks.max()} (" in str(PAGE.about_trust(acute))


# --- the alternative, and what the user gives -------------------------------------------------------


def test_the_scenario_that_moves_most_is_shown_unless_another_is_asked_for(acute):
    assert acute.alternative == "equal-domains"
    assert "“Domains weigh the same”" in str(PAGE.about_alternative(acute))
    by_name = sensitivity_study._alternative(acute.compared, ACUTE, "Geometric mean")
    assert by_name == "geometric"
    assert "RL1" not in PAGE.alternative_chart(acute).alt


def test_own_scenarios_and_weights_stand_beside_the_kits(tmp_path):
    own, weighting = tmp_path / "own.toml", tmp_path / "weights.toml"
    own.write_text(OWN, "utf-8")
    weighting.write_text("[weights]\naccess = 2\n", "utf-8")
    found = studied(AMBULANCE, scenario=[str(own)], weighting=str(weighting), alternative="mine", within=25)
    rows = found.scenarios
    assert rows.at["mine", "name"] == "Mine <b>"
    kit = found.compared.ranks(AMBULANCE)["double-access"]  # the kit's scenario of the same weights
    assert found.compared.ranks(AMBULANCE)["mine"].equals(kit)
    assert found.compared.ranks(AMBULANCE)["own-weights"].equals(kit)
    assert "within ± 25 %" in str(WEIGHTS.about_weights(found)) and "within ± 25 %" in str(
        CHOICES.about_raw_weights(found)
    )
    assert "within 25 % of the official ones" in PAGE.headline(found, NO_GAINS)
    assert "2 of them your own" in str(PAGE.about_scenarios(found))
    shown = tables.scenario_table(found.compared, AMBULANCE)._repr_html_() + PAGE.about_alternative(found)._repr_html_()
    assert "Mine &lt;b&gt;" in shown and "<b>" not in shown and "<i>" not in shown


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"within": 101}, "within: must be per cent, from above 0 to 100"),
        ({"within": 0}, "within: must be per cent, from above 0 to 100"),
        ({"sobol_n": 1000}, "sobol_n: must be a power of 2"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        studied(AMBULANCE, **given)


def test_an_unknown_alternative_is_refused(acute):
    with pytest.raises(InputError, match="no scenario 'nothing'; there are z-scores"):
        sensitivity_study._alternative(acute.compared, ACUTE, "nothing")


BAD = {
    "negative": ("--weights", "[weights]\naccess = -1\n", "key weights.access"),
    "all zero": ("--weights", "[weights]\naccess=0\nsafety=0\nfinance=0\npeople=0\neffectiveness=0\n", "key weights"),
    "unknown metric": ("--weights", "[weights]\nnonsense = 2\n", "key weights.nonsense"),
    "by position": ("--weights", "weights = [1, 2]\n", "key weights"),
    "unknown key": ("--scenario", OWN.replace("weights =", "wieghts ="), "changes.wieghts"),
    "falling thresholds": (
        "--scenario",
        OWN.replace("weights = { access = 2 }", 'segments = { rule = "thresholds", thresholds = [2.3, 2.1, 2.7] }'),
        "changes.segments",
    ),
    "taken key": ("--scenario", OWN.replace('"mine"', '"median"'), "key 'median' is taken by a scenario of the kit"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_refused_before_anything_is_made(name, tmp_path, capsys):
    option, text, said = BAD[name]
    file, out = tmp_path / "rules.toml", tmp_path / "reports"
    file.write_text(text, "utf-8")
    given = ["report", "method_sensitivity", "--trust-type", "ambulance", option, str(file), "--out", str(out)]
    assert cli.main(given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "rules.toml" in error and said in error
    assert not out.exists()


def test_files_given_are_inputs_of_the_pages(tmp_path):
    own, weighting = tmp_path / "own.toml", tmp_path / "weights.toml"
    own.write_text(OWN, "utf-8")
    weighting.write_text("[weights]\naccess = 2\n", "utf-8")
    request = plan.Request(
        names=("method_sensitivity",), figures=release.embedded().release(Q1), trust_type="all", data=None, framework=None,
        out=tmp_path / "out", workers=1, weights=weighting, scenarios=(own,),
    )  # fmt: skip
    assert {"own.toml", "weights.toml"} <= {one["name"] for one in plan.provenance(request)["inputs"]}
    pages = plan.PAGES["method_sensitivity"](request)
    assert [page.slug for page in pages] == [
        f"method-sensitivity-{kind}-q1-2025-26" for kind in ("acute", "ambulance", "mental-health-and-community")
    ]
    assert all(
        page.parameters["scenario"] == [str(own)] and page.parameters["weights"] == str(weighting) for page in pages
    )


# --- leaving out, weights, Sobol indices --------------------------------------------------------------


def test_left_out_metrics_are_the_scenarios_of_the_same_change(acute):
    """The kit's scenario without sickness absence, against the table of metrics left out."""
    rows = PAGE.left_out_table(acute, "Metric").frame.set_index("Metric")
    scenario = acute.scenarios.loc["no-sickness"]
    assert rows.at["Sickness absence", "Mean change"] == pytest.approx(scenario["mean_change"])
    assert rows.at["Sickness absence", "Trusts with it"] == 134
    domain = PAGE.left_out_table(acute, "Domain").frame.set_index("Domain")
    finance = domain.at["Finance and productivity", "Mean change"]
    assert finance == pytest.approx(acute.scenarios.at["no-finance-domain", "mean_change"])
    frame = PAGE.ranks_left_out(acute).frame
    assert ((frame["Best without a metric"] < frame["Rank"]) | frame["Best without a metric"].isna()).all()
    assert ((frame["Worst without a metric"] > frame["Rank"]) | frame["Worst without a metric"].isna()).all()


def test_shares_of_weightings_add_up(acute):
    frame = WEIGHTS.weights_table(acute).frame
    shares = frame[[f"Segment {number} (%)" for number in (1, 2, 3, 4)]].sum(axis=1)
    np.testing.assert_allclose(shares, 100)
    assert (frame["Largest error"] > 0).all()
    assert frame["First (%)"].sum() >= 100 - 1e-9  # ties may give more than one first
    assert "300 weightings" in str(WEIGHTS.about_weights(acute))


def test_favourable_weights_give_the_trust_a_better_average(acute):
    frame = WEIGHTS.favourable_table(acute).frame
    official, best = frame["Official weight (%)"], frame["Weight that favours it (%)"]
    assert official.sum() == pytest.approx(100) and best.sum() == pytest.approx(100)
    assert official.nunique() == 1  # every item weighs the same
    average = float(published(Q1, ACUTE).at["RL1", "average_score"])
    assert (frame["Its score"] * official / 100).sum() == pytest.approx(average, abs=0.006)
    assert (frame["Its score"] * best / 100).sum() < average


def test_the_range_of_weights_is_said(ambulance):
    assert "over all there could be" in str(WEIGHTS.about_weights(ambulance))
    assert "within ± 50 %" in str(CHOICES.about_raw_weights(ambulance))


def test_rules_that_weigh_by_domain_have_no_weights_to_draw(ambulance):
    domains = next(one for one in scenarios.shipped() if one.key == "equal-domains")
    rules = scenarios.apply(framework.for_quarter(Q1), domains)
    rebuilt = league.build(release.embedded().release(Q1), rules)
    none = sensitivity_study._or_why_not(lambda: sensitivity_study._acceptability(rebuilt, AMBULANCE, None, 300, 1))
    assert none.startswith("these rules weigh by domain")
    found = dataclasses.replace(ambulance, weightings=none, raw_weights=none)
    assert str(WEIGHTS.about_weights(found)).startswith("Not available, because these rules weigh by domain")
    assert str(CHOICES.about_raw_weights(found)).startswith("Not available, because")
    assert str(WEIGHTS.weights_chart(found)) == "" and str(WEIGHTS.favourable_table(found)) == ""
    assert "weights drawn at random" not in PAGE.headline(found, NO_GAINS)


def test_sobol_bars_and_tables_cover_every_choice(acute):
    assert len(CHOICES.sobol_table(acute, "methods").frame) == len(scenarios.factors())
    assert "alone" in str(CHOICES.about_methods(acute)) and "as likely as any other" in str(
        CHOICES.about_methods(acute)
    )
    items = CHOICES.sobol_table(acute, "raw_weights").frame
    assert len(items) == 25 and items["Alone"].str.contains(" to ").all()
    assert "Sobol indices, first-order and total, of choices of method" in CHOICES.sobol_chart(acute, "methods").alt


# --- the override ---------------------------------------------------------------------------------


def test_the_override_against_nhs_england(acute):
    """From the published table: capped trusts, their ranks, and ranks on the published averages without a cap."""
    official = published(Q1, ACUTE)
    shown = OVERRIDE.override_trusts(acute).frame.set_index("Trust")
    without = official["average_score"].astype(float).rank(method="min").astype(int)
    names = {row["trust_code"]: row["trust_name"] for row in table("trusts") if row["quarter"] == Q1}
    by_name = pd.DataFrame({"rank": official["rank"].astype(int), "without": without}).rename(index=names)
    both = by_name.loc[shown.index]
    assert (both["rank"] == shown["Rank"]).all() and (both["without"] == shown["Rank without"]).all()
    assert (shown["Segment"] > shown["Segment by the average"]).sum() == 38
    moved = by_name[by_name["rank"] != by_name["without"]]
    assert set(moved.index) <= set(shown.index)


def test_it_is_said_that_two_scenarios_are_one(acute, ambulance):
    for found in (acute, ambulance):
        said = str(OVERRIDE.about_override(found))
        assert "“No override” and “Rank on the average alone” give every one of the" in said
        assert "one scenario under two names" in said


# --- the whole page -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["acute", "ambulance", "incomplete"])
def test_every_section_has_something_to_say(name, request):
    found = request.getfixturevalue(name)
    abouts = [
        getattr(page, one)
        for page in (PAGE, WEIGHTS, CHOICES, OVERRIDE)
        for one in dir(page)
        if one.startswith("about_")
    ]
    for said in [
        PAGE.headline(found, NO_GAINS),
        *(str(about(found)) for about in abouts),
        str(PAGE.limitations(found)),
    ]:
        assert said.strip() and not re.search(r"\bnan\b|None|<NA>|\{|\bOF\d{4}", said), said
    assert all(isinstance(value, str) for value in PAGE.facts(found, NO_GAINS).values())
    alts = [
        charts.scenario_changes(found.compared, found.trust_type).alt,
        charts.scenario_ranges(found.compared, found.trust_type, found.trust).alt,
        PAGE.alternative_chart(found).alt, WEIGHTS.weights_chart(found).alt, CHOICES.sobol_chart(found, "raw_weights").alt,
    ]  # fmt: skip
    assert all(alt.endswith(".") and len(alt) > 60 and not re.search(r"\bnan\b", alt) for alt in alts)


def test_a_trust_of_another_type_is_not_marked(ambulance):
    """Ten ambulance trusts: the middle one stands for a trust that is not asked for."""
    assert not ambulance.marked and ambulance.trust == ambulance.trusts.index[5]
    assert sensitivity_study.study.__kwdefaults__["within"] is None


# --- files beside the page ------------------------------------------------------------------------


def test_tables_are_saved_beside_the_page_as_a_spreadsheet_may_open_them(tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.FOLDER, str(tmp_path))
    monkeypatch.setenv(downloads.NAME, "page")
    kept = downloads.save_tables({"draws": ("All <draws>", pd.DataFrame({"=a": ["+1", "x"], "n": [-1, 2]}))})
    assert (tmp_path / "page-draws.csv").read_text("utf-8") == "'=a,n\n'+1,-1\nx,2\n"
    assert kept.facts == {"downloads": {"page-draws.csv": "All <draws> (2 rows, CSV)"}}
    assert (
        kept._repr_html_()
        == '<ul><li><a href="page/page-draws.csv" download>All &lt;draws&gt; (2 rows, CSV)</a></li></ul>'
    )


def test_a_notebook_is_told_where_its_files_go(tmp_path):
    from nofcore.report.execute import OwnKernel

    kernel = OwnKernel(page_folder="folder", page_name="page", connection_file=str(tmp_path / "kernel.json"))
    assert kernel.kernel_spec.env[downloads.FOLDER] == "folder" and kernel.kernel_spec.env[downloads.NAME] == "page"


def test_a_notebook_run_by_hand_writes_no_files(tmp_path, monkeypatch):
    monkeypatch.delenv(downloads.FOLDER, raising=False)
    monkeypatch.chdir(tmp_path)
    kept = downloads.save_tables({"draws": ("Draws", pd.DataFrame({"a": [1]}))})
    assert kept.facts == {} and not list(Path().iterdir()) and "No file was written" in kept._repr_html_()


def test_draw_tables_hold_every_draw(acute):
    kept = {name: frame for name, (_, frame) in PAGE.draw_tables(acute).items()}
    assert len(kept["method-draws"]) == np.prod([1 + len(one.alternatives) for one in scenarios.factors()])
    assert len(kept["weight-draws"]) == 64 * (25 + 2)  # n (factors + 2)
    assert len(kept["without-one-metric"]) == 134
    official = kept["method-draws"].iloc[0]
    assert official["mean_change"] == 0 and official["RL1"] == int(published(Q1, ACUTE).at["RL1", "rank"])
