"""Work on the nodes of a local Ray cluster with simulated GPUs; one node is killed in a window.

Run by `benchmarks.ray.local`, which starts the cluster, in this order.
"""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

import pytest_energy
from benchmarks.ray.simulated import FOLDER, NODE, here

ray: Any = pytest.importorskip("ray")

ADDRESS = "ENERGY_SIMULATED_ADDRESS"
DEMANDS = {"alpha": (400.0, 1.0), "beta": (700.0, 1.3), "gamma": (550.0, 0.7)}
"""Watts and seconds of the work on each node."""

pytestmark = [
    pytest.mark.skipif(ADDRESS not in os.environ, reason="needs the cluster of benchmarks.ray.local"),
    pytest.mark.energy(warmup=1),
]


@pytest.fixture(scope="session", autouse=True)
def connected() -> Iterator[None]:
    ray.init(address=os.environ[ADDRESS], log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def on_all_nodes() -> Any:
    """A placement group with a bundle on each node, made while all are alive."""
    group = ray.util.placement_group([{"CPU": 1}] * len(DEMANDS), strategy="STRICT_SPREAD")
    ray.get(group.ready(), timeout=120)
    return group


def draw(power_w: float, duration_s: float) -> float:
    """Draw *power_w* on the node of this process; joules above idle power."""
    return here().work(power_w, duration_s)


def work_on(nodes: Mapping[str, str]) -> dict[str, float]:
    """Work on each of these nodes at once; joules above idle power by node."""
    task = ray.remote(num_cpus=0)(draw)
    strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    refs = {
        name: task.options(scheduling_strategy=strategy(node_id, soft=False)).remote(*DEMANDS[name])
        for name, node_id in nodes.items()
    }
    return {name: float(ray.get(ref, timeout=120)) for name, ref in refs.items()}


def nodes(*names: str) -> dict[str, str]:
    alive = {row["NodeName"]: row["NodeID"] for row in ray.nodes() if row["Alive"]}
    return {name: alive[name] for name in names}


def note(test: str, joules: Mapping[str, float]) -> None:
    """Keep the truth of one call for `benchmarks.ray.local`."""
    with (Path(os.environ[FOLDER]) / "truth.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"test": test, "joules": joules}) + "\n")


def kill(node: str) -> None:
    """SIGKILL to every process of *node*."""
    for process in psutil.process_iter():
        try:
            if process.environ().get(NODE) == node:
                process.send_signal(signal.SIGKILL)
        except psutil.Error:
            continue


def test_all_nodes(energy: pytest_energy.Energy) -> None:
    """The joules of a reading are those of all nodes."""
    energy.measure(lambda: note("test_all_nodes", work_on(nodes("alpha", "beta", "gamma"))))


def test_placement_group(energy: pytest_energy.Energy, on_all_nodes: Any) -> None:
    """A placement group names the nodes."""
    energy.ray(on_all_nodes)
    energy.measure(lambda: note("test_placement_group", work_on(nodes("alpha", "beta", "gamma"))))


@pytest.mark.energy(rounds=2, warmup=0)
def test_node_is_killed(energy: pytest_energy.Energy) -> None:
    """A node that is lost in a window makes its reading void."""
    left = nodes("alpha", "beta")

    def work() -> None:
        kill("gamma")
        note("test_node_is_killed", work_on(left))

    energy.measure(work)


def test_nodes_that_are_left(energy: pytest_energy.Energy) -> None:
    """The run goes on with the nodes that are alive."""
    energy.measure(lambda: note("test_nodes_that_are_left", work_on(nodes("alpha", "beta"))))


def test_asks_for_the_lost_node(energy: pytest_energy.Energy, on_all_nodes: Any) -> None:
    """A test that asks for the lost node isn't measured on the others."""
    energy.ray(on_all_nodes)
    energy.measure(lambda: note("test_asks_for_the_lost_node", work_on(nodes("alpha", "beta"))))
