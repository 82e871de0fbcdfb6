"""How busy the machine was during a window."""

import os
import subprocess
import sys
import time

import pytest

from pytest_energy.errors import SensorError
from pytest_energy.meter.host_usage import CpuTime, HostMonitor, LinuxSystem
from pytest_energy.usage import Usage
from tests.fakes.meter import Bench, SimulatedCounter, StillSystem


def monitor_over(bench: Bench) -> HostMonitor:
    return HostMonitor(bench.counters, bench.clock, bench.system)


def test_processor_share_is_of_the_window() -> None:
    """Busy over total processor seconds between open and close."""
    bench = Bench()
    monitor = monitor_over(bench)
    monitor.open()
    bench.clock.sleep_s(2.0)
    assert monitor.usage(monitor.close()).cpu_utilisation_share == pytest.approx(0.5)


def test_a_share_that_the_clock_cannot_resolve_is_unknown() -> None:
    """Processor times count hundredths of a second: a shorter window has no share."""
    bench = Bench()
    monitor = monitor_over(bench)
    monitor.open()
    bench.clock.sleep_s(0.01)
    assert monitor.usage(monitor.close()).cpu_utilisation_share is None


def test_looks_inside_the_window_are_averaged() -> None:
    """A GPU's share is the mean of what was seen while the window was open."""
    bench = Bench()
    monitor = monitor_over(bench)
    monitor.open()
    for share in (0.2, 0.4, 0.9):
        bench.counters[0].usages = Usage(gpu_utilisation_share=share)
        monitor.look()
    usage = monitor.usage(monitor.close())
    assert usage.gpu_utilisation_share == pytest.approx(0.5)
    assert usage.gpu_memory_used_bytes is None


def test_looks_outside_a_window_cost_nothing() -> None:
    """With no window open nobody looks."""
    bench = Bench()
    monitor = monitor_over(bench)
    monitor.look()
    assert bench.system.look_count == 0


def test_short_windows_share_one_look_at_memory() -> None:
    """Walking the process table takes milliseconds: it is not done for each short window."""
    bench = Bench()
    monitor = monitor_over(bench)
    for _ in range(10):
        monitor.open()
        bench.clock.sleep_s(0.1)
        assert monitor.usage(monitor.close()).ram_used_bytes == 1e9
    assert bench.system.look_count == 1


def test_memory_is_looked_at_between_windows() -> None:
    """Where windows are short the sampler keeps memory fresh between them, so that no edge has to."""
    bench = Bench()
    monitor = monitor_over(bench)
    monitor.open()
    monitor.usage(monitor.close())
    bench.clock.sleep_s(8.0)
    monitor.look()
    bench.clock.sleep_s(8.0)
    monitor.open()
    assert monitor.usage(monitor.close()).ram_used_bytes == 1e9


def test_memory_that_was_seen_long_ago_is_unknown() -> None:
    """With nobody to look in between, an old value isn't passed off as this window's, nor looked up."""
    bench = Bench()
    monitor = monitor_over(bench)
    monitor.open()
    monitor.usage(monitor.close())
    bench.clock.sleep_s(20.0)
    monitor.open()
    assert monitor.usage(monitor.close()).ram_used_bytes is None
    assert bench.system.look_count == 1


def test_memory_that_nobody_tells_is_unknown() -> None:
    """A system that can't tell memory leaves it out; it is never 0."""

    class Silent(StillSystem):
        def ram_used_bytes(self) -> float | None:
            super().ram_used_bytes()
            return None

    bench = Bench()
    monitor = HostMonitor(bench.counters, bench.clock, Silent(bench.clock))
    monitor.open()
    monitor.look()
    assert monitor.usage(monitor.close()).ram_used_bytes is None


def test_this_machine_has_processors_and_memory() -> None:
    """Its figures are seconds that rise and a resident set of some megabytes."""
    system = LinuxSystem()
    busy_s, total_s = system.cpu_times_s()
    assert 0.0 < busy_s < total_s
    used_bytes = system.ram_used_bytes()
    assert used_bytes is not None
    assert used_bytes > 1e6


def test_this_process_has_used_processor_time() -> None:
    """What this process used is part of what the machine's processors did, and rises with work."""
    system = LinuxSystem()
    before_s = system.own_cpu_s()
    end_s = time.process_time() + 0.05
    while time.process_time() < end_s:
        pass
    after_s = system.own_cpu_s()
    assert before_s is not None
    assert after_s is not None
    assert after_s - before_s >= 0.03


@pytest.mark.parametrize(
    ("busy_s", "own_s", "expected"),
    [
        (10.0, 7.0, 0.298),
        (10.0, 12.0, 0.0),
        (0.09, 0.0, None),
        (10.0, None, None),
        (0.1, 0.09, 0.0),
    ],
    ids=["others", "more than all", "too short", "not told", "within the clock"],
)
def test_others_have_what_is_left(busy_s: float, own_s: float | None, expected: float | None) -> None:
    """Foreign is busy less ours, never negative; unknown where the clock or the system doesn't tell."""
    share = CpuTime(busy_s=busy_s, total_s=20.0, own_s=own_s).foreign_share
    assert share == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("busy_s", "own_s", "expected"),
    [(10.0, 7.0, 0.149), (10.0, 12.0, 0.0), (10.0, None, None), (30.0, 1.0, 1.0)],
    ids=["others", "more than all", "not known", "more than there is"],
)
def test_others_share_is_of_all_processors(
    busy_s: float, own_s: float | None, expected: float | None
) -> None:
    """What others had over all seconds of the processors, busy or not; 0 to 1."""
    share = CpuTime(busy_s=busy_s, total_s=20.0, own_s=own_s).other_share
    assert share == (None if expected is None else pytest.approx(expected))


def test_others_share_of_a_short_window_is_unknown() -> None:
    """The machine's processor times count hundredths of a second."""
    assert CpuTime(busy_s=0.05, total_s=0.09, own_s=0.01).other_share is None


def test_kin_are_this_process_and_its_descendants() -> None:
    """This process and its children are kin, its parent isn't; of a number that isn't there nobody knows."""
    system = LinuxSystem()
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

    monitor = HostMonitor([Mute(bench.device, bench.clock)], bench.clock, bench.system)
    monitor.open()
    bench.clock.sleep_s(1.0)
    usage = monitor.usage(monitor.close())
    assert usage.gpu_utilisation_share is None
    assert usage.ram_used_bytes == 1e9


class Counted(StillSystem):
    """Counts how often processor times are looked at."""

    cpu_count = own_count = 0

    def cpu_times_s(self) -> tuple[float, float]:
        self.cpu_count += 1
        return super().cpu_times_s()

    def own_cpu_s(self) -> float | None:
        self.own_count += 1
        return super().own_cpu_s()


def test_windows_in_a_row_share_a_look_at_processor_times() -> None:
    """The look after one is that before the next, if it follows within a millisecond."""
    bench = Bench()
    system = Counted(bench.clock)
    monitor = HostMonitor(bench.counters, bench.clock, system)
    for _ in range(10):
        bench.clock.sleep_s(0.0005)
        monitor.open()
        bench.clock.sleep_s(2.0)
        assert monitor.close().busy_s == pytest.approx(2.0, abs=1e-3)
    assert (system.cpu_count, system.own_count) == (11, 11)
    bench.clock.sleep_s(0.5)
    monitor.open()
    bench.clock.sleep_s(2.0)
    assert monitor.close().busy_s == pytest.approx(2.0)
    assert system.cpu_count == 13


def test_after_a_short_window_nothing_is_looked_at() -> None:
    """Its shares are unknown, not 0."""
    bench = Bench()
    system = Counted(bench.clock)
    monitor = HostMonitor(bench.counters, bench.clock, system)
    monitor.open()
    cpu = monitor.close(is_short=True)
    assert system.cpu_count == 1
    assert (cpu.busy_share, cpu.foreign_share, cpu.other_share, cpu.own_s) == (None,) * 4


def test_processor_time_that_is_measured_anyway_is_not_looked_at() -> None:
    """An estimate has read it at the edges of the window."""
    bench = Bench()
    system = Counted(bench.clock)
    monitor = HostMonitor(bench.counters, bench.clock, system)
    monitor.open(is_own_known=True)
    bench.clock.sleep_s(2.0)
    assert monitor.close(own_s=1.5).own_s == 1.5
    assert system.own_count == 0
    monitor.open()
    bench.clock.sleep_s(2.0)
    assert monitor.close().own_s == pytest.approx(2.0)
