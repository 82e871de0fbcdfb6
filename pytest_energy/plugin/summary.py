"""The end of a run: baselines written, outputs written, the summary shown. Only where nobody is above.

Rule 1: nothing is written that was not asked for, and what was written is said.
Rule 2: a test that did not pass, or whose joules don't count, never enters a baseline.
"""

from collections import Counter
from datetime import UTC, datetime
from functools import cached_property

import pytest

from pytest_energy.errors import EnergyError
from pytest_energy.model import Judgement, Verdict
from pytest_energy.plugin.settings import BaselineMode, Settings
from pytest_energy.wire import Fields

# Verdicts whose record may join a baseline. A replacement also takes what the old baseline refuses.
_JOINING = frozenset({Verdict.PASS, Verdict.IMPROVEMENT, Verdict.INCONCLUSIVE, Verdict.NO_BASELINE})
_REPLACING = _JOINING | {Verdict.REGRESSION, Verdict.NOT_COMPARABLE}


class SummaryPlugin:
    """Collects the judgements of all tests, of this process or of its workers."""

    def __init__(self, settings: Settings) -> None:
        """Refuse outputs of a kind that can't be written before the run, not after it."""
        if settings.out_paths:
            from pytest_energy.report.formats import renderer_of

            for path in settings.out_paths:
                renderer_of(path)
        self._settings = settings
        self._reports: dict[str, pytest.TestReport] = {}
        self._notices: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and hasattr(report, "energy"):
            self._reports[report.nodeid] = report  # a rerun's report takes the place of the earlier one

    @cached_property
    def judgements(self) -> tuple[Judgement, ...]:
        """In the order of collection; workers report in the order that they finish."""
        reports = sorted(self._reports.values(), key=lambda report: getattr(report, "item_index", 0))
        return tuple(_judgement(report) for report in reports)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if not self._reports:
            return
        try:
            self._write_baselines()
            self._write_outputs()
        except EnergyError as error:
            self._notices.append(f"ERROR: {error}")
            session.exitstatus = pytest.ExitCode.USAGE_ERROR

    def _write_baselines(self) -> None:
        mode = self._settings.baseline_mode
        if mode not in {BaselineMode.ADD, BaselineMode.REPLACE}:
            return
        from pytest_energy.baselines.store import Store

        store, written = Store(self._settings.baselines_path), Counter[str]()
        for judgement in self.judgements:
            refusal = self._why_not_stored(judgement)
            if refusal is not None:
                self._notices.append(f"no baseline written for {judgement.record.test_id}: {refusal}")
                continue
            store.write(
                judgement.record.machine.key,
                judgement.record.test_id,
                (judgement.record,),
                mode="add" if mode is BaselineMode.ADD else "replace",
                keep=self._settings.baseline_session_count,
            )
            written[judgement.record.machine.key] += 1
        verb = "added to" if mode is BaselineMode.ADD else "replaced in"
        folder = self._settings.baselines_path
        self._notices.extend(f"{count} baseline(s) {verb} {folder / key}" for key, count in written.items())

    def _why_not_stored(self, judgement: Judgement) -> str | None:
        report = self._reports[judgement.record.test_id]
        if not report.passed:
            return f"the test did not pass ({report.outcome})"
        accepted = _REPLACING if self._settings.baseline_mode is BaselineMode.REPLACE else _JOINING
        if judgement.verdict not in accepted or not judgement.record.is_measured:
            return f"its verdict is {judgement.verdict}: {judgement.reason.splitlines()[0]}"
        return None

    def _write_outputs(self) -> None:
        from pytest_energy.report.formats import write

        created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for path in self._settings.out_paths:
            write(self.judgements, path, created=created)
            self._notices.append(f"summary written to {path}")

    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, config: pytest.Config
    ) -> None:
        if not self._reports:
            return
        if self._settings.shows_report:
            from pytest_energy.report import to_terminal, view

            terminalreporter.section("energy")
            text = to_terminal.render(view.of(self.judgements), width=config.get_terminal_writer().fullwidth)
            terminalreporter.write_line(text)
        else:
            counts = Counter(judgement.verdict for judgement in self.judgements)
            said = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
            terminalreporter.write_line(f"energy: {said} (--energy-report shows the joules)")
        for notice in self._notices:
            terminalreporter.write_line(f"energy: {notice}", red=notice.startswith("ERROR"))


def _judgement(report: pytest.TestReport) -> Judgement:
    return Judgement.from_json(Fields(report.energy, f"energy of {report.nodeid}"))
