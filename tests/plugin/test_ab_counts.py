"""`pytest-energy ab` by counts, alone and beside joules."""

import pytest

from tests.plugin.ab_repository import Repository, commit_steps, run
from tests.unit.ab.test_worktree import trees


def test_counts_alone(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """One call of each side decides, without a round: more steps fail their test, by name, and no other."""
    commit_steps(repository, 3)
    commit_steps(repository, 5)
    found = run(repository, capfd, "HEAD~1", "--basis=counts")
    assert found.status == 1, found.text
    epoch, light = found.test("test_epoch"), found.test("test_light")
    assert (epoch["verdict"], light["verdict"]) == ("regression", "pass"), found.text
    assert epoch["brief"]["cause"].startswith("step (steps.py) is called 5 times, not 3"), epoch["reason"]
    assert "compared with the counts of HEAD~1 (" in epoch["reason"]
    assert epoch["rounds"] == []
    assert "test 1 of 2: test_calc.py::test_epoch: counted" in found.text
    assert trees(repository.root) == 1


def test_equal_counts_pass_whatever_joules_do(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """What doesn't change the calls is no matter of counts: exit status 0."""
    commit_steps(repository, 3)
    commit_steps(repository, 3, heavy_j=20.0)
    found = run(repository, capfd, "HEAD~1", "--basis=counts", "--strict")
    assert found.status == 0, found.text
    assert found.test("test_epoch")["verdict"] == "pass"


def test_equal_calls_need_no_further_block(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """Equal counts and equal joules pass after the first block, and no other is begun."""
    commit_steps(repository, 3)
    found = run(repository, capfd, "HEAD")
    assert found.status == 0, found.text
    assert "test_calc.py::test_epoch: pass: no further block is needed" in found.text
    assert "block 2 of 3" not in found.text
    assert "in 1 of 3 blocks, which was enough" in found.test("test_epoch")["reason"]
    assert found.test("test_epoch")["counts"] is not None
    assert "counts alone are compared" not in found.text


def test_what_changed_is_told_beside_joules(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """A rise of the joules that counts explain ends in the first block; the message says which call."""
    commit_steps(repository, 3)
    commit_steps(repository, 5, heavy_j=16.0)
    found = run(repository, capfd, "HEAD~1")
    assert found.status == 1, found.text
    epoch = found.test("test_epoch")
    assert epoch["verdict"] == "regression"
    assert "what changed: step (steps.py) is called 5 times, not 3" in epoch["reason"]
    assert "test_calc.py::test_epoch: regression: no further block is needed" in found.text
