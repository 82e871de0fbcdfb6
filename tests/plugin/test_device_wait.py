"""Runs that wait for a device: what is said, and how it ends."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pytest_energy.meter import device_lock, rest
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
    monkeypatch.setattr(rest, "IDLE_S", 0.0)
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


def test_a_process_that_is_stopped(project: Project, device: str) -> None:
    """It will never let go: the error says that it is stopped, and what lets it go on."""
    with holding(device) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        run = project.run(BOARD, "--energy-device-wait=0")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert f"stopped (kill -CONT {process.pid} resumes it)" in run.text


def test_what_is_waited_for_is_said(project: Project, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log says while the run waits for whom it waits, once a process."""
    monkeypatch.setattr(device_lock, "FIRST_NOTICE_S", 0.0)
    project.write(f"{WORK}{WORK.replace('test_work', 'test_other')}")
    with holding(device) as process:
        run = project.run(BOARD, "--energy-device-wait=0.5")
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


@pytest.mark.usefixtures("device")
def test_a_forked_child_that_comes_back(project: Project) -> None:
    """A child that goes on as a second pytest ends, with the reason; the run itself is as ever."""
    project.write(
        "import os\n\n"
        "@pytest.mark.energy(rounds=1, warmup=0)\n"
        "def test_work():\n"
        "    pid = os.fork()\n"
        "    assert pid == 0 or os.waitpid(pid, 0)[1] != 0\n\n"
        f"{WORK.replace('test_work', 'test_other')}"
    )
    run = project.run(BOARD, subprocess=True)
    assert run.result.ret == 0
    assert "within which this test runs" in run.text
    assert [run.verdict(name) for name in ("test_work", "test_other")] == ["no-baseline"] * 2


# Runs of two users at once

AS_ANOTHER_USER = ("setpriv", "--reuid=54321", "--regid=54321", "--clear-groups")
ROOT = Path(__file__).parents[2]
# Says at once for whom it waits, and doesn't measure idle power.
HASTE = """
from pytest_energy.meter import device_lock, rest
device_lock.FIRST_NOTICE_S, rest.IDLE_S = 0.0, 0.0
"""
HELD = """
import sys, time

def work():
    print("measured", file=sys.__stderr__, flush=True)
    time.sleep(SECONDS)

@pytest.mark.energy(rounds=1, warmup=0)
def test_work(energy):
    energy.measure(work)
"""


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user can write in, as `tmp_path` is of one user only."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def run_of(
    folder: Path, name: str, *, seconds: float, prefix: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """A run in *folder*, whose test takes *seconds*; its lines come as they are written."""
    (folder / f"test_{name}.py").write_text(f"import pytest\n{HELD.replace('SECONDS', str(seconds))}")
    words = ["-p", "no:cacheprovider", "-s", BOARD, f"--energy-out={name}.json", f"test_{name}.py"]
    process = subprocess.Popen(  # noqa: S603  # our own words
        [*prefix, sys.executable, "-m", "pytest", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "HOME": str(folder)},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def line_with(text: str, process: subprocess.Popen[str]) -> str:
    """The next line of *process* that has *text* in it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return line
    raise AssertionError("".join(lines))


def is_python_of_all() -> bool:
    """Whether another user can run this Python and this package."""
    command = [*AS_ANOTHER_USER, sys.executable, "-c", "import pytest_energy"]
    return subprocess.run(command, check=False, cwd=ROOT, capture_output=True).returncode == 0  # noqa: S603


@pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None, reason="only root can be another user, by setpriv"
)
def test_two_users_and_a_run_that_is_killed(open_folder: Path, tmp_path: Path) -> None:
    """Three runs want one device, and the one that has it is killed: the others measure, one by one."""
    if not is_python_of_all():
        pytest.skip("this Python is its owner's alone")
    conftest = CONFTEST.replace("DEVICE", f"board of {tmp_path}") + HASTE
    (open_folder / "conftest.py").write_text(conftest, encoding="utf-8")
    with ExitStack() as stack:
        killed = stack.enter_context(run_of(open_folder, "killed", seconds=600))
        line_with("measured", killed)
        others = {
            name: stack.enter_context(run_of(open_folder, name, seconds=0.01, prefix=prefix))
            for name, prefix in (("theirs", AS_ANOTHER_USER), ("ours", ()))
        }
        for other in others.values():
            assert f"it is measured by pid {killed.pid}" in line_with("waiting for", other)
        killed.kill()
        texts = {name: other.communicate()[0] for name, other in others.items()}
    for name, other in others.items():
        assert other.returncode == 0, texts[name]
        (test,) = json.loads((open_folder / f"{name}.json").read_text(encoding="utf-8"))["tests"]
        assert test["verdict"] == "no-baseline"
        assert [one["energy_j"] > 0 for one in test["rounds"]] == [True]
    assert not (open_folder / "killed.json").exists()
