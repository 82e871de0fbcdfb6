"""Rank 0 of several: it measures, judges and reports for all of them.

Rule 1: what it learns of another rank's end makes a reading void, with that rank's name.
Rule 2: other nodes are measured by agents there (`nodes/torch_nodes.py`).
"""

import signal
import socket
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from types import FrameType
from typing import TypeVar, cast

import pytest

from pytest_energy.baselines.topology import joined_machine, with_ranks
from pytest_energy.meter.live import LiveMeter
from pytest_energy.meter.protocol import Meter, OpenPhase, OpenWindow
from pytest_energy.meter.reading import void_reading
from pytest_energy.meter.synchronize import gpu_uuids_in_use
from pytest_energy.model import Channel, Domain, Machine, Provenance, Reading, rank_text
from pytest_energy.nodes import lockstep
from pytest_energy.nodes.joined import JoinedMeter, node_name
from pytest_energy.nodes.lockstep import Arrival, Leader, RankLost, Store, Watch
from pytest_energy.nodes.torch_nodes import other_nodes
from pytest_energy.nodes.torchrun import Rank, Siblings
from pytest_energy.plugin.mark import id_of
from pytest_energy.plugin.rounds import DeviceLock, MeasuredRounds, RoundLoop, RoundScheduler
from pytest_energy.plugin.run import EnergyRun
from pytest_energy.remote.here import description_of
from pytest_energy.remote.meter import RemoteMeter

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Job:
    """What a rank knows of the job that it is part of."""

    rank: Rank
    store: Store
    watch: Watch
    siblings: Siblings


class Leading:
    """Rank 0: registered as a plugin, and asked by each measurement; `Alone` is of one process."""

    def __init__(self, run: EnergyRun, job: Job, numbers: Mapping[str, int]) -> None:
        self._run, self._job, self._numbers = run, job, numbers
        self._leader = leader = Leader(job.store, job.rank.world_size, job.watch, run.clock)
        self._ranks_by_gpu: dict[str, set[int]] = {}
        self._session: pytest.Session | None = None
        self._previous: signal.Handlers | Callable[[int, FrameType | None], object] | int | None = None
        self.say = leader.say

    def begin(self, item: pytest.Item, get_ready: Callable[[], None]) -> None:
        """Begin *item* on all ranks, once *get_ready* was called while they rest."""

        def ready() -> None:
            self._run.meter.adopt(self._job.siblings.pids())
            get_ready()

        self._leader.begin(self._numbers[id_of(item)], id_of(item), ready)

    @property
    def lost_because(self) -> str | None:
        return self._leader.lost_because

    # Rounds, windows and calls

    def say_round(self, call_count: int) -> None:
        self.say(lockstep.RoundWord(call_count=call_count))

    def say_done(self) -> None:
        """The rounds, or the one call, are over."""
        self.say(lockstep.DoneWord())

    def say_skip(self) -> None:
        """The window is not measured."""
        self.say(lockstep.SkipWord())

    def schedule(
        self, scheduler: RoundScheduler, loop: RoundLoop[R], lock: DeviceLock, provenance: Provenance
    ) -> MeasuredRounds[R]:
        """The rounds that *scheduler* takes; where a rank is lost they end with a void one that names it.

        Nothing was returned then, so the result is `None`.
        """
        try:
            return scheduler.schedule(loop, lock)
        except RankLost as lost:
            return loop.to_measured([*loop.rounds, void_reading(str(lost), 0.0, provenance)], cast("R", None))

    def opened(self, open_window: Callable[[], OpenWindow], provenance: Provenance) -> OpenWindow:
        """A window for all ranks: they go on once it is open, and it closes when all are there.

        Raises:
            RankLost: One has ended, or has left the test; the others are told.
        """
        try:
            self._keep_gpus(self._leader.meet())
        except RankLost as lost:
            self.say(lockstep.SkipWord(because=str(lost)))
            raise
        window = open_window()
        self.say(lockstep.GoWord())
        return _LedWindow(window, self, provenance)

    def meet_at_end(self) -> str | None:
        """Wait for all ranks before the window is closed; why one is lost, or `None`."""
        try:
            self._keep_gpus(self._leader.meet())
        except RankLost as lost:
            return str(lost)
        return None

    def announced(self, call: Callable[[], R]) -> Callable[[], R]:
        """*call*, made by all ranks each time."""

        def announced() -> R:
            if self.lost_because is not None:
                raise RankLost(self.lost_because)
            self.say(lockstep.CallWord())
            return call()

        return announced

    def count(self, count: Callable[[], None]) -> None:
        """Have all ranks make the calls that *count* makes."""
        self.say(lockstep.CountWord())
        count()
        self.say(lockstep.CountedWord())

    # Which rank is on which GPU

    def _keep_gpus(self, arrivals: Mapping[int, Arrival]) -> None:
        for rank, arrival in {0: Arrival(gpus=gpu_uuids_in_use()), **arrivals}.items():
            for uuid in arrival.gpus:
                self._ranks_by_gpu.setdefault(_bare(uuid), set()).add(rank)

    def why_smaller(self, reading: Reading) -> str | None:
        """Why *reading* is not of all GPUs that ranks have open, or `None`; one without GPUs is of none."""
        measures_gpus = any(Channel.domain_of(name) is Domain.GPU for name in reading.channels)
        return why_hidden(self._ranks_by_gpu, self._channels().values()) if measures_gpus else None

    def roles(self) -> dict[str, str]:
        """By channel, the ranks that have its device open."""
        ranks = {name: self._ranks_by_gpu.get(_bare(device)) for name, device in self._channels().items()}
        return {name: rank_text(ones) for name, ones in ranks.items() if ones}

    # Other nodes

    @cached_property
    def _other_nodes(self) -> dict[str, RemoteMeter]:
        if len(self._job.rank.ranks_by_node) == 1 or self._run.provenance is Provenance.REPLAYED:
            return {}
        return other_nodes(
            self._job.store,
            self._job.rank,
            description_of(self._run.sensors),
            watch=self._job.watch,
            clock=self._run.clock,
            pids_of=self._job.siblings.pids_of,
        )

    def machine(self, machine: Machine) -> Machine:
        """*machine* and the other nodes, with so many ranks at work on them."""
        others = [meter.description.machine for meter in self._other_nodes.values()]
        return with_ranks(joined_machine([machine, *others]), self._job.rank.ranks_by_node)

    def joined(self, meter: LiveMeter) -> Meter:
        """*meter*, of this node, and those of the other nodes."""
        here = node_name(socket.gethostname())
        others = {name: remote.meter for name, remote in self._other_nodes.items()}
        return JoinedMeter({here: meter, **others}, here=here) if others else meter

    def _channels(self) -> dict[str, str]:
        """Each channel of all nodes, to the device that it is of."""
        channels = {c.name: c.device for sensor in self._run.sensors.sensors for c in sensor.channels}
        for node, remote in self._other_nodes.items():
            channels |= {f"{c.name}@{node}": c.device for c in remote.description.channels}
        return channels

    # When a rank ends

    def on_sigterm(self, number: int, frame: FrameType | None) -> None:
        """What torchrun sends to all ranks when one has ended: the reading that is under way is void.

        Raises:
            RankLost: It names the rank that has ended.
        """
        previous, self._previous = self._previous, signal.SIG_DFL
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._leader.look()
        if callable(previous):
            previous(number, frame)
        else:
            signal.raise_signal(number)

    def take_sigterm(self) -> None:
        """Take over from what handles it, unless it is the suite's own; called in the main thread."""
        self._previous = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, self.on_sigterm)
        self._run.config.add_cleanup(self._release_sigterm)

    def _release_sigterm(self) -> None:
        if signal.getsignal(signal.SIGTERM) == self.on_sigterm:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    # Hooks

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._session = session

    def pytest_runtest_logfinish(self) -> None:
        if self._leader.has_ended and self._session is not None:
            self._session.shouldstop = self.lost_because or "a rank has ended"

    @pytest.hookimpl(trylast=True)  # torchrun stops this rank as soon as another one ends with a failure
    def pytest_unconfigure(self) -> None:
        for remote in vars(self).get("_other_nodes", {}).values():  # not if they were never asked for
            remote.close()
        status = pytest.ExitCode.INTERNAL_ERROR if self._session is None else self._session.exitstatus
        with suppress(RankLost):
            self.say(lockstep.EndWord(exit_status=int(status)))


class _LedWindow:
    def __init__(self, window: OpenWindow, leading: Leading, provenance: Provenance) -> None:
        self._window, self._leading, self._provenance = window, leading, provenance

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        return self._window.phase(name, samples=samples, waits_for_gpu=waits_for_gpu)

    def close(self) -> Reading:
        because = self._leading.meet_at_end()
        reading = self._window.close()
        because = because or self._leading.why_smaller(reading)
        return reading if because is None else void_reading(because, reading.duration_s, self._provenance)


def _bare(uuid: str) -> str:
    """NVML writes `GPU-` before it, torch doesn't."""
    return uuid.lower().removeprefix("gpu-")


def why_hidden(ranks_by_gpu: Mapping[str, Collection[int]], devices: Iterable[str]) -> str | None:
    """Why the joules of *devices* are not those of all GPUs at work, or `None`.

    >>> why_hidden({"a": {0}, "b": {1}}, ["GPU-A"])
    'rank 1 has a GPU open that rank 0 does not measure: CUDA_VISIBLE_DEVICES of rank 0 must show all GPUs'
    """
    measured = {_bare(device) for device in devices}
    hidden = {rank for gpu, ranks in ranks_by_gpu.items() if gpu not in measured for rank in ranks}
    if not hidden or not measured & ranks_by_gpu.keys():  # without any that both know, UUIDs mean nothing
        return None
    verb = "has" if len(hidden) == 1 else "have"
    return (
        f"{rank_text(hidden)} {verb} a GPU open that rank 0 does not measure: CUDA_VISIBLE_DEVICES of rank 0 "
        "must show all GPUs"
    )
