"""One side of `pytest-energy ab`: a plugin that runs tests and takes rounds on command.

Rule 1: the process measures only while it has its turn; in between it waits for a line, which costs nothing.
Rule 2: nothing is judged, written or shown here: readings and records go to the command.
Rule 3: when the command has gone the process ends as well, its fixtures torn down.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_energy.ab.protocol import (
    NO_SENSOR,
    PIPES,
    CollectedTests,
    EndOrder,
    FinishedTest,
    Link,
    Order,
    ReadyTest,
    RoundMessage,
    RoundOrder,
    TestOrder,
)
from pytest_energy.conversion import as_document
from pytest_energy.documents import Round
from pytest_energy.errors import EnergyError, SensorUnavailable
from pytest_energy.model import Provenance
from pytest_energy.plugin.mark import EnergyMark, is_energy_test
from pytest_energy.plugin.rounds import DeviceLock, MeasuredRounds, RoundLoop
from pytest_energy.plugin.run import EnergyRun, run_of
from pytest_energy.sensors.protocol import Sensor

T = TypeVar("T")


@pytest.hookimpl(trylast=True)  # after the plugin has registered what writes and shows
def pytest_configure(config: pytest.Config) -> None:
    controller = config.pluginmanager.get_plugin("energy-controller")
    if controller is not None:
        config.pluginmanager.unregister(controller)
    try:
        link, run = Link.from_text(os.environ.pop(PIPES, "")), run_of(config)
    except EnergyError as error:
        raise pytest.UsageError(str(error)) from error
    run.kin_pid = os.getppid()  # the other side is no stranger: it is known to be quiet
    run.scheduler = Interleaved(link, run)
    config.pluginmanager.register(Worker(link), "energy-ab-worker")


def pytest_energy_sensors(config: pytest.Config) -> dict[str, Callable[[], Sensor]]:
    """Offer the sensor that is never there to a run that asks for it."""
    return {NO_SENSOR: _open_none} if config.getoption("--energy-sensors") == NO_SENSOR else {}


def _open_none() -> Sensor:
    raise SensorUnavailable(NO_SENSOR, "counts alone are compared")


class Interleaved:
    """Takes a round whenever it is this side's turn, and holds the devices no longer than that."""

    def __init__(self, link: Link, run: EnergyRun) -> None:
        self._link, self._run = link, run

    def schedule(self, loop: RoundLoop[T], lock: DeviceLock) -> MeasuredRounds[T]:
        with lock():
            loop.warm_up()
        self._link.say(self._ready(loop))
        rounds: MeasuredRounds[T] | None = None
        while isinstance(order := _heard(self._link), RoundOrder):
            loop.call_count = order.call_count
            with lock():
                result, reading = loop.take_one()
            if reading.void_because is None:
                loop.rounds.append(reading)
            rounds = loop.to_measured(loop.rounds or [reading], result)
            self._link.say(RoundMessage(provenance=reading.provenance, reading=as_document(Round, reading)))
        if rounds is None:
            pytest.skip("the other side has no round to compare with")
        return rounds

    def _ready(self, loop: RoundLoop[T]) -> ReadyTest:
        plan, run = loop.plan, self._run
        return ReadyTest(
            call_count=loop.call_count,
            may_repeat=plan.may_repeat,
            limit=plan.limit,
            round_count=plan.count,
            void_retry_count=plan.void_retry_count,
            max_time_s=plan.max_time_s,
            is_judged=run.settings.gates_estimates or run.provenance is not Provenance.ESTIMATED,
        )


def _heard(link: Link) -> Order:
    """The next order; without one the run ends, wherever it is."""
    order = link.hear()
    if order is None or isinstance(order, EndOrder):
        pytest.exit("pytest-energy ab has ended", returncode=pytest.ExitCode.INTERRUPTED)
    return order


class Worker:
    """Runs the energy tests of this side, one at a time, on command."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._reports: list[pytest.TestReport] = []
        self._sources: dict[str, str] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed and not session.config.option.continue_on_collection_errors:
            raise session.Interrupted(f"{session.testsfailed} errors during collection")
        items = {item.nodeid: item for item in session.items if is_energy_test(item)}
        collected = CollectedTests(
            tolerances={test_id: EnergyMark.of(item).tolerance for test_id, item in items.items()},
            other_count=len(session.items) - len(items),
            sources=self._new_sources(),
        )
        self._link.say(collected)
        while isinstance(order := self._link.hear(), TestOrder):
            item, next_item = items[order.id], None if order.next_id is None else items[order.next_id]
            self._reports = []
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=next_item)
            self._link.say(self._done())
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def _done(self) -> FinishedTest:
        judged = [report for report in self._reports if hasattr(report, "energy")][-1:]
        wrong = [report for report in self._reports if not report.passed and not _is_of_energy(report)]
        return FinishedTest(
            outcome=wrong[0].outcome if wrong else "passed",
            text=wrong[0].longreprtext if wrong else "",
            judgement=vars(judged[0])["energy"] if judged else None,
            sources=self._new_sources(),
        )

    def _new_sources(self) -> dict[str, str]:
        sources = {
            name: str(file.resolve())
            for name, module in list(sys.modules.items())
            if "." not in name and name not in sys.stdlib_module_names
            if (file := _file_of(module)) is not None
        }
        new = {name: file for name, file in sources.items() if name not in self._sources}
        self._sources |= new
        return new


def _is_of_energy(report: pytest.TestReport) -> bool:
    """Whether a report is a failure by this side's own judgement, for which it isn't asked here."""
    return report.failed and bool(vars(report).get("energy", {}).get("is_failing"))


def _file_of(module: object) -> Path | None:
    """The file that *module* is in; the folder of a package without a file of its own."""
    file = getattr(module, "__file__", None)
    if isinstance(file, str):
        return Path(file)
    folders = list(getattr(module, "__path__", None) or ())
    return Path(folders[0]) if folders and isinstance(folders[0], str) else None
