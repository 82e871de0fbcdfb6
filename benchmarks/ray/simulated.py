"""A GPU for each node of a local Ray cluster, simulated, whose joules are known at every moment.

Work says what it will draw: a process of a node appends the steps of power to the node's file. The sensor on
that node integrates it, and shows it as NVML does: at ticks of 100 ms. All nodes are processes of one machine
and share its clock.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_energy.errors import SensorUnavailable
from pytest_energy.model import Channel, Domain, Provenance
from pytest_energy.sensors.protocol import Facts, Sensor
from pytest_energy.usage import Usage

NODE, FOLDER = "ENERGY_SIMULATED_NODE", "ENERGY_SIMULATED_FOLDER"
"""Variables of the environment of a node's processes."""

IDLE_W = 75.0
_TICK_S = 0.1
_AHEAD_S = 0.25
"""Steps are written before they come, so that no read of the counter is made without them."""


class NodePower:
    """What the simulated GPU of one node draws, in a file that the node's processes share."""

    def __init__(self, folder: Path, node: str) -> None:
        self._path = folder / f"{node}.jsonl"

    def work(self, power_w: float, duration_s: float) -> float:
        """Draw *power_w* for *duration_s*, then idle power; returns when that is over.

        Returns:
            Joules above idle power.
        """
        start_s = time.monotonic() + _AHEAD_S
        self._plan((start_s, power_w), (start_s + duration_s, IDLE_W))
        time.sleep(start_s + duration_s - time.monotonic())
        return (power_w - IDLE_W) * duration_s

    def rest(self) -> None:
        """Draw idle power from now on."""
        self._plan((time.monotonic(), IDLE_W))

    def _plan(self, *steps: tuple[float, float]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write("".join(f"{json.dumps(step)}\n" for step in steps))

    def joules_at(self, time_s: float) -> float:
        """Joules from the first entry until *time_s*."""
        lines = self._path.read_text(encoding="utf-8").splitlines()
        steps = [tuple(json.loads(line)) for line in lines if line.endswith("]")]
        joules = 0.0
        for (start_s, power_w), (stop_s, _) in pairwise([*steps, (float("inf"), 0.0)]):
            joules += power_w * max(0.0, min(stop_s, time_s) - start_s)
        return joules


def here() -> NodePower:
    """That of the node which this process is of.

    Raises:
        SensorUnavailable: It is of none.
    """
    if NODE not in os.environ:
        raise SensorUnavailable("simulated", "this process is of no simulated node")
    return NodePower(Path(os.environ[FOLDER]), os.environ[NODE])


class SimulatedGpu:
    """The counter of a node's GPU."""

    name = "simulated"
    provenance = Provenance.MEASURED

    def __init__(self) -> None:
        self._power, node = here(), os.environ[NODE]
        # Nodes don't tick together.
        self._phase_s = _TICK_S * (sum(node.encode()) % 10) / 10
        self.channels: tuple[Channel, ...] = (
            Channel(name="gpu:0", domain=Domain.GPU, device=f"GPU-{node}", is_ticked=True, resolution_j=1e-3),
        )

    def read_j(self, channel: str) -> float:
        assert channel == "gpu:0"
        tick = (time.monotonic() - self._phase_s) // _TICK_S
        return self._power.joules_at(tick * _TICK_S + self._phase_s)

    def usage(self) -> Usage:
        return Usage()

    def facts(self) -> Facts:
        return Facts(fixed={"gpu_model": "simulated"}, key_parts=("simulated GPU",))

    def close(self) -> None:
        """Nothing is open."""


def pytest_energy_sensors(config: pytest.Config) -> Mapping[str, Callable[[], Sensor]]:
    del config
    return {"simulated": SimulatedGpu}
