"""The same inputs and the same seed give the same files."""

import pytest

from nofcore import cli

NAME = "rank-uncertainty-ambulance-q1-2025-26"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The files of a page by name, for a seed and a number of workers."""

    def files(seed: int, workers: int) -> dict[str, bytes]:
        out = tmp_path_factory.mktemp("out")
        asked = ["rank_uncertainty", "--trust-type", "ambulance", "--draws", "500"]
        assert cli.main(["report", *asked, "--seed", str(seed), "--workers", str(workers), "--out", str(out)]) == 0
        found = {path.name: path.read_bytes() for path in (out / NAME).iterdir()}
        return {name: content for name, content in found.items() if not name.endswith(".xlsx")}

    return {(seed, workers): files(seed, workers) for seed, workers in ((7, 1), (7, 2), (8, 1))}


def test_tables_and_charts_are_the_same_byte_for_byte_with_any_number_of_workers(made):
    once, again = made[7, 1], made[7, 2]
    assert {name.rpartition(".")[2] for name in once} == {"csv", "svg", "png"}
    assert once.keys() == again.keys()
    assert [name for name in once if once[name] != again[name]] == []


def test_another_seed_gives_other_ranges(made):
    assert made[7, 1][f"{NAME}-rank-ranges.csv"] != made[8, 1][f"{NAME}-rank-ranges.csv"]
