"""Meters of other machines in one run: an agent that a test's engine names measures that test.

Rule 1: an agent is asked first when a test needs it, and its meter is kept for the others.
Rule 2: one that can't be asked leaves its test unmeasured, with the reason. Nothing stands in for it.
"""

import random
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.synchronize import wait_for_nothing
from pytest_energy.model import METER_FACT, Machine
from pytest_energy.plugin.place import Place
from pytest_energy.remote.address import MeterAddress
from pytest_energy.remote.http_source import HttpSource
from pytest_energy.remote.meter import RemoteMeter, remote_meter
from pytest_energy.remote.protocol import AgentSource, Who


class Elsewhere:
    """The remote meters of one run.

    Args:
        who: This run, as an agent shows it to others.
        clock: Of this machine.
        here: Facts of the code under test, which is on this machine: its commit.
        status: Shows a sentence while something takes its time.
        source_of: Reaches the agent at an address.
    """

    def __init__(
        self,
        who: Who,
        clock: Clock,
        *,
        here: Mapping[str, str],
        status: Callable[[str], AbstractContextManager[object]],
        source_of: Callable[[MeterAddress], AgentSource] = HttpSource,
    ) -> None:
        self._who, self._clock, self._here, self._status = who, clock, here, status
        self._source_of = source_of
        self._meters: dict[MeterAddress, RemoteMeter] = {}

    def place(self, address: MeterAddress) -> Place:
        """The machine of the agent at *address*, its meter started.

        Raises:
            AgentLost: It can't be reached.
            NotMeasurable: It measures nothing.
            SettingsError: The file of its token, or of its certificate, can't be used.
        """
        remote = self._meters.get(address)
        if remote is None or remote.sampler.is_stale:
            remote = self._meet(address)
        remote.meter.start()
        return Place(meter=remote.meter, machine=self._machine(remote), is_here=False)

    def _meet(self, address: MeterAddress) -> RemoteMeter:
        before = self._meters.pop(address, None)
        if before is not None:
            before.close()
        source = self._source_of(address)
        try:
            remote = remote_meter(source, name=address.url, who=self._who, clock=self._clock)
        except BaseException:
            source.close()
            raise
        self._meters[address] = remote
        with self._status(f"measuring the power at rest at {address.url}"):
            remote.meter.start()
        return remote

    def _machine(self, remote: RemoteMeter) -> Machine:
        there = remote.description.machine
        varying = {**there.varying, METER_FACT: remote.name, **self._here}
        return Machine(key=there.key, fixed=there.fixed, varying=varying)

    def pause(self) -> None:
        """Let go of the agents until the next test."""
        for remote in self._meters.values():
            remote.meter.pause()

    def close(self) -> None:
        for remote in self._meters.values():
            remote.close()
        self._meters.clear()


def unreached(address: MeterAddress, clock: Clock) -> Place:
    """The place of a test whose agent can't be asked: nothing measures there, and nothing is known of it."""
    meter = LiveMeter((), (), clock=clock, synchronize=wait_for_nothing, rng=random.Random(0))  # noqa: S311  # unused
    return Place(
        meter=meter, machine=Machine(key="unknown", varying={METER_FACT: address.url}), is_here=False
    )
