"""Like with like: shares of variance against analysis of variance, ranks against pandas, and a table of one's own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nofcore import characteristics, peers, release
from nofcore.errors import InputError
from tests.figures import rebuilt_of

ACUTE, AMBULANCE, MENTAL = "Acute trust", "Ambulance trust", "Mental health and community trust"


@pytest.fixture(scope="module")
def first():
    return rebuilt_of("Q1 2025/26")


@pytest.fixture(scope="module")
def figures():
    return release.embedded().release("Q1 2025/26")


# --- shares of variance ---------------------------------------------------------------------------


def test_shares_between_groups_in_the_first_quarter(first):
    """About 19, 8 and 0 % between subtypes, regions and types."""
    rows = peers.shares_between(first, ACUTE, draws=200).set_index(["among", "by"])
    every = rows.loc["all trusts"]
    assert (every["eta"] * 100).round().tolist() == [19, 8, 0]
    assert every["n"].tolist() == [205] * 3
    assert every["groups"].tolist() == [10, 7, 3]


def test_eta_squared_against_scipys_analysis_of_variance(first):
    """eta² = (g - 1) F / ((g - 1) F + n - g)."""
    rows = first.of(ACUTE)
    for by in ("trust_subtype", "region"):
        groups = [part["average_score"] for _, part in rows.groupby(by)]
        f, g, n = stats.f_oneway(*groups).statistic, len(groups), len(rows)
        codes = pd.factorize(rows[by])[0]
        eta = peers.eta_squared(rows["average_score"].to_numpy()[None], codes)[0]
        assert eta == pytest.approx((g - 1) * f / ((g - 1) * f + n - g))
        omega = (g - 1) * (f - 1) / ((g - 1) * (f - 1) + n)
        assert peers.omega_squared(eta, n, g) == pytest.approx(omega)


def test_groups_made_by_lot_have_their_share_on_average():
    random = np.random.default_rng(1)
    groups = np.repeat([0, 1, 2, 3], [3, 7, 10, 20])
    shuffled = random.permuted(np.tile(random.normal(size=40), (4_000, 1)), axis=1)
    eta = peers.eta_squared(shuffled, groups)
    assert eta.mean() == pytest.approx(3 / 39, abs=0.003)
    assert np.mean([peers.omega_squared(one, 40, 4) for one in eta]) == pytest.approx(0, abs=0.005)


def test_p_of_groups_against_scipy():
    random = np.random.default_rng(2)
    groups = np.repeat([0, 1, 2], 12)
    values = random.normal(size=36) + 0.5 * groups
    expected = stats.f_oneway(*(values[groups == g] for g in range(3))).pvalue
    p, error = peers.eta_p(values, groups, 5_000, 1)
    assert p == pytest.approx(expected, abs=max(error, 0.01))


def test_groups_that_cannot_be_compared(first):
    rows = peers.shares_between(first, AMBULANCE, draws=50).set_index(["among", "by"])
    subtype = rows.loc[("ambulance trusts", "trust_subtype")]
    assert subtype["reason"] == "not available, because all are of one subtype"
    assert np.isnan(subtype["eta"])
    assert rows.loc[("ambulance trusts", "region"), "by_lot"] == pytest.approx(6 / 9)
    assert peers.omega_squared(1.0, 5, 5) != peers.omega_squared(1.0, 5, 5)  # NaN


# --- ranks within subtype -------------------------------------------------------------------------


def test_ranks_within_subtype_against_pandas(first):
    rows = peers.within_subtype(first, ACUTE)
    groups = rows.groupby("trust_subtype")["average_score"]
    assert rows["rank_in_subtype"].tolist() == groups.rank(method="min").astype(int).tolist()
    assert rows["of"].tolist() == groups.transform("size").tolist()
    assert rows["residual"].groupby(rows["trust_subtype"]).mean().abs().max() < 1e-9
    assert rows["rank"].is_monotonic_increasing
    assert rows.loc["RP6", ["rank", "rank_in_subtype"]].tolist() == [1, 1]  # Moorfields, first of the specialists


def test_the_only_trust_of_a_subtype_has_no_residual(first):
    rows = first.trusts.copy()
    rows.loc["RP6", "trust_subtype"] = "Alone"
    found = peers.within_subtype(type(first)(**{**vars(first), "trusts": rows}), ACUTE)
    assert np.isnan(found.at["RP6", "residual"])
    assert found.loc["RP6", ["rank_in_subtype", "of"]].tolist() == [1, 1]


# --- a table of one's own -------------------------------------------------------------------------


def write(tmp_path, text: str):
    path = tmp_path / "own.csv"
    path.write_text(text, "utf-8")
    return path


def own_file(tmp_path, first, extra: str = "") -> object:
    """Numbers that go with the average exactly, and noise."""
    random = np.random.default_rng(4)
    lines = ["trust_code,trust_name,good,noise"]
    for code, average in first.of(ACUTE)["average_score"].items():
        lines.append(f"{code.lower()},whatever,{5 - average:.2f},{random.normal():.4f}")
    return write(tmp_path, "\n".join(lines) + "\n" + extra)


def test_own_figures_against_averages_domains_and_residuals(first, figures, tmp_path):
    own = characteristics.read(own_file(tmp_path, first, "XXX,nowhere,1,2\n"), figures)
    assert own.unmatched == ("XXX",)
    found = peers.correlates(own, first, ACUTE, draws=300)
    rows = found.table().set_index(["column", "outcome"])
    assert rows.loc[("good", "average"), "coefficient"] == pytest.approx(1)
    assert rows.loc[("good", "average"), "n"] == 134
    mine = peers.within_subtype(first, ACUTE)
    # Both are taken less the means of subtypes, so what goes with the average goes with the residual too.
    assert rows.loc[("good", "residual"), "coefficient"] == pytest.approx(1)
    noise, better = own.values["noise"].reindex(mine.index).rank(), (5 - mine["average_score"]).rank()
    centred = [one - one.groupby(mine["trust_subtype"]).transform("mean") for one in (noise, better)]
    assert rows.loc[("noise", "residual"), "coefficient"] == pytest.approx(np.corrcoef(*centred)[0, 1], abs=1e-9)
    access = -first.domain_scores["access"].reindex(mine.index)
    expected = stats.spearmanr(access, 5 - mine["average_score"], nan_policy="omit").statistic
    assert rows.loc[("good", "access"), "coefficient"] == pytest.approx(expected, abs=1e-9)
    assert rows.loc[("noise", "average"), "p_adjusted"] > 0.01
    assert len(rows) == 2 * 7  # average, residual and five domains
    assert found.without == ()


def test_missing_figures_and_trusts_are_counted(first, figures, tmp_path):
    path = write(tmp_path, "trust_code,beds,rating\nRP6,*,2\nRAN,100,-\nRBV,200,3\nRBQ,300,\nRJ1,n/a,1\nRX7,50,2\n")
    own = characteristics.read(path, figures)
    assert own.values["beds"].isna().tolist() == [True, False, False, False, True, False]
    found = peers.correlates(own, first, ACUTE, draws=50)
    assert len(found.without) == 134 - 5  # RX7 is an ambulance trust
    assert found.rows["reason"].str.contains("have both").all()
    assert found.rows["coefficient"].isna().all()


def test_a_constant_column_says_so(first, figures, tmp_path):
    text = "trust_code,beds\n" + "".join(f"{code},7\n" for code in first.of(AMBULANCE).index)
    found = peers.correlates(characteristics.read(write(tmp_path, text), figures), first, AMBULANCE, draws=50)
    assert (
        found.rows["reason"]
        == "not available, because beds is the same for all 10 of the ambulance trusts that have both"
    ).all()
    # An own column may be called what an outcome is called.
    assert set(found.rows["outcome"]) >= {"average", "residual"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("code,beds\nRJ1,5\n", "own.csv, row 1, column trust_code: no such column; add it"),
        ("trust_code;beds\nRJ1;5\n", "own.csv, row 1: is separated by semicolons"),
        ("trust_code,trust_name\nRJ1,x\n", "row 1: holds no column of figures"),
        ("trust_code,beds,beds\nRJ1,5,6\n", "row 1, column beds: stands twice in the header"),
        ("trust_code,beds,\nRJ1,5,6\n", "row 1: column 3 has no name"),
        ("trust_code,beds\nRJ1,many\n", "own.csv, row 2, column beds: 'many' is not a number"),
        (
            "trust_code,rating\nRJ1,Good\nRP6,Requires improvement\n",
            "row 2, column rating: 'Good' is not a number; write ratings as numbers",
        ),
        ('trust_code,beds\nRJ1,"1,200"\n', "row 2, column beds: '1,200' is not a number"),
        ("trust_code,share\nRJ1,12%\n", "row 2, column share: '12%' is not a number"),
        ("trust_code,beds\nRJ1,nan\n", "row 2, column beds: 'nan' is not a number"),
        ("trust_code,beds\nRJ1,1e999\n", "row 2, column beds: '1e999' is not a number"),
        (
            "trust_code,beds\nRJ1,5\nrj1,6\n",
            "own.csv, row 3, column trust_code: a second row for RJ1 (the first is row 2)",
        ),
        ("trust_code,beds\n,5\n", "row 2, column trust_code: is empty"),
        ("trust_code,beds\nRJ1,5,6\n", "row 2: has 3 cells where the header has 2"),
        (
            "trust_code,beds\nXXX,5\nYYY,6\n",
            "column trust_code: none of the 2 codes is a trust of Q1 2025/26 (the first is 'XXX')",
        ),
        ("trust_code,beds\n", "own.csv: holds no row of Q1 2025/26"),
        ("", "own.csv: is empty"),
        ("quarter,trust_code,beds\nsummer,RJ1,5\n", "row 2, column quarter: 'summer' is not a quarter"),
    ],
)
def test_a_table_that_cannot_be_used(figures, tmp_path, text, said):
    with pytest.raises(InputError) as caught:
        characteristics.read(write(tmp_path, text), figures)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_all_problems_of_a_table_at_once(figures, tmp_path):
    with pytest.raises(InputError) as caught:
        characteristics.read(write(tmp_path, "trust_code,a,b\nRJ1,x,1\nRP6,2,y\n"), figures)
    assert [problem.column for problem in caught.value.problems] == ["a", "b"]


def test_a_file_that_is_not_there_or_not_text(figures, tmp_path):
    with pytest.raises(InputError, match=r"own.csv: cannot be read"):
        characteristics.read(tmp_path / "own.csv", figures)
    with pytest.raises(InputError, match="cannot be read"):
        characteristics.read(tmp_path, figures)
    path = tmp_path / "own.csv"
    path.write_bytes("trust_code,beds\nRJ1,5 é\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"own.csv, row 2: is not UTF-8 text"):
        characteristics.read(path, figures)


def test_rows_of_other_quarters_are_left_out_and_counted(figures, tmp_path):
    path = write(tmp_path, "quarter,trust_code,beds\nQ1 2025/26,RJ1,5\nQ2 2025/26,RJ1,6\nQ2 2025/26,RP6,7\n")
    found = characteristics.read(path, figures)
    assert found.values["beds"].to_dict() == {"RJ1": 5}
    assert found.notes == ("own.csv: 2 rows of other quarters than Q1 2025/26 left out",)


def test_a_byte_order_mark_blank_lines_and_no_break_spaces(figures, tmp_path):
    path = tmp_path / "own.csv"
    path.write_bytes("\ufefftrust_code, beds\r\n\r\n\u00a0RJ1 , 5\u00a0\r\n".encode())
    assert characteristics.read(path, figures).values["beds"].to_dict() == {"RJ1": 5}
