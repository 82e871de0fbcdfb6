"""`pytest-energy ab` over a scratch repository: real git, real workers, joules from a counter of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.cli import main
from pytest_energy.stats.paired import LEAST_PAIR_COUNT
from tests.plugin.conftest import measure_by_a_virtual_clock
from tests.unit.ab.test_worktree import git, trees

# A counter that only the work moves, so that every joule is known.
CONFTEST = """
import os
import sys
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.usage import Usage
from pytest_energy.sensors.protocol import Facts

COUNTER_J = [0.0]
sys.path.append(os.environ.get("AB_ORIGIN", ""))


class Counter:
    name = "counter"
    provenance = Provenance.MEASURED
    channels = (
        Channel(name="cpu:counter", domain=Domain.CPU, device="counter", is_ticked=False, resolution_j=0.0),
    )

    def read_j(self, channel):
        return COUNTER_J[0]

    def usage(self):
        return Usage()

    def facts(self):
        return Facts()

    def close(self):
        pass


def pytest_energy_sensors(config):
    return {"counter": Counter}
"""
CALC = """
import time

from conftest import COUNTER_J


def work(energy_j):
    time.sleep(0.01)  # joules of no time at all are void
    COUNTER_J[0] += energy_j


def heavy():
    work({heavy_j})


def light():
    work(10.0)
"""
TESTS = """
import pytest
import calc


@pytest.mark.energy(tolerance=0.1, warmup=1)
def test_heavy(energy):
    energy.measure(calc.heavy)


@pytest.mark.energy(tolerance=0.1, warmup=1)
def test_light(energy):
    energy.measure(calc.light)
"""
MORE_TESTS = """

@pytest.mark.energy
def test_added(energy):
    energy.measure(calc.light)


def test_plain():
    raise AssertionError("not an energy test: it is not run")
"""
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


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the command."""

    status: int
    text: str
    document: dict[str, Any] | None

    def test(self, name: str) -> dict[str, Any]:
        assert self.document is not None, self.text
        found: list[dict[str, Any]] = [
            one for one in self.document["tests"] if one["id"] == f"test_calc.py::{name}"
        ]
        assert len(found) == 1, self.text
        return found[0]


class Repository:
    """A scratch repository of one test file."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        git(root, "init", "-q", "-b", "main")
        (root / ".gitignore").write_text("__pycache__\n.pytest_cache\nshared.py\nout.json\n")
        (root / "conftest.py").write_text(CONFTEST)

    def commit(self, *, heavy_j: float, tests: str = TESTS) -> None:
        (self.root / "calc.py").write_text(CALC.format(heavy_j=heavy_j))
        (self.root / "test_calc.py").write_text(tests)
        git(self.root, "add", "-A")
        git(self.root, "commit", "-qm", f"{heavy_j} J")

    def replay(self, energies_j: Sequence[float]) -> None:
        """Have every test's rounds use *energies_j*, on each side by its own tree's file."""
        rounds = [{"energy_j": e, "duration_s": 1.0, "channels": {"gpu:0": e}} for e in energies_j]
        tests = {f"test_calc.py::test_{name}": {"rounds": rounds} for name in ("heavy", "light")}
        (self.root / "replay.json").write_text(json.dumps({"format": 1, "tests": tests}))

    def words(self, ref: str, *words: str) -> list[str]:
        """The command's, with the replay as the source of joules where there is one."""
        has_replay = (self.root / "replay.json").exists()
        sensors = "--energy-sensors=" + ("replay:replay.json" if has_replay else "counter")
        return ["ab", ref, f"--out={self.root / 'out.json'}", *words, "--", sensors]


def run(
    repository: Repository, capfd: pytest.CaptureFixture[str], ref: str, *words: str, folder: str = "."
) -> Outcome:
    """Run the command in *folder* of *repository*."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(repository.root / folder)
        patch.setenv("AB_ORIGIN", str(repository.root))
        status = main(repository.words(ref, *words))
    captured = capfd.readouterr()
    out = repository.root / "out.json"
    document = json.loads(out.read_text()) if out.exists() else None
    return Outcome(status=status, text=captured.out + captured.err, document=document)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    measure_by_a_virtual_clock(monkeypatch)
    return Repository(tmp_path / "ab-test")


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


STEPS = """
import calc


def step():
    return sum(range(100))


def epoch():
    for _ in range(calc.STEP_COUNT):
        step()
"""
COUNTED = """
import pytest
import calc
import steps


@pytest.mark.energy(tolerance=0.1, warmup=1)
def test_epoch(energy):
    def work():
        steps.epoch()
        calc.heavy()

    energy.measure(work)


@pytest.mark.energy(tolerance=0.1, warmup=1)
def test_light(energy):
    energy.measure(calc.light)
"""


def commit_steps(repository: Repository, step_count: int, *, heavy_j: float = 10.0) -> None:
    """A commit whose epoch has so many steps, and uses so much."""
    (repository.root / "steps.py").write_text(STEPS)
    (repository.root / "calc.py").write_text(CALC.format(heavy_j=heavy_j) + f"\nSTEP_COUNT = {step_count}\n")
    (repository.root / "test_calc.py").write_text(COUNTED)
    git(repository.root, "add", "-A")
    git(repository.root, "commit", "-qm", f"{step_count} steps")


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


WAITING = """
import os
import signal
import pytest


@pytest.mark.energy
def test_waiting(energy):
    with open(os.environ["AB_FIFO"], "w") as fifo:
        fifo.write(str(os.getpid()))
    signal.pause()
"""
MAIN = """
from pytest_energy.cli import main
raise SystemExit(main())
"""


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
