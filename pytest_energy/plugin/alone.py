"""A process that measures by itself: what `Leading` does for several ranks, for one that has no others."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import pytest

from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.protocol import Meter, OpenWindow
from pytest_energy.model import Machine, Provenance
from pytest_energy.plugin.rounds import DeviceLock, MeasuredRounds, RoundLoop, RoundScheduler

R = TypeVar("R")


class Alone:
    """Waits for nobody, and tells nobody anything."""

    def begin(self, _item: pytest.Item, get_ready: Callable[[], None]) -> None:
        get_ready()

    def say_round(self, _call_count: int) -> None:
        """Nobody else takes rounds."""

    def say_done(self) -> None:
        """Nobody else waits for the next round."""

    def say_skip(self) -> None:
        """Nobody else waits for a window."""

    def schedule(
        self, scheduler: RoundScheduler, loop: RoundLoop[R], lock: DeviceLock, _provenance: Provenance
    ) -> MeasuredRounds[R]:
        return scheduler.schedule(loop, lock)

    def opened(self, open_window: Callable[[], OpenWindow], _provenance: Provenance) -> OpenWindow:
        return open_window()

    def announced(self, call: Callable[[], R]) -> Callable[[], R]:
        return call

    def count(self, count: Callable[[], None]) -> None:
        count()

    def roles(self) -> Mapping[str, str]:
        return {}

    def machine(self, machine: Machine) -> Machine:
        return machine

    def joined(self, meter: LiveMeter) -> Meter:
        return meter
