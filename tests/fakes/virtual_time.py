"""A plugin for runs of pytest within tests: they measure by a virtual clock, which `time.sleep` moves.

What a test sleeps is what it takes, and reads take no time: nothing depends on the speed of the machine.
"""

import time

import pytest

from pytest_energy.meter import live
from pytest_energy.plugin import run
from tests.fakes.meter import StillSystem, VirtualClock


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    patch = pytest.MonkeyPatch()
    config.add_cleanup(patch.undo)
    clock = VirtualClock()
    patch.setattr(run, "SystemClock", lambda: clock)
    patch.setattr(run, "LinuxSystem", lambda _: StillSystem(clock))
    patch.setattr(live, "ThreadRunner", lambda _: clock)
    patch.setattr(time, "sleep", clock.sleep_s)
    patch.setattr(time, "monotonic", clock.now_s)
