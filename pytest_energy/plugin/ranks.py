"""A run in several ranks of one job: rank 0 measures, judges and reports; the others run the same rounds.

Rule 1: the others show and write nothing, unless a test fails there by itself, and end with rank 0's status.
Rule 2: what a rank learns of another's end makes a reading void, or ends the test with that reason.
Rule 3: no verdict waits for the end of the run, so that no test runs twice.
"""

import io
import os
import signal
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType
from typing import TypeVar, cast

import pytest

from pytest_energy.baselines.topology import with_ranks
from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, EnergyError, SettingsError, printable
from pytest_energy.meter.protocol import OpenPhase, OpenWindow
from pytest_energy.meter.reading import void_reading
from pytest_energy.meter.synchronize import gpu_uuids_in_use
from pytest_energy.model import Machine, Provenance, Reading
from pytest_energy.nodes import lockstep
from pytest_energy.nodes.lockstep import Arrival, Follower, Leader, Pulse, RankLost, Watch
from pytest_energy.nodes.torchrun import Rank, Siblings, TorchStore, rank_of
from pytest_energy.plugin.counting import FAILURES
from pytest_energy.plugin.mark import id_of
from pytest_energy.plugin.rounds import DeviceLock, MeasuredRounds, RoundLoop, RoundScheduler
from pytest_energy.plugin.run import EnergyRun
from pytest_energy.plugin.stash import MEASUREMENT
from pytest_energy.plugin.termination import is_ours
from pytest_energy.report.cells import first_line
from pytest_energy.sensors.process_table import ProcessTable
from pytest_energy.work import Work

R = TypeVar("R")

_LONGEST_CAUSE = 200  # characters of an error that other ranks name


class Leading:
    """Rank 0: registered as a plugin, and asked by each measurement."""

    def __init__(self, run: EnergyRun, leader: Leader, rank: Rank, siblings: Siblings) -> None:
        self._run, self._leader, self._rank, self._siblings = run, leader, rank, siblings
        self._numbers: dict[str, int] = {}
        self._ranks_by_gpu: dict[str, set[int]] = {}
        self._session: pytest.Session | None = None
        self._previous: signal.Handlers | Callable[[int, FrameType | None], object] | int | None = None
        self.say = leader.say

    def number(self, items: Sequence[pytest.Item]) -> None:
        self._numbers = _numbers(items)

    def begin(self, item: pytest.Item, get_ready: Callable[[], None]) -> None:
        """Begin *item* on all ranks, once *get_ready* was called while they rest."""

        def ready() -> None:
            self._run.meter.adopt(self._siblings.pids())
            get_ready()

        self._leader.begin(self._numbers[id_of(item)], id_of(item), ready)

    @property
    def lost_because(self) -> str | None:
        return self._leader.lost_because

    # Rounds, windows and calls

    def say_round(self, call_count: int) -> None:
        self.say(lockstep.RoundWord(call_count=call_count))

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

    def meet(self) -> None:
        """Wait for all ranks before a window.

        Raises:
            RankLost: One has ended, or has left the test; the others are told.
        """
        try:
            self._keep_gpus(self._leader.meet())
        except RankLost as lost:
            self.say(lockstep.SkipWord(because=str(lost)))
            raise

    def led(self, window: OpenWindow, provenance: Provenance) -> OpenWindow:
        """*window*, which is open, for all ranks: they go on now, and it closes when all are there."""
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
        for rank, arrival in {0: _arrival(), **arrivals}.items():
            for uuid in arrival.gpus:
                self._ranks_by_gpu.setdefault(_bare(uuid), set()).add(rank)

    def roles(self) -> dict[str, str]:
        """By channel, the ranks that have its device open."""
        channels = [channel for sensor in self._run.sensors.sensors for channel in sensor.channels]
        ranks = {channel.name: self._ranks_by_gpu.get(_bare(channel.device)) for channel in channels}
        return {name: _role(ones) for name, ones in ranks.items() if ones}

    def machine(self, machine: Machine) -> Machine:
        """*machine*, with so many ranks at work on it."""
        return with_ranks(machine, self._rank.ranks_by_node)

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
        return reading if because is None else void_reading(because, reading.duration_s, self._provenance)


class Following:
    """Any other rank: registered in place of what writes and shows; it measures nothing."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._follower: Follower | None = None
        self._synchronize: Callable[[], None] = lambda: None
        self._numbers: dict[str, int] = {}
        self._is_inside = False  # of a window, or of a function that rank 0 measures
        self._has_failed = False
        self._screen: io.StringIO | None = None
        config.option.xmlpath = None  # of junitxml: rank 0 writes it

    def follow(
        self, follower: Follower, items: Sequence[pytest.Item], synchronize: Callable[[], None]
    ) -> None:
        """Follow from now on, in the tests *items*."""
        self._follower, self._numbers, self._synchronize = follower, _numbers(items), synchronize

    # What a measurement asks

    def measure(self, work: Work[R]) -> R:
        """Run *work* as rank 0 does; what the last call returned.

        Raises:
            EnergyError: Rank 0, or another rank, has ended or has left the test.
        """
        follower, results, calls = self._following, list[R](), _Count()
        while not isinstance(word := follower.hear(), lockstep.DoneWord):
            if isinstance(word, lockstep.CountWord):
                self._count(work)
                continue
            work.prepare()
            if isinstance(word, lockstep.CallWord):
                results[:] = [self._inside(lambda: work.run(calls.next(), None))]
            elif isinstance(word, lockstep.RoundWord):
                with self.window():
                    for _ in range(word.call_count):
                        results[:] = [work.run(calls.next(), None)]
            else:
                raise _out_of_step(word)
        return results[0]

    def _count(self, work: Work[R]) -> None:
        """Make the calls that rank 0 counts; as there, none of them changes the test."""
        with suppress(*FAILURES):
            self._inside(lambda: work.counts(self._called))
        while not isinstance(word := self._following.hear(), lockstep.CountedWord):
            if not isinstance(word, lockstep.CallWord):
                raise _out_of_step(word)

    def _called(
        self, call: Callable[[], object], /, *, may_repeat: bool = True, is_whole: bool = True
    ) -> Counts | Absent:
        del may_repeat, is_whole
        while isinstance(self._following.peek(), lockstep.CallWord):
            self._following.hear()
            call()
        return Absent("rank 0 counts")

    def _inside(self, call: Callable[[], R]) -> R:
        was_inside, self._is_inside = self._is_inside, True
        try:
            return call()
        finally:
            self._is_inside = was_inside

    @contextmanager
    def window(self) -> Iterator[None]:
        """Run the block while rank 0's window is open; one inside another is a phase there, and nothing here.

        Raises:
            EnergyError: Rank 0, or another rank, has ended or has left the test.
        """
        if self._is_inside:
            yield
            return
        self._arrive()
        word = self._following.hear()
        if isinstance(word, lockstep.SkipWord) and word.because is not None:
            raise RankLost(word.because)
        if not isinstance(word, lockstep.GoWord | lockstep.SkipWord):
            raise _out_of_step(word)
        self._is_inside = True
        try:
            yield
        finally:
            self._is_inside = False
        if isinstance(word, lockstep.GoWord):
            self._arrive()

    def _arrive(self) -> None:
        self._synchronize()
        self._following.arrive(_arrival())

    @property
    def _following(self) -> Follower:
        if self._follower is None:
            raise EnergyError(LATE)
        return self._follower

    # Hooks: tests

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if self._follower is not None and id_of(item) in self._numbers:
            self._follower.begin(self._numbers[id_of(item)], id_of(item))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if self._follower is None or MEASUREMENT in item.stash or id_of(item) not in self._numbers:
            return (yield)
        with self.window():  # a test that is measured as a whole
            return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._has_failed |= report.failed
        is_over = report.when == "teardown" or not report.passed
        if self._follower is not None and report.nodeid in self._numbers and is_over:
            with suppress(RankLost):
                self._follower.leave(None if report.passed else _cause(report))

    # Hooks: what is shown

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            self._screen, writer = io.StringIO(), reporter._tw  # noqa: SLF001  # pytest has no other way
            file, writer._file = writer._file, self._screen  # noqa: SLF001

            def put_back() -> None:
                writer._file = file  # noqa: SLF001

            self._put_back = put_back

    def pytest_collection_finish(self) -> None:
        if self._follower is None:
            self._show()

    def _show(self) -> None:
        """Show what was written so far, and from now on write at once."""
        if self._screen is not None:
            text, self._screen = self._screen.getvalue(), None
            self._put_back()
            self._config.get_terminal_writer().write(text, flush=True)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._follower is None:
            return
        try:
            status = self._follower.end()
        except RankLost as lost:
            self._config.get_terminal_writer().line(f"energy: {lost}")
            self._has_failed, status = True, int(pytest.ExitCode.TESTS_FAILED)
        if exitstatus == pytest.ExitCode.OK:
            session.exitstatus = status

    def pytest_unconfigure(self) -> None:
        if self._has_failed and self._screen is not None:
            heading = f"\nrank {os.environ.get('RANK')} has failed by itself:\n"
            self._screen = io.StringIO(heading + self._screen.getvalue())
            self._show()


def _cause(report: pytest.TestReport) -> str:
    """Why a test is over, in a line: `its call failed: ValueError: broken`."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(report.longrepr[-1]) if isinstance(report.longrepr, tuple) else report.longreprtext
    line = first_line(text if crash is None else crash.message)
    return printable(f"its {report.when} {report.outcome}: {line[:_LONGEST_CAUSE]}")


class _Count:
    """Counts calls, from 0."""

    def __init__(self) -> None:
        self._next = 0

    def next(self) -> int:
        self._next += 1
        return self._next - 1


LATE = (
    "under torchrun a test takes the fixture as an argument: def test_work(energy).\n"
    "All ranks begin to measure together."
)


def join(config: pytest.Config, run: EnergyRun, items: Sequence[pytest.Item]) -> None:
    """Have this process measure *items* together with the other ranks, if torchrun has started it as one.

    Raises:
        SettingsError: The ranks can't find one another, or an option needs a single process.
    """
    rank = rank_of(run.environ)
    if rank is None:
        return
    if run.settings.measures_benchmarks:
        raise SettingsError("--energy-benchmark measures in one process, and torchrun has started several")
    store, table = TorchStore(rank), ProcessTable()
    siblings, pulse = Siblings(store, rank, table), Pulse(TorchStore(rank), rank.rank)
    siblings.announce()
    pulse.start()
    config.add_cleanup(pulse.stop)
    watch = Watch(store, run.clock, siblings.why_ended)
    following = config.pluginmanager.getplugin("energy-follower")
    if isinstance(following, Following):
        run.following = following
        run.settings = replace(run.settings, is_off=True)
        following.follow(Follower(store, rank.rank, watch, run.clock), items, run.synchronize)
    else:
        run.leading = Leading(run, Leader(store, rank.world_size, watch, run.clock), rank, siblings)
        run.leading.number(items)
        if is_ours():
            run.leading.take_sigterm()
        config.pluginmanager.register(run.leading, "energy-leader")


def _numbers(items: Sequence[pytest.Item]) -> dict[str, int]:
    return {id_of(item): number for number, item in enumerate(items)}


def _arrival() -> Arrival:
    return Arrival(gpus=gpu_uuids_in_use())


def _bare(uuid: str) -> str:
    """NVML writes `GPU-` before it, torch doesn't."""
    return uuid.lower().removeprefix("gpu-")


def _role(ranks: set[int]) -> str:
    listed = ", ".join(map(str, sorted(ranks)))
    return f"rank {listed}" if len(ranks) == 1 else f"ranks {listed}"


def _out_of_step(word: lockstep.Word) -> EnergyError:
    return EnergyError(
        f"rank 0 does something else than this rank: it said {type(word).__name__}.\n"
        "All ranks must call the same methods of energy, in the same order."
    )
