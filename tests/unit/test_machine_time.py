"""The machine's clocks, whatever tests put in their place."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest

from pytest_energy.machine_time import MACHINE_TIME, MachineTime
from tests.unit.test_imports import IMPORT_ALL

FUNCTIONS = ("monotonic", "perf_counter", "time", "sleep", "monotonic_ns", "perf_counter_ns", "time_ns")


@pytest.mark.parametrize("name", ["monotonic", "sleep", "time", "clock_gettime", "perf_counter"])
def test_a_patched_function_does_not_reach_it(name: str) -> None:
    """A test that puts another function into `time` changes none of the clocks here."""
    before, day = MACHINE_TIME.now_s(), MACHINE_TIME.utc_now()
    with mock.patch(f"time.{name}", side_effect=AssertionError("the test's own")):
        MACHINE_TIME.sleep_s(0.001)
        assert MACHINE_TIME.now_s() - before >= 0.001
        assert MACHINE_TIME.utc_now() - day >= timedelta(seconds=0.001)
        assert (MACHINE_TIME.suspended_s() or 0.0) >= -0.001


def test_no_module_of_the_package_names_a_clock_function() -> None:
    """freezegun replaces a function of `time` wherever a module names it, so none of ours does."""
    code = IMPORT_ALL + (
        f"import time; functions = {{id(getattr(time, name)) for name in {FUNCTIONS!r}}}\n"
        "print('NAMED', [(m, n) for m, module in sys.modules.items() if m.startswith('pytest_energy')\n"
        "      for n, value in vars(module).items() if id(value) in functions])\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert run.stdout.splitlines()[-1] == "NAMED []"


def test_the_day_is_the_machines() -> None:
    """The day is told to well below a second, by whichever clock goes on while the machine sleeps."""
    assert abs(MachineTime().utc_now() - datetime.now(UTC)) < timedelta(seconds=0.5)
    assert MACHINE_TIME.utc_now().tzinfo is UTC


def test_two_counts_of_seconds_agree() -> None:
    """The kernel's count of ticks goes with the clock, to some hundredths; where it is 0 nobody counts."""
    clock = MachineTime()
    start_s, start_counted_s = clock.now_s(), clock.counted_s()
    clock.sleep_s(0.1)
    counted_s = clock.counted_s()
    assert start_counted_s is not None
    assert counted_s is not None
    assert counted_s - start_counted_s == pytest.approx(clock.now_s() - start_s, abs=0.03)
    still = os.times_result((0.0, 0.0, 0.0, 0.0, 0.0))
    with mock.patch("os.times", return_value=still):
        assert MachineTime().counted_s() is None


def test_without_a_clock_that_counts_sleep_nobody_tells_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no such clock the day is told by the other one."""
    monkeypatch.delattr(time, "CLOCK_BOOTTIME", raising=False)
    clock = MachineTime()
    assert clock.suspended_s() is None
    assert abs(clock.utc_now() - datetime.now(UTC)) < timedelta(seconds=0.5)


def test_a_wait_is_never_negative() -> None:
    """What is due already needs no wait."""
    before_s = MACHINE_TIME.now_s()
    MACHINE_TIME.sleep_s(-5.0)
    assert MACHINE_TIME.now_s() >= before_s


def test_the_clocks_are_taken_when_pytest_loads_the_plugin() -> None:
    """They are the machine's however late the first energy test comes."""
    code = "import sys, pytest_energy.plugin; print('pytest_energy.machine_time' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  # ours
    assert run.stdout == "True\n"
