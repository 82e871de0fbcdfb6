"""Other tools that measure the energy of a GPU, as their documentation has them used.

Each measures GPU 0 only and writes nothing. Outside their windows no thread of theirs runs: zeus has none on
GPUs with an energy counter, and codecarbon's ends with its task, as long as its tracker isn't started.
"""

import logging
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module, metadata
from typing import Any

from benchmarks.meter.bursts import Peer
from pytest_energy.units import JOULES_PER_KILOWATT_HOUR

GPU_INDEX = 0


class PeerAbsentError(Exception):
    """A tool can't be used here; the message says why."""


class Zeus:
    """`ZeusMonitor.begin_window` and `end_window`, GPU only."""

    name = "zeus"

    def __init__(self) -> None:
        monitor = import_module("zeus.monitor")
        self.version = metadata.version("zeus")
        # It warns of each window that reads 0; the table shows how many there are.
        warnings.filterwarnings("ignore", message="The energy consumption of one or more GPUs")
        self._monitor: Any = monitor.ZeusMonitor(gpu_indices=[GPU_INDEX], cpu_indices=[])
        if len(self._monitor.gpus) <= GPU_INDEX:
            raise PeerAbsentError("it finds no GPU")

    def begin(self, window: str) -> None:
        self._monitor.begin_window(window)

    def end(self, window: str) -> float:
        return float(self._monitor.end_window(window).gpu_energy[GPU_INDEX])

    def close(self) -> None:
        """Nothing of it is left running."""


class CodeCarbon:
    """`OfflineEmissionsTracker.start_task` and `stop_task`; only the GPU's share of what it says is taken."""

    name = "codecarbon"

    def __init__(self) -> None:
        codecarbon = import_module("codecarbon")
        self.version = metadata.version("codecarbon")
        logging.getLogger("codecarbon").setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # `save_to_file` is deprecated in new versions, and the only way in older ones.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._tracker: Any = codecarbon.OfflineEmissionsTracker(
                country_iso_code="USA",
                measure_power_secs=1,
                save_to_file=False,
                gpu_ids=[GPU_INDEX],
                log_level="error",
                allow_multiple_runs=True,
            )
        # The first task looks for the hardware, which takes a second or two; a missing part is only logged.
        self.begin("trial")
        if self._tracker.stop_task("trial") is None:
            raise PeerAbsentError("its first task gave nothing; a part of it is missing")
        if not self._tracker.get_detected_hardware()["gpu_count"]:
            raise PeerAbsentError("it finds no GPU")

    def begin(self, window: str) -> None:
        self._tracker.start_task(window)

    def end(self, window: str) -> float:
        return float(self._tracker.stop_task(window).gpu_energy) * JOULES_PER_KILOWATT_HOUR

    def close(self) -> None:
        self._tracker.stop()


# The outer one first. Codecarbon's calls take longer, and would count in zeus' windows the other way round.
KNOWN: Mapping[str, Callable[[], Peer]] = {"codecarbon": CodeCarbon, "zeus": Zeus}


def open_peers(known: Mapping[str, Callable[[], Peer]] = KNOWN) -> tuple[list[Peer], dict[str, str]]:
    """The tools that work here, and why the others don't."""
    found: list[Peer] = []
    absent: dict[str, str] = {}
    for name, make in known.items():
        try:
            found.append(make())
        except Exception as error:  # noqa: BLE001  # whatever stops somebody else's tool is a reason, no fault
            absent[name] = f"{type(error).__name__}: {error}"
    return found, absent
