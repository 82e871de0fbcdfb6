"""Several ranks of one job, started by torchrun itself."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.plugin.conftest import Project

pytest.importorskip("torch")

BODY = """
import os
import signal
from pathlib import Path

import pytest
import torch.distributed as dist

RANK = int(os.environ["RANK"])

@pytest.fixture(scope="session", autouse=True)
def group():
    dist.init_process_group("gloo")
    yield
    dist.destroy_process_group()

def note(name):
    with Path(f"calls-{RANK}").open("a") as file:
        file.write(name + "\\n")
"""


class Job:
    """A run of the project's tests in two ranks."""

    def __init__(self, project: Project, *arguments: str) -> None:
        out = project.path / "out.json"
        words = ["-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "pytest", "-q"]
        sensors = [f"--energy-sensors=replay:{project.path / 'replay.json'}"] if project.has_replay else []
        done = subprocess.run(  # noqa: S603  # words of this file
            [sys.executable, *words, *sensors, f"--energy-out={out}", *arguments],
            cwd=project.path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.status, self.text = done.returncode, done.stdout + done.stderr
        self.tests: dict[str, Any] = {
            test["id"].partition("::")[2]: test for test in json.loads(out.read_text())["tests"]
        }
        self.calls = [_lines(project.path / f"calls-{rank}") for rank in range(2)]


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.mark.slow
def test_all_ranks_make_the_same_calls_and_one_of_them_reports(project: Project) -> None:
    """Rounds, calls and counted calls are rank 0's; rank 1 is silent; the job fails by rank 0's verdict.

    A body that is measured as a whole, and windows, are in step as well: each holds a collective call.
    """
    project.write(
        BODY
        + """
def step():
    note("step")
    dist.barrier()

@pytest.mark.energy(rounds=4)
def test_work(energy):
    energy.measure(step)

@pytest.mark.energy
def test_whole():
    step()

def test_window(energy):
    with energy.window("first"):
        step()
    with energy.window("second"), energy.window("phase"):
        step()

@pytest.mark.energy(budget_j=1.0, rounds=4)
def test_over(energy):
    energy.measure(step)

def test_alone(energy):
    with pytest.raises(Exception, match="energy.command measures in one process"):
        energy.command(["true"])
    energy.measure(step)
"""
    )
    names = ("test_work", "test_whole", "test_window", "test_over", "test_alone")
    project.replay({name: [10.0, 10.1, 9.9, 10.05, 10.0] for name in names})
    job = Job(project)
    assert job.calls[0] == job.calls[1] != []
    assert {name: test["verdict"] for name, test in job.tests.items()} == {
        "test_work": "no-baseline",
        "test_whole": "no-baseline",
        "test_window": "no-baseline",
        "test_over": "over-budget",
        "test_alone": "no-baseline",
    }
    assert len(job.tests["test_work"]["rounds"]) == 4
    assert job.tests["test_work"]["counts"]
    assert job.status == 1
    assert job.text.count("1 failed, 4 passed") == 1
    assert "failed by itself" not in job.text


@pytest.mark.slow
def test_a_killed_rank_is_named_and_nobody_waits(project: Project) -> None:
    """SIGKILL in a round: the test is void with the rank's name, and the run ends there."""
    project.write(
        BODY
        + """
import time

def test_work(energy):
    def work():
        note("work")
        if RANK == 1 and len(Path("calls-1").read_text().splitlines()) == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.05)
    energy.measure(work)

def test_after(energy):
    energy.measure(lambda: None)
"""
    )
    job = Job(project, "--energy-sensors=estimate", "--energy-estimates=gate", "--energy-trace=off")
    assert job.tests["test_work"]["verdict"] == "void", job.text
    assert job.tests["test_work"]["void_because"].startswith("rank 1 has ended: its process ")
    assert "test_after" not in job.tests
    assert job.status != 0


@pytest.mark.slow
def test_a_test_that_fails_on_another_rank_fails_the_job_and_shows_itself(project: Project) -> None:
    """Rank 0's reading is void and says why; rank 1's own failure is shown; the next test is measured."""
    project.write(
        BODY
        + """
def test_work(energy):
    def work():
        if RANK == 1:
            raise ValueError("broken here")
    energy.measure(work)

def test_after(energy):
    energy.measure(lambda: None)
"""
    )
    project.replay({name: [10.0, 10.1, 9.9, 10.05, 10.0] for name in ("test_work", "test_after")})
    job = Job(project)
    assert job.status == 1
    assert job.tests["test_work"]["void_because"] == (
        "rank 1 has left the test: its call failed: ValueError: broken here"
    )
    assert job.tests["test_after"]["verdict"] == "no-baseline"
    assert "rank 1 has failed by itself" in job.text


@pytest.mark.slow
def test_two_nodes_are_one_reading(project: Project) -> None:
    """Each node is a torchrun of its own; rank 0 reads the other one by an agent there.

    Both are this machine, whose one CPU the two estimate differently: by processes here, as a whole there.
    """
    project.write(BODY + "\ndef test_work(energy):\n    energy.measure(sum, range(1_000_000))\n")
    options = [
        "--energy-sensors=estimate",
        "--energy-estimates=gate",
        "--energy-rounds=2",
        "--energy-trace=off",
    ]
    out = project.path / "out.json"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"--rdzv-endpoint=127.0.0.1:{free.getsockname()[1]}"
    words = ["-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d", place]
    nodes = [
        subprocess.Popen(  # noqa: S603  # words of this file
            [sys.executable, *words, "-m", "pytest", "-q", *options, f"--energy-out={out}"],
            cwd=project.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    texts = [node.communicate(timeout=180)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], texts
    document = json.loads(out.read_text())
    (test,) = document["tests"]
    here, there = sorted(test["channels"])
    assert (here.partition("@")[0], there.partition("@")[0]) == ("cpu:machine", "cpu:processes")
    assert document["machine"]["key"].startswith("2-nodes_")
    assert document["machine"]["key"].endswith("_2-ranks")
    assert test["energy_j"] == pytest.approx(sum(test["channels"].values()))
