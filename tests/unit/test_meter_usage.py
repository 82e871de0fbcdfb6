"""How busy the machine was during a window."""

import os
import subprocess
import sys

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.usage import PsutilSystem, UsageProbe
from pytest_energy.model import Usage
from tests.fakes.meter import Bench, SimulatedCounter, StillSystem


def probe_over(bench: Bench) -> UsageProbe:
    return UsageProbe(bench.counters, bench.clock, bench.system)


def test_processor_share_is_of_the_window() -> None:
    """Busy over total processor seconds between open and shut."""
    bench = Bench()
    probe = probe_over(bench)
    probe.open()
    bench.clock.sleep_s(2.0)
    assert probe.usage(probe.shut()).cpu_utilisation_share == pytest.approx(0.5)


def test_a_share_that_the_clock_cannot_resolve_is_unknown() -> None:
    """Processor times count hundredths of a second: a shorter window has no share."""
    bench = Bench()
    probe = probe_over(bench)
    probe.open()
    bench.clock.sleep_s(0.01)
    assert probe.usage(probe.shut()).cpu_utilisation_share is None


def test_looks_inside_the_window_are_averaged() -> None:
    """A GPU's share is the mean of what was seen while the window was open."""
    bench = Bench()
    probe = probe_over(bench)
    probe.open()
    for share in (0.2, 0.4, 0.9):
        bench.counters[0].usages = Usage(gpu_utilisation_share=share)
        probe.look()
    usage = probe.usage(probe.shut())
    assert usage.gpu_utilisation_share == pytest.approx(0.5)
    assert usage.gpu_memory_used_bytes is None


def test_looks_outside_a_window_cost_nothing() -> None:
    """With no window open nobody looks."""
    bench = Bench()
    probe = probe_over(bench)
    probe.look()
    assert bench.system.search_count == 0


def test_short_windows_share_one_look_at_memory() -> None:
    """Walking the process table takes milliseconds: it is not done for each short window."""
    bench = Bench()
    probe = probe_over(bench)
    for _ in range(10):
        probe.open()
        bench.clock.sleep_s(0.1)
        assert probe.usage(probe.shut()).ram_used_bytes == 1e9
    assert bench.system.search_count == 1


def test_memory_that_nobody_tells_is_unknown() -> None:
    """A system that can't tell memory leaves it out; it is never 0."""

    class Silent(StillSystem):
        def ram_used_bytes(self, *, may_search: bool) -> float | None:
            super().ram_used_bytes(may_search=may_search)
            return None

    bench = Bench()
    probe = UsageProbe(bench.counters, bench.clock, Silent(bench.clock))
    probe.open()
    probe.look()
    assert probe.usage(probe.shut()).ram_used_bytes is None


def test_this_machine_has_processors_and_memory() -> None:
    """psutil's figures are seconds that rise and a resident set of some megabytes."""
    system = PsutilSystem()
    busy_s, total_s = system.cpu_times_s()
    assert 0.0 < busy_s < total_s
    used_bytes = system.ram_used_bytes(may_search=True)
    assert used_bytes is not None
    assert used_bytes > 1e6


def test_kin_are_this_process_and_its_descendants() -> None:
    """This process and its children are kin, its parent isn't; of a number that isn't there nobody knows."""
    system = PsutilSystem()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert system.is_kin(child.pid) is True
        child.communicate()
    assert system.is_kin(os.getpid()) is True
    assert system.is_kin(os.getppid()) in {False, None}
    assert system.is_kin(2**31 - 1) is None


def test_a_sensor_that_cannot_tell_how_busy_it_is_is_left_out() -> None:
    """Usage is a side matter: a sensor's error about it makes nothing void."""
    bench = Bench()

    class Mute(SimulatedCounter):
        def usage(self) -> Usage:
            raise SensorError("gpu:0: no utilisation here")

    probe = UsageProbe([Mute(bench.device, bench.clock)], bench.clock, bench.system)
    probe.open()
    bench.clock.sleep_s(1.0)
    usage = probe.usage(probe.shut())
    assert usage.gpu_utilisation_share is None
    assert usage.ram_used_bytes == 1e9
