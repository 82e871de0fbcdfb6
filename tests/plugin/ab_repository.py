"""A scratch repository for `pytest-energy ab` and `bisect`: real git, joules from a counter of its own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.cli import main
from tests.unit.ab.test_worktree import git

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
