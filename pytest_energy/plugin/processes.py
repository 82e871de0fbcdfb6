"""The two sides of a run: workers, such as those of pytest-xdist, and their controller or the only process.

Rule 1: workers measure and judge; only the controller (or the only process) writes and shows.
Rule 2: notes at the end are asked for in every process that measured, and shown by the controller.
Rule 3: where no energy test came nothing is imported and nothing is asked.
"""

from collections.abc import Callable

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.plugin.stash import RUN

Show = Callable[[pytest.TerminalReporter], None]

_WORKER_NOTES = "energy_run_notes"  # the name under which a worker's notes travel to the controller


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is one of several that a controller started."""
    return hasattr(config, "workerinput")


def _notes_of_this_process(config: pytest.Config, exit_status: int) -> tuple[str, ...]:
    """What the meter of this process has to say of the run as a whole; takes 3 s if it has measured."""
    run = config.stash.get(RUN, None)
    if run is None or exit_status == pytest.ExitCode.INTERRUPTED:  # what somebody stopped ends at once
        return ()
    try:
        return run.drift_notes()
    except (EnergyError, RuntimeError) as error:  # RuntimeError: a device that the work has left broken
        return (f"power without work at the end of the run could not be read: {error}",)


class Worker:
    """Registered in a worker: sends its notes to the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        notes = _notes_of_this_process(self._config, exitstatus)
        if notes:
            vars(self._config)["workeroutput"][_WORKER_NOTES] = list(notes)


class Controller:
    """Registered in the controller: collects the reports of energy tests, and ends the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: dict[str, pytest.TestReport] = {}
        self._run_notes: dict[str, None] = {}  # each once, in the order met
        self._show: Show | None = None

    @pytest.hookimpl(optionalhook=True)  # of xdist
    def pytest_testnodedown(self, node: object) -> None:
        output = getattr(node, "workeroutput", {})  # a worker that crashed has none
        self._run_notes |= dict.fromkeys(output.get(_WORKER_NOTES, ()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and hasattr(report, "energy"):
            self._reports[report.nodeid] = report  # a rerun's report takes the place of the earlier one

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._reports:
            from pytest_energy.plugin.summary import Summary

            self._run_notes |= dict.fromkeys(_notes_of_this_process(self._config, exitstatus))
            summary = Summary(self._config, self._reports.values(), self._run_notes)
            self._show = summary.show
            if not summary.write():
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._show is not None:
            self._show(terminalreporter)
