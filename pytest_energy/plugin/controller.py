"""The controller's side: collects the reports of energy tests, of its workers' too, and ends the run."""

from collections.abc import Callable

import pytest

from pytest_energy.plugin.run_notes import notes_of_this_process
from pytest_energy.plugin.worker import WORKER_NOTES

Show = Callable[[pytest.TerminalReporter], None]


class Controller:
    """Registered in the controller, or in the only process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: dict[str, pytest.TestReport] = {}
        self._run_notes: dict[str, None] = {}  # each once, in the order met
        self._show: Show | None = None

    @pytest.hookimpl(optionalhook=True)  # of xdist
    def pytest_testnodedown(self, node: object) -> None:
        output = getattr(node, "workeroutput", {})  # a worker that crashed has none
        self._run_notes |= dict.fromkeys(output.get(WORKER_NOTES, ()))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and hasattr(report, "energy"):
            self._reports[report.nodeid] = report  # a rerun's report takes the place of the earlier one

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._reports:
            from pytest_energy.plugin.summary import Summary

            self._run_notes |= dict.fromkeys(notes_of_this_process(self._config, exitstatus))
            summary = Summary.of_run(self._config, self._reports.values(), tuple(self._run_notes))
            self._show = summary.show
            if not summary.write():
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._show is not None:
            self._show(terminalreporter)
