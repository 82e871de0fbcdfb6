"""The repository with a planted commit, and that it is found."""

import json
from pathlib import Path

import pytest

from benchmarks.bisect.show import COMMIT_COUNT, PLANTED, built, faults_of, git, main


def test_only_the_planted_commit_changes_the_work(tmp_path: Path) -> None:
    """Thirteen commits; the number of blocks changes at one of them, the test at none."""
    names = built(tmp_path / "repository", "cpu")
    assert len(set(names)) == COMMIT_COUNT + 1
    counts = [
        git(tmp_path / "repository", "show", f"{name}:model.py").partition("BLOCK_COUNT = ")[2][0]
        for name in names
    ]
    assert counts == ["4"] * PLANTED + ["5"] * (COMMIT_COUNT + 1 - PLANTED)
    assert git(tmp_path / "repository", "log", "--format=%h", "--", "test_model.py").count("\n") == 0


def test_another_commit_or_too_many_steps_are_faults() -> None:
    found = {"culprit": {"commit": {"commit": "abc"}}, "steps": [1] * 5}
    assert faults_of(found, "abc") == []
    assert faults_of(found, "def") == ["found abc, planted def"]
    assert faults_of(found | {"culprit": None}, "def") == ["found None, planted def"]
    assert faults_of(found | {"steps": [1] * 6}, "abc") == ["6 steps, more than 5"]


@pytest.mark.slow
def test_the_planted_commit_is_found_by_counts(tmp_path: Path) -> None:
    """Of 12 with a small CNN on the CPU, in at most 5 steps, and nothing is left in the repository."""
    assert main(tmp_path, "cpu") == 0
    found = json.loads((tmp_path / "bisect.json").read_text())
    assert found["culprit"]["commit"]["subject"] == "Refine the features once more"
    assert (tmp_path / "bisect.md").read_text().startswith("# Which commit")
