"""Any rank of several but rank 0: it makes the calls that rank 0 measures.

Rule 1: it shows and writes nothing, unless a test fails here by itself, and ends with rank 0's status.
Rule 2: what it learns of rank 0's end ends the test with that reason.
"""

import io
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TypeVar

import pytest

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, EnergyError, printable
from pytest_energy.meter.synchronize import gpu_uuids_in_use
from pytest_energy.nodes import lockstep
from pytest_energy.nodes.lockstep import Arrival, Follower, RankLost
from pytest_energy.plugin.counting import FAILURES
from pytest_energy.plugin.mark import id_of
from pytest_energy.plugin.stash import MEASUREMENT
from pytest_energy.report.cells import first_line
from pytest_energy.work import Work

R = TypeVar("R")

_LONGEST_CAUSE = 200  # characters of an error that other ranks name

LATE = (
    "under torchrun a test takes the fixture as an argument: def test_work(energy).\n"
    "All ranks begin to measure together."
)


class Following:
    """Any other rank: registered in place of what writes and shows; it measures nothing."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._follower: Follower | None = None
        self._synchronize: Callable[[], None] = lambda: None
        self._numbers: Mapping[str, int] = {}
        self._is_inside = False  # of a window, or of a function that rank 0 measures
        self._has_failed = False
        self._screen: io.StringIO | None = None
        config.option.xmlpath = None  # of junitxml: rank 0 writes it

    def follow(self, follower: Follower, numbers: Mapping[str, int], synchronize: Callable[[], None]) -> None:
        """Follow from now on, in the tests that have *numbers*."""
        self._follower, self._numbers, self._synchronize = follower, numbers, synchronize

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
        self._following.arrive(Arrival(gpus=gpu_uuids_in_use()))

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


def _out_of_step(word: lockstep.Word) -> EnergyError:
    return EnergyError(
        f"rank 0 does something else than this rank: it said {type(word).__name__}.\n"
        "All ranks must call the same methods of energy, in the same order."
    )
