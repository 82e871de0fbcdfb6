"""`pytest-energy bisect` over a scratch repository: real git, real workers, joules from a counter."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from pytest_energy.cli import main
from tests.plugin.ab_repository import MAIN, WAITING, Repository, commit_steps
from tests.unit.ab.test_worktree import git, trees


class Outcome(NamedTuple):
    """One run of the command."""

    status: int
    text: str
    document: dict[str, Any]


def run(repository: Repository, capfd: pytest.CaptureFixture[str], *words: str) -> Outcome:
    """Run the command in *repository*, with the counter as the source of joules."""
    out = repository.root.parent / "bisect.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository.root)
        patch.setenv("AB_ORIGIN", str(repository.root))
        status = main(["bisect", *words, f"--out={out}", "--", "--energy-sensors=counter"])
    captured = capfd.readouterr()
    document = json.loads(out.read_text()) if out.exists() else {}
    return Outcome(status, captured.out + captured.err, document)


def test_the_commit_is_found_by_joules(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """The commit with +30 % is named, with its joules and those of its parent, in the rounds of its step."""
    for heavy_j in (10.0, 10.01, 13.0):
        repository.commit(heavy_j=heavy_j)
    planted, parent = (git(repository.root, "rev-parse", name) for name in ("HEAD", "HEAD~1"))
    found = run(repository, capfd, "HEAD~2", "--test=heavy", "--blocks=1", "--pairs=6")
    assert found.status == 0, found.text
    culprit = found.document["culprit"]
    assert (culprit["commit"]["commit"], culprit["before"]["commit"]) == (planted, parent)
    ratios = [energy_j / culprit["energies_j"][0] for energy_j in culprit["energies_j"]]
    assert ratios == pytest.approx([1.0, 13.0 / 10.01], rel=1e-3)
    assert [one["answer"] for one in found.document["steps"]] == ["bad", "good"]
    assert f"{planted[:7]} is the first commit with more energy: +30" in found.text
    assert trees(repository.root) == 1


def test_the_commit_is_found_by_counts(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """What the commit calls is named; a commit that can't be imported is skipped, with its error."""
    commit_steps(repository, 3)
    git(repository.root, "commit", "-qm", "nothing", "--allow-empty")
    (repository.root / "conftest.py").write_text("import nothing_of_that_name\n")
    git(repository.root, "commit", "-qam", "broken")
    git(repository.root, "revert", "--no-edit", "HEAD")
    commit_steps(repository, 5)
    planted = git(repository.root, "rev-parse", "HEAD")
    found = run(repository, capfd, "HEAD~4", "--basis=counts")
    assert found.status == 0, found.text
    assert found.document["culprit"]["commit"]["commit"] == planted
    assert "what changed: step (steps.py)" in found.text
    assert found.document["culprit"]["energies_j"] is None
    answers = [one["answer"] for one in found.document["steps"]]
    assert answers[:2] == ["bad", "skip"], found.text
    assert set(answers[2:]) == {"good"}, found.text
    assert "ModuleNotFoundError: No module named 'nothing_of_that_name'" in found.text
    assert trees(repository.root) == 1


def test_ctrl_c_leaves_nothing_behind(repository: Repository, tmp_path: Path) -> None:
    """In the middle of a step: no worktree, no temporary folder; the command that continues is shown."""
    repository.commit(heavy_j=10.0, tests=WAITING)
    repository.commit(heavy_j=11.0, tests=WAITING)
    fifo, temporary = tmp_path / "fifo", tmp_path / "temporary"
    os.mkfifo(fifo)
    temporary.mkdir()
    words = ["bisect", "HEAD~1", "--basis=counts", "--", "--energy-sensors=counter"]
    with subprocess.Popen(  # noqa: S603  # this very interpreter
        [sys.executable, "-c", MAIN, *words],
        cwd=repository.root,
        env=os.environ | {"AB_FIFO": str(fifo), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        fifo.read_text()  # waits until the test has begun
        assert trees(repository.root) == 3
        process.send_signal(signal.SIGINT)
        text, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT, text
    assert text.splitlines()[-2:] == [
        "stopped by SIGINT. The worktrees were removed.",
        "continue with: pytest-energy bisect 'HEAD~1' HEAD",
    ]
    assert trees(repository.root) == 1
    assert list(temporary.glob("pytest-energy-*")) == []
