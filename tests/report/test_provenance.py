"""Where a result comes from."""

import re
import shutil
import subprocess

import pytest

from nofcore.report import provenance


def test_inputs_and_rules_are_named_with_their_hash_and_without_folders(tmp_path):
    file = tmp_path / "data.csv"
    file.write_bytes(b"abc")
    found = provenance.collect({"Scores": file}, framework=file)
    # The hash of "abc" in FIPS 180-4.
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert found["inputs"] == [{"name": "Scores", "sha256": digest}]
    assert found["framework"] == {"name": "data.csv", "sha256": digest}
    assert str(tmp_path) not in str(found)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", found["time"])
    assert {"numpy", "pandas", "papermill"} <= found["packages"].keys()


def test_a_package_that_is_absent_says_so():
    assert provenance.versions(["no-such-package-here"]) == {"no-such-package-here": "not installed as a package"}


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_the_commit_is_marked_when_the_tree_has_changes(tmp_path):
    def git(*arguments):
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    (tmp_path / "a").write_text("1")
    git("add", ".")
    assert provenance.git_state(tmp_path) is None  # no commit yet
    git("commit", "-m", "first")
    state = provenance.git_state(tmp_path)
    assert re.fullmatch("[0-9a-f]{40}", state["commit"])
    assert state["changed"] is False
    (tmp_path / "a").write_text("2")
    assert provenance.git_state(tmp_path)["changed"] is True


def test_no_git_and_no_repository_are_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance.git_state(tmp_path) is None
    monkeypatch.setenv("PATH", "")
    assert provenance.git_state(tmp_path) is None
