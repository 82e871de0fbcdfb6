"""The agent of this machine, over its estimate: what every machine has."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.model import Provenance
from pytest_energy.remote.here import agent_here
from pytest_energy.remote.protocol import Cursor
from pytest_energy.sensors.cpu_times import cpu_times_reader
from tests.fakes.agent import who

ESTIMATE = ("estimate",)


def test_an_agent_describes_its_machine() -> None:
    """What is estimated is called so, with what it is estimated of; no checkout is under test there."""
    with agent_here(ESTIMATE, cpu_tdp_w=100.0) as here:
        description = here.agent.description()
    assert description.provenance is Provenance.ESTIMATED
    assert [channel.name for channel in description.channels] == ["cpu:machine"]
    assert not description.channels[0].is_of_processes
    assert description.machine.fixed["estimate_of"] == "CPU time of all processes of the machine"
    assert "git_commit" not in description.machine.varying
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    assert description.boot_id == (boot_id.read_text().strip() if boot_id.exists() else None)


def test_an_agent_that_starts_again_is_another() -> None:
    """Its counters have another zero, and its numbers begin anew."""
    with agent_here(ESTIMATE) as here:
        first = here.agent.description()
    with agent_here(ESTIMATE) as here:
        second = here.agent.description()
    assert first.agent_id != second.agent_id
    assert first.machine.key == second.machine.key


def test_the_time_of_day_is_asked_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of the day that is set by 3 s changes no time of a tick and no joules."""
    with agent_here(ESTIMATE) as here:
        began_s, set_to_s = time.monotonic(), time.time() + 3.0
        first = here.agent.poll(Cursor(), who())
        monkeypatch.setattr(time, "time", lambda: set_to_s)
        monkeypatch.setattr(time, "time_ns", lambda: int(1e9 * set_to_s))
        for _ in range(200):
            time.sleep(0.3)
            second = here.agent.poll(first.cursor, who())
            if len(second.channels["cpu:machine"].ticks) >= 3:
                break
        passed_s = time.monotonic() - began_s
    ticks = second.channels["cpu:machine"].ticks
    assert len(ticks) >= 3
    assert 0.3 <= second.time_s - first.time_s <= passed_s
    assert all(first.asked_s - 0.1 < tick.time_s <= second.time_s for tick in ticks)
    assert all(before.time_s < after.time_s for before, after in pairwise(ticks))


def test_a_sensor_that_is_not_known_is_refused() -> None:
    """As for every other command."""
    with pytest.raises(SettingsError, match="no sensor is named nvlm"), agent_here(("nvlm",)):
        pass


def test_the_estimate_counts_what_other_programs_do() -> None:
    """Beside a server the joules are the machine's: those of a process that the agent doesn't know, too."""
    before = cpu_times_reader()().busy_s
    with agent_here(ESTIMATE, cpu_tdp_w=1000.0) as here:
        stop_s = time.process_time() + 0.2
        while time.process_time() < stop_s:
            pass
        time.sleep(0.05)
        poll = here.agent.poll(Cursor(), who())
        power_w = here.sensors.sensors[0].power.busy_w  # type: ignore[attr-defined]  # an estimate's
    ticks = poll.channels["cpu:machine"].ticks
    busy_s = (ticks[-1].joules - ticks[0].joules) / power_w
    assert 0.1 < busy_s <= poll.host.cpu_busy_s - before + 0.1
