"""`energy.command`: a program in rounds, in a test like any other."""

import pytest

from pytest_energy.meter import rest
from tests.plugin.conftest import Project

ROUNDS_J = [9.9, 10.0, 10.1, 9.95, 10.05]
WORK = """
import sys

def test_work(energy):
    code = "open('log', 'a').write('x'); print('done')"
    result = energy.command([sys.executable, "-S", "-c", code], samples=4)
    assert (result.exit_status, result.stdout) == (0, "done\\n")
"""
FAILS = """
import sys

@pytest.mark.energy(budget_j=1)
def test_work(energy):
    energy.command([sys.executable, "-S", "-c", "import sys; print('whole'); sys.exit('broken')"])
"""


@pytest.fixture
def replayed(project: Project) -> Project:
    project.write(WORK)
    project.replay({"test_work": ROUNDS_J})
    return project


def run_count(project: Project) -> int:
    return len((project.path / "log").read_text())


@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["alone", "xdist"])
def test_each_round_is_one_run(replayed: Project, workers: list[str]) -> None:
    """As many runs as rounds; samples and the command are in the record."""
    run = replayed.run(*workers, subprocess=bool(workers))
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert [one["energy_j"] for one in entry["rounds"]] == ROUNDS_J
    assert run_count(replayed) == len(ROUNDS_J)
    assert entry["samples"] == 4
    assert entry["work"] == {"measured": "a command"}
    assert entry["tuning"]["command"].endswith("print('\"'\"'done'\"'\"')'")
    assert "in its own process" in entry["absent"]["counts"]


def test_off_it_runs_once(replayed: Project) -> None:
    """With --energy-off the command still does its work, once."""
    replayed.run("--energy-off").result.assert_outcomes(passed=1)
    assert run_count(replayed) == 1


def test_unmeasured_it_runs_once(replayed: Project) -> None:
    """Where nothing measures the test passes, with the reason."""
    replayed.replay({"test_other": ROUNDS_J})
    run = replayed.run()
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "unmeasured"
    assert run_count(replayed) == 1


def test_a_failure_is_the_tests(replayed: Project) -> None:
    """The error names command and status, the report holds all that it wrote, and there is no record."""
    replayed.write(FAILS)
    run = replayed.run()
    run.result.assert_outcomes(failed=1)
    run.result.stdout.fnmatch_lines(["*CommandError: *: exit status 1; the end of its stderr:", "*broken"])
    run.result.stdout.fnmatch_lines(["*Captured stdout call*", "whole"])
    assert run.ids == []


def test_an_expected_failure_stays_one(replayed: Project) -> None:
    """xfail covers a command as it covers any failure."""
    replayed.write(FAILS.replace("def test_work", "@pytest.mark.xfail(strict=True)\ndef test_work"))
    replayed.run().result.assert_outcomes(xfailed=1)


def test_the_first_failure_stops_a_run(replayed: Project) -> None:
    """-x after a command that failed."""
    replayed.write(f"{FAILS}\ndef test_later():\n    pass\n")
    replayed.run("-x").result.assert_outcomes(failed=1)


def test_a_budget_holds_a_command(replayed: Project) -> None:
    """Joules of a sample against their limit, as with any work."""
    replayed.write(WORK.replace("def test_work", "@pytest.mark.energy(budget_per_sample_j=2)\ndef test_work"))
    run = replayed.run()
    run.result.assert_outcomes(failed=1)
    assert run.verdict() == "over-budget"


BOARDS = """
from pathlib import Path

from pytest_energy.model import Channel, Domain, Provenance, Usage
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Facts

class Boards:
    '''Two GPUs, 100 and 50 J for each letter of work; who has one open has written a file with its name.'''
    name = "boards"
    provenance = Provenance.MEASURED
    channels = tuple(
        Channel(name=name, domain=Domain.GPU, device=name, is_ticked=False, resolution_j=1e-6)
        for name in ("gpu:0", "gpu:1")
    )

    def read_j(self, channel):
        path = Path(f"{channel} work")
        return {"gpu:0": 100.0, "gpu:1": 50.0}[channel] * (path.stat().st_size if path.exists() else 0)

    def snapshot(self, channel):
        return DeviceSnapshot()

    def state(self, channel):
        path = Path(channel)
        pid = int(path.read_text() or 0) if path.exists() else 0
        if not pid or not Path(f"/proc/{pid}").exists():
            return DeviceState(is_busy=True)
        Path(f"{channel} was seen").touch()
        return DeviceState(processes={pid: True}, is_busy=True)

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("boards",))

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {"boards": Boards}
"""
RANKS = """
import os
import sys

RANK = '''
import os, pathlib, time
device = f"gpu:{os.environ['LOCAL_RANK']}"
seen = pathlib.Path(f"{device} was seen")
more_s = 0.05 if seen.exists() else 1.0  # the first time until its environment was surely read
pathlib.Path(device).write_text(str(os.getpid()))
while not seen.exists():
    time.sleep(0.01)
time.sleep(more_s)
with open(f"{device} work", "a") as work:
    work.write("x")
'''
LAUNCHER = '''
import os, subprocess, sys
ranks = [
    subprocess.Popen(
        [sys.executable, "-S", "-c", sys.argv[1]],
        env={**os.environ, "RANK": str(4 + place), "LOCAL_RANK": str(place), "LOCAL_WORLD_SIZE": "2"},
    )
    for place in range(2)
]
sys.exit(sum(rank.wait() for rank in ranks))
'''

@pytest.mark.energy(rounds=2, warmup=1)
def test_work(energy):
    energy.command([sys.executable, "-S", "-c", LAUNCHER, RANK])
"""


def test_ranks_that_a_command_launches_are_roles(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reading of both devices, by the rank in the environment of the process on each."""
    monkeypatch.setattr(rest, "IDLE_S", 0.0)
    (project.path / "conftest.py").write_text(BOARDS, encoding="utf-8")
    project.write(RANKS)
    run = project.run("--energy-sensors=boards")
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert entry["roles"] == {"gpu:0": "rank 4", "gpu:1": "rank 5"}
    assert entry["energy_by_role_j"] == {"rank 4": 100.0, "rank 5": 50.0}
    assert entry["energy_j"] == 150.0
