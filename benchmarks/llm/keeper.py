"""A pytest plugin (`-p benchmarks.llm.keeper`) for long runs on machines that may be taken away.

Rule 1: the row of each test is on disk as soon as pytest reports it.
Rule 2: no row begins after its time: what is bounded ends, and the rows that it has are whole.
"""

import json
import os
import time
from pathlib import Path

import pytest

from benchmarks.llm.cores import physical_cores

BEGAN_S = time.monotonic()
MOST_S = 420.0
LONGEST_ROW_S = 70.0  # 8B far past saturation: three loads of 8 s that take 14 s more to be answered


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("benchmarks")
    group.addoption(
        "--keep-rows", type=Path, metavar="FILE", help="Write the JSON of each test, a line each."
    )
    group.addoption("--of-size", metavar="SIZE", help="Run the rows of this size of model alone.")
    group.addoption(
        "--most-s",
        type=float,
        default=MOST_S,
        metavar="S",
        help=f"Seconds for all, loading included: no row begins in the last {LONGEST_ROW_S:g} of them.",
    )
    group.addoption(
        "--core-part",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("PLACE", "COUNT"),
        help="Run on this of so many equal parts of the machine's cores.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep rows where a file was named, on a part of the cores."""
    path, size = config.getoption("--keep-rows"), config.getoption("--of-size")
    if path is None or size is None:
        raise pytest.UsageError("benchmarks.llm.keeper needs --keep-rows=FILE and --of-size=SIZE")
    place, count = config.getoption("--core-part")
    if not 0 <= place < count:
        raise pytest.UsageError(f"--core-part {place} {count}: give a place from 0 to {count - 1}")
    if count > 1:
        cores = physical_cores(os.sched_getaffinity(0))
        own = cores[place * len(cores) // count : (place + 1) * len(cores) // count]
        os.sched_setaffinity(0, frozenset().union(*own) or os.sched_getaffinity(0))
    config.pluginmanager.register(Keeper(path, size, float(config.getoption("--most-s"))))


class Keeper:
    """Runs the rows of one size, and writes each as soon as pytest reports it.

    Args:
        path: A row of JSON for each test.
        size: Of the model.
        most_s: Seconds for everything, from the start of this process.
    """

    def __init__(self, path: Path, size: str, most_s: float) -> None:
        self._path, self._size, self._most_s = path, size, most_s
        path.unlink(missing_ok=True)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Hook: leave the rows of this size."""
        own = [item for item in items if f"[{self._size}@" in item.name]
        config.hook.pytest_deselected(items=[item for item in items if item not in own])
        items[:] = own

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        """Hook: skip what comes too late."""
        if time.monotonic() - BEGAN_S > self._most_s - LONGEST_ROW_S:
            pytest.skip(f"{self._most_s:g} s are nearly over: no further row begins")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hook: keep the row."""
        energy = getattr(report, "energy", None)
        if energy is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(energy)}\n")
