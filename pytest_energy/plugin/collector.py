"""Collects the reports of energy tests, of this process or of its workers, and ends the run with them."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_energy.plugin.summary import Summary


class Collector:
    """Registered where nobody is above: in the controller, or in the only process."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reports: dict[str, pytest.TestReport] = {}
        self._summary: Summary | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and hasattr(report, "energy"):
            self._reports[report.nodeid] = report  # a rerun's report takes the place of the earlier one

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._reports:
            from pytest_energy.plugin.settings import settings_of
            from pytest_energy.plugin.summary import Summary

            self._summary = Summary(settings_of(self._config), self._reports.values())
            if not self._summary.write():
                session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._summary is not None:
            width = self._config.get_terminal_writer().fullwidth
            self._summary.show(terminalreporter, width=width)
