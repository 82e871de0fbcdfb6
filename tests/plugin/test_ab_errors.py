"""`pytest-energy ab` where it can't compare, or is ended: what it says, and that nothing is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.ab_repository import MAIN, TESTS, WAITING, Repository, run
from tests.unit.ab.test_worktree import trees

MARKED = """
import pytest
import calc

@pytest.mark.energy
def test_marked():
    import shared
    calc.heavy()


@pytest.mark.energy(rounds=1)
def test_broken(energy):
    assert "pytest-energy-ab-" not in __file__, "it breaks in a temporary tree"
    energy.measure(calc.light)
"""
DYING = """

@pytest.mark.energy
def test_zero(energy):
    import os
    os._exit(3)
"""


def test_what_can_not_be_compared_is_told(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """A test without turns is inconclusive, one that breaks on a side an error, shared code a warning."""
    repository.commit(heavy_j=10.0, tests=MARKED)
    (repository.root / "shared.py").touch()
    found = run(repository, capfd, "HEAD", "--pairs=2")
    assert found.status == 1, found.text
    assert found.test("test_marked")["verdict"] == "inconclusive", found.text
    assert "rounds not in turns" in found.test("test_marked")["reason"]
    assert "ERROR: test_calc.py::test_broken failed on HEAD (" in found.text
    assert "it breaks in a temporary tree" in found.text
    assert f"WARNING: both sides imported shared from {repository.root / 'shared.py'}" in found.text


def test_a_side_that_does_not_import_is_an_error(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """A revision that pytest can't collect ends it with the last lines of that side's output."""
    repository.commit(heavy_j=10.0, tests=f"import nowhere_to_be_found\n{TESTS}")
    repository.commit(heavy_j=10.0)
    found = run(repository, capfd, "HEAD~1")
    assert found.status == 2
    assert "pytest on HEAD~1 (" in found.text
    assert "No module named 'nowhere_to_be_found'" in found.text
    assert found.document is None
    assert trees(repository.root) == 1


def test_a_side_that_dies_ends_it_with_what_is_known(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """A process that ends in the middle is an error; the tests before it are reported all the same."""
    repository.replay([10.0, 10.1, 9.9] * 3)
    repository.commit(heavy_j=10.0, tests=TESTS + DYING)
    found = run(repository, capfd, "main", "--tolerance=0.02")
    assert found.status == 2, found.text
    assert found.test("test_light")["verdict"] == "pass"
    assert "ERROR: pytest on main (" in found.text
    assert "ended with exit status 3" in found.text
    assert trees(repository.root) == 1


def test_a_folder_that_a_side_has_not_is_an_error(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """The command can't start where one side has nothing."""
    repository.commit(heavy_j=10.0)
    (repository.root / "new").mkdir()
    found = run(repository, capfd, "main", folder="new")
    assert found.status == 2
    assert "has no folder new; start the command in a folder that both sides have" in found.text
    assert trees(repository.root) == 1


@pytest.mark.parametrize("ref", ["nowhere", "main:calc.py", "HEAD~9"])
def test_an_unknown_revision_is_an_error(
    repository: Repository, capfd: pytest.CaptureFixture[str], ref: str
) -> None:
    """A name that is no commit is refused before anything is started."""
    repository.commit(heavy_j=10.0)
    found = run(repository, capfd, ref)
    assert found.status == 2
    assert f"{ref!r} is no branch, tag or commit of {repository.root}" in found.text


def test_no_energy_test_is_an_error(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing to compare is not a pass."""
    repository.commit(heavy_j=10.0, tests="def test_plain():\n    pass\n")
    found = run(repository, capfd, "HEAD")
    assert found.status == 2
    assert "no test on either side is marked energy" in found.text


def test_an_odd_report_is_refused_before_the_work(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """A suffix that nobody can write stops it at once."""
    repository.commit(heavy_j=10.0)
    found = run(repository, capfd, "HEAD", "--out=report.doc")
    assert found.status == 2
    assert "comparing" not in found.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing_behind(
    repository: Repository, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C in the middle of a test: no worktree, no temporary folder, no worker; the status says it."""
    repository.commit(heavy_j=10.0, tests=WAITING)
    fifo, temporary = tmp_path / "fifo", tmp_path / "temporary"
    os.mkfifo(fifo)
    temporary.mkdir()
    with subprocess.Popen(  # noqa: S603  # this very interpreter
        [sys.executable, "-c", MAIN, *repository.words("HEAD")],
        cwd=repository.root,
        env=os.environ | {"AB_FIFO": str(fifo), "TMPDIR": str(temporary)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        worker_pid = int(fifo.read_text())  # waits until the test has begun
        assert trees(repository.root) == 2
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + number, errors
    assert f"stopped by {number.name}. The worktree was removed." in errors
    assert trees(repository.root) == 1
    assert list(temporary.glob("pytest-energy-ab-*")) == []
    with pytest.raises(ProcessLookupError):
        os.kill(worker_pid, 0)
