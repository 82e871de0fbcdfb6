"""`pytest-energy ab` over a scratch repository: what it says of joules, with real git and real workers."""

import pytest

from pytest_energy.stats.paired import LEAST_PAIR_COUNT
from tests.plugin.ab_repository import CONFTEST, TESTS, Repository, run
from tests.unit.ab.test_worktree import git, trees

MORE_TESTS = """

@pytest.mark.energy
def test_added(energy):
    energy.measure(calc.light)


def test_plain():
    raise AssertionError("not an energy test: it is not run")
"""


def test_a_planted_rise_is_found(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """+30 % in one function fails its test and no other; a test on one side only is an error line."""
    repository.commit(heavy_j=10.0)
    repository.commit(heavy_j=13.0, tests=TESTS + MORE_TESTS)
    found = run(repository, capfd, "HEAD~1")
    assert found.status == 1, found.text
    heavy, light = found.test("test_heavy"), found.test("test_light")
    assert (heavy["verdict"], light["verdict"]) == ("regression", "pass"), found.text
    assert heavy["baseline"]["ratio"] == pytest.approx(1.3)
    assert light["baseline"]["ratio"] == pytest.approx(1.0)
    assert len(heavy["rounds"]) >= LEAST_PAIR_COUNT
    commit = git(repository.root, "rev-parse", "--short=7", "HEAD~1")
    assert heavy["brief"]["headline"].startswith("+30.0 % energy [")
    assert heavy["brief"]["headline"].endswith(f"J on HEAD~1 ({commit})")
    assert "test_calc.py::test_added is on one side only: the working tree" in found.text
    assert found.document is not None
    notes = found.document["run_notes"]
    assert "tests without energy, which were not run: 1" in notes
    assert sum("imported from its own tree: calc, conftest, test_calc" in note for note in notes) == 2
    assert not any("WARNING" in note for note in notes)
    assert trees(repository.root) == 1


def test_the_part_that_has_moved_is_named(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """Beside 100 W that are drawn at rest, +30 % of what the work adds is told as work, and no wait is."""
    at_rest = CONFTEST.replace("return COUNTER_J[0]", "return COUNTER_J[0] + 100.0 * time.monotonic()")
    (repository.root / "conftest.py").write_text(f"import time\n{at_rest}")
    repository.commit(heavy_j=10.0)
    repository.commit(heavy_j=13.0)
    found = run(repository, capfd, "HEAD~1", "--blocks=1", "--pairs=6")
    assert found.status == 1, found.text
    heavy, light = found.test("test_heavy"), found.test("test_light")
    assert (heavy["verdict"], light["verdict"]) == ("regression", "pass"), found.text
    assert heavy["reason"].startswith("+30")
    work = next(part for part in heavy["baseline"]["parts"] if part["part"] == "work")
    assert work["ratio"] == pytest.approx(1.3, rel=0.01)


def test_unchanged_code_passes(repository: Repository, capfd: pytest.CaptureFixture[str]) -> None:
    """The same joules on both sides pass with exit status 0; the first line says what was compared."""
    repository.replay([10.0, 10.1, 9.9] * 3)
    repository.commit(heavy_j=10.0)
    found = run(repository, capfd, "main", "--tolerance=0.02")
    assert found.status == 0, found.text
    assert found.test("test_heavy")["verdict"] == "pass"
    assert len(found.test("test_heavy")["rounds"]) == 6
    commit = git(repository.root, "rev-parse", "--short=7", "HEAD")
    assert found.text.splitlines()[0] == f"comparing the working tree ({commit}) with main ({commit})"


def test_changes_that_are_not_committed_are_measured(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    """The working tree is measured as it is, and that it has changes is said."""
    repository.replay([10.0, 10.1, 9.9] * 3)
    repository.commit(heavy_j=10.0)
    repository.replay([11.0, 11.1, 10.9] * 3)
    found = run(repository, capfd, "main", "--tolerance=0.05", "--strict")
    assert found.status == 1, found.text
    assert found.test("test_heavy")["verdict"] == "regression"
    assert "with changes that are not committed) with main (" in found.text.splitlines()[0]


VARYING = """
import os
import time

import pytest
from conftest import COUNTER_J


@pytest.mark.energy(tolerance=0.1, warmup=1)
def test_varying(energy):
    def work():
        time.sleep(0.01)  # joules of no time at all are void
        COUNTER_J[0] += float(os.environ["AB_ENERGY_J"])

    energy.measure(work)
"""


def test_one_tree_with_two_environments(
    repository: Repository, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.` compares the working tree with itself; a side's own variables win, and stand in its name."""
    monkeypatch.setenv("AB_ENERGY_J", "1.0")
    repository.commit(heavy_j=10.0)
    (repository.root / "test_calc.py").write_text(VARYING)
    words = ("--env-base=AB_ENERGY_J=10", "--env=AB_ENERGY_J=13", "--pairs=6", "--blocks=1")
    found = run(repository, capfd, ".", *words)
    assert found.status == 1, found.text
    test = found.test("test_varying")
    assert (test["verdict"], test["baseline"]["ratio"]) == ("regression", pytest.approx(1.3)), found.text
    assert "under AB_ENERGY_J=13 with the working tree (" in found.text.splitlines()[0]
    assert test["brief"]["headline"].endswith("under AB_ENERGY_J=10")
    assert "WARNING" not in found.text
    assert trees(repository.root) == 1


LEVELS = """
import os
import time
from pathlib import Path
import pytest
from conftest import COUNTER_J

# The first process of the working tree uses 10 J, its others 10.5 J; those of the other side use 10 J.
SIDE = "before" if "pytest-energy-ab-" in __file__ else "after"
PLACES = Path(os.environ["AB_PLACES"]) / SIDE
BEFORE_ME = PLACES.read_text().splitlines() if PLACES.exists() else []
PLACES.write_text("".join(f"{line}\\n" for line in [*BEFORE_ME, os.getpid()]))
LEVEL_J = 10.5 if SIDE == "after" and BEFORE_ME else 10.0


@pytest.mark.energy(tolerance=0.1, warmup=1)
def test_levels(energy):
    def work():
        time.sleep(0.01)  # joules of no time at all are void
        COUNTER_J[0] += LEVEL_J

    energy.measure(work)
"""


def test_a_block_has_fresh_processes_whose_levels_average(
    repository: Repository, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each block starts both sides anew, and the levels of their processes average over the blocks.

    Nothing is counted, so that all blocks are measured.
    """
    places = repository.root.parent / "places"
    places.mkdir()
    monkeypatch.setenv("PYTEST_ADDOPTS", "--energy-trace=off", prepend=" ")
    monkeypatch.setenv("AB_PLACES", str(places))
    repository.commit(heavy_j=10.0, tests=LEVELS)
    outcome = run(repository, capfd, "HEAD", "--pairs=6")
    process_ids = [line for side in ("before", "after") for line in (places / side).read_text().splitlines()]
    assert len(process_ids) == len(set(process_ids)) == 6, outcome.text
    test = outcome.test("test_levels")
    assert test["baseline"]["ratio"] == pytest.approx(1.05 ** (2 / 3), rel=1e-6)
    assert "6 pairs of rounds, in turns in 3 blocks" in test["baseline"]["note"]
    assert [round(one["energy_j"], 6) for one in test["rounds"]] == [10.0, 10.0, 10.5, 10.5, 10.5, 10.5]
    assert "block 3 of 3, test 1 of 1: test_calc.py::test_levels: 2 pairs" in outcome.text
    assert trees(repository.root) == 1
