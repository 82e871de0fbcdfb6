"""Runs that wait for a device: what is said, and how it ends."""

import re
from pathlib import Path

import pytest

from pytest_energy.meter import device_lock, live
from tests.fakes.holding_process import holding
from tests.plugin.conftest import Project

# 20 W, by the clock.
CONFTEST = """
import os, time
from pytest_energy.model import Channel, Domain, Provenance, Usage
from pytest_energy.sensors.protocol import Facts

class Board:
    name = "board"
    provenance = Provenance.MEASURED
    channels = (
        Channel(
            name="cpu:board", domain=Domain.CPU, device="DEVICE", is_ticked=False, resolution_j=1e-6
        ),
    )

    def read_j(self, channel):
        return 20.0 * time.monotonic()

    def usage(self):
        return Usage()

    def facts(self):
        return Facts(key_parts=("board",))

    def close(self):
        pass

def pytest_energy_sensors(config):
    return {"board": Board}
"""
WORK = "@pytest.mark.energy(rounds=2)\ndef test_work(energy):\n    energy.measure(sorted, [1, 2])\n"


@pytest.fixture
def device(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The device of the board that a project measures; no other test knows it."""
    name = f"board of {tmp_path}"
    (project.path / "conftest.py").write_text(CONFTEST.replace("DEVICE", name), encoding="utf-8")
    monkeypatch.setattr(live, "IDLE_S", 0.0)
    project.write(WORK)
    return name


BOARD = "--energy-sensors=board"


def test_a_device_that_stays_taken(project: Project, device: str) -> None:
    """The test is an error that names the device, the process and the option; the run ends."""
    with holding(device) as process:
        run = project.run(BOARD, "--energy-device-wait=0")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"{device} was measured by another run for 0 s without a break: by pid {process.pid}" in run.text
    assert "--energy-device-wait=S" in run.text


def test_what_is_waited_for_is_said(project: Project, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log says while the run waits for whom it waits, once a process."""
    monkeypatch.setattr(device_lock, "FIRST_NOTICE_S", 0.0)
    project.write(f"{WORK}{WORK.replace('test_work', 'test_other')}")
    with holding(device) as process:
        run = project.run(BOARD, "--energy-device-wait=0.01")
    lines = [line for line in run.text.splitlines() if line.startswith("energy: waiting for")]
    assert len(lines) == 1
    assert re.fullmatch(
        rf"energy: waiting for .*board of .*; it is measured by pid {process.pid} .*", lines[0]
    )


def test_a_device_that_is_free_again(project: Project, device: str) -> None:
    """Once the other process has ended the test is measured like any."""
    with holding(device):
        pass
    run = project.run(BOARD)
    run.result.assert_outcomes(passed=1)
    assert run.verdict() == "no-baseline"


@pytest.mark.usefixtures("device")
def test_a_run_inside_a_measured_test(project: Project) -> None:
    """A run that a measured test starts ends at once: its own test says why it can't be measured."""
    project.write(
        "import subprocess, sys\n\n"
        "@pytest.mark.energy(rounds=1, warmup=0)\n"
        "def test_work():\n"
        f"    run = [sys.executable, '-m', 'pytest', '-p', 'no:cacheprovider', {BOARD!r}, 'test_inner.py']\n"
        "    done = subprocess.run(run, capture_output=True, text=True)\n"
        "    assert done.returncode == 1\n"
        "    assert 'within which this test runs' in done.stdout\n"
        "    assert '--energy-off' in done.stdout\n"
        "    assert subprocess.run([*run, '--energy-off']).returncode == 0\n"
    )
    project.write(WORK, "test_inner.py")
    run = project.run(BOARD, "test_work.py")
    run.result.assert_outcomes(passed=1)
