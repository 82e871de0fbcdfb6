"""The end of a run: baselines written, outputs written, the summary shown.

Rule 1: nothing is written that was not asked for, and what was written is named; files that were asked for
are written although nothing was measured.
Rule 2: what can't be written costs nothing else. What all the rest can be made of comes first.
Rule 3: a test that did not pass, or whose joules don't count, never enters a baseline.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.baselines.accept import joining, storable, why_not_accepted, why_not_beside
from pytest_energy.baselines.protocol import BaselineStore, Mode, NotWritable
from pytest_energy.conversion import judgement_from_json
from pytest_energy.documents import now_text
from pytest_energy.errors import EnergyError
from pytest_energy.model import Record
from pytest_energy.plugin.ci import annotations, append_step_summary
from pytest_energy.plugin.run import run_of
from pytest_energy.plugin.screen import Screen, verdict_lines
from pytest_energy.plugin.unchecked import warn_unchecked
from pytest_energy.report import view
from pytest_energy.report.formats import is_whole_run, mistake_text, write
from pytest_energy.report.outputs import Output
from pytest_energy.report.reasons import of_tests
from pytest_energy.run_judgement import BaselineMode, SessionFactor
from pytest_energy.sensors.replay import round_from_json, save_replay
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import count_text
from pytest_energy.yardstick import Yardstick

_NOTICED_S = 1.0  # of the run's time: nobody asks about less


class Summary:
    """The judgements of one run, in the order of collection.

    Args:
        config: Of the run.
        reports: Those that carry a judgement.
        run_notes: What changed by the end of the run, one sentence each.
        failures: Why the run fails as a whole, one sentence each.
        factors: What the tests of each process have in common.
        yardstick: What the fixed loads used.
    """

    def __init__(
        self,
        config: pytest.Config,
        reports: Iterable[pytest.TestReport],
        *,
        run_notes: Iterable[str],
        failures: Iterable[str],
        factors: Iterable[SessionFactor],
        yardstick: Yardstick,
    ) -> None:
        # Workers report in the order that they finish, with the place that collection gave the test.
        ordered = sorted(reports, key=lambda report: getattr(report, "item_index", 0))
        self._run = run_of(config)
        self._settings = self._run.settings
        self._reports = ordered
        self._judgements = tuple(
            replace(
                judgement_from_json(r.energy, f"energy of {r.nodeid}"),
                outcome=r.energy.get("outcome", r.outcome),
            )
            for r in ordered
        )
        creeps = ((j.record.test_id, j.comparison.creep) for j in self._judgements if j.comparison)
        attempts = self._run.attempts.note(one.record for one in self._judgements if one.comparison)
        self._failures = tuple(failures)
        self._run_judgement = self._settings.run_judgement(self._failures, factors)
        self._notes = (*run_notes, *of_tests((test_id, text) for test_id, text in creeps if text))
        self._notes += () if attempts is None else (attempts,)
        self._notes += tuple(_trace_note([one.record for one in self._judgements]))
        self._run_notes = (*self._run_judgement.failure_notes, *self._notes)
        self._recorded = {
            r.energy["id"]: r.energy["replay_rounds"] for r in ordered if r.energy["replay_rounds"]
        }
        self._yardstick = yardstick
        self._notices: list[str] = []
        self._is_whole = True
        self._config = config

    def write(self) -> bool:
        """Write the baselines and outputs that were asked for; `False` if one could not be written."""
        outputs = self._settings.outputs
        whole_runs = self._write_reports(output for output in outputs if is_whole_run(output))
        self._keep_attempt()
        self._write_recording()
        self._write_reports(output for output in outputs if not is_whole_run(output))
        if self._settings.baseline_mode in {BaselineMode.ADD, BaselineMode.REPLACE}:
            self._write_baselines()
        self._write_step_summary()
        if whole_runs and not self._is_whole:
            self._notices.append(
                f"{whole_runs[0]} holds the whole run: make a report with `pytest-energy export`, and "
                f"baselines with `pytest-energy accept`"
            )
        return self._is_whole

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        """Tell of an error in the block, in which *what* is written, and go on."""
        try:
            yield
        except NotWritable:
            raise
        except EnergyError as error:
            self._refuse(str(error))
        except Exception as error:  # noqa: BLE001  # what comes after it is written all the same
            self._refuse(f"{what} can't be written: {mistake_text(error)}")

    def _refuse(self, text: str) -> None:
        self._is_whole = False
        notice = f"ERROR: {text}"
        if notice not in self._notices:  # what is wrong with a folder is so for each test
            self._notices.append(notice)

    def _write_reports(self, outputs: Iterable[Output]) -> list[Output]:
        """Write the reports of *outputs*; those that are written now."""
        written = []
        for output in outputs:
            with self._alone(f"the report {output}"):
                write(
                    self._judgements,
                    output,
                    created=now_text(),
                    run_notes=self._run_notes,
                    yardstick=self._yardstick,
                    run_judgement=self._run_judgement,
                    tariff=self._settings.tariff,
                )
                self._notices.append(f"summary written to {output}")
                written.append(output)
        return written

    def _keep_attempt(self) -> None:
        with self._alone("the attempt"):
            attempt = self._run.attempts.keep(self._judgements, self._run.session_id)
            if attempt is not None:
                self._notices.append(f"attempt kept as {attempt}")

    def _write_step_summary(self) -> None:
        path = self._run.environ.get("GITHUB_STEP_SUMMARY")
        if path and self._settings.shows_report and self._judgements:
            with self._alone(path):
                run = view.of(self._judgements, run_notes=self._run_notes, tariff=self._settings.tariff)
                self._notices.append(append_step_summary(run, Path(path)))

    def _write_baselines(self) -> None:
        store, written = self._run.store, Counter[str]()
        is_added = self._settings.baseline_mode is BaselineMode.ADD
        try:
            self._store_tests(store, written, is_added=is_added)
            if written:
                with self._alone("the baselines of the yardstick"):
                    self._store_yardstick(store, written, is_added=is_added)
        except NotWritable as error:  # nor could another baseline be written
            self._refuse(str(error))
        verb = "added to" if is_added else "replaced in"
        self._notices.extend(f"{n} baseline(s) {verb} {store.name}/{key}" for key, n in written.items())

    def _store_tests(self, store: BaselineStore, written: Counter[str], *, is_added: bool) -> None:
        """Put the tests' records into *store*; *written* counts them by machine key."""
        refusals = []
        for judgement in self._judgements:
            record = judgement.record
            refusal = why_not_accepted(
                judgement,
                replaces=not is_added,
                takes_estimates=self._settings.gates_estimates,
            )
            if refusal is not None:
                refusals.append((record.test_id, refusal))
                continue
            with self._alone(f"the baseline of {record.test_id}"):
                joins = joining(judgement, is_accepted=not is_added)
                self._store(joins, store, "add" if is_added else "replace")
                written[joins.machine.key] += 1
        self._notices += [f"no baseline written for {text}" for text in of_tests(refusals)]

    def _store(self, record: Record, store: BaselineStore, mode: Mode, *, per_run: int = 1) -> None:
        keep = per_run * self._settings.baseline_session_count
        store.write(record.machine.key, record.test_id, (record,), mode, keep)

    def _store_yardstick(self, store: BaselineStore, written: Counter[str], *, is_added: bool) -> None:
        """Put the loads beside the tests; *written* counts each once."""
        stored = set[str]()
        for record in storable(self._yardstick.records):
            key, test_id = record.machine.key, record.test_id
            is_beside = is_added or test_id in stored
            because = why_not_beside(record, store.load(key, test_id)) if is_beside else None
            if because is not None:
                self._notices.append(f"no baseline written for {test_id}: {because}")
                continue
            mode: Mode = "add" if is_beside else "replace"
            self._store(record, store, mode, per_run=self._yardstick.process_count)
            written[key] += test_id not in stored
            stored.add(test_id)

    def _write_recording(self) -> None:
        path = self._settings.record_path
        if path is None:
            return
        with self._alone(f"the replay file {path}"):
            recording = {
                test_id: [round_from_json(one_round, f"round of {test_id}") for one_round in rounds]
                for test_id, rounds in self._recorded.items()
            }
            save_replay(path, recording)
            self._notices.append(f"rounds of {len(recording)} test(s) written to {path}")

    def warn(self) -> None:
        """Warn of each test that passed although nothing was compared with its limits."""
        warn_unchecked(self._config, [*zip(self._reports, self._judgements, strict=True)])

    def show(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what was asked for: the report, whose table comes last, or the verdicts in one line."""
        is_full = self._settings.shows_all or self._config.get_verbosity() > 0
        screen = Screen(terminalreporter, is_full=is_full)
        below = ""
        if not self._judgements:
            screen.write("energy: no test was judged")
        elif self._settings.shows_report:
            terminalreporter.write_sep("=", "energy")
            with self._alone("the summary"):
                run = view.of(self._judgements, yardstick=self._yardstick, tariff=self._settings.tariff)
                message_count = len((*self._failures, *self._notes, *self._notices))
                above, below = screen.parts(run, message_count=message_count)
                screen.write(above)
        else:
            screen.write(verdict_lines(self._judgements))
        for failure in self._failures:
            screen.write(f"energy: FAILED: {failure}", is_red=True)
        for note in self._notes:
            screen.write(f"energy: note: {note}")
        for notice in self._notices:
            screen.write(f"energy: {notice}", is_red=notice.startswith("ERROR"))
        for command in self._annotations():
            terminalreporter.write_line(command)
        if below:
            terminalreporter.write_line(f"\n{below}")

    def _annotations(self) -> Iterator[str]:
        return annotations(
            zip(self._reports, self._judgements, strict=True),
            root=self._config.rootpath,
            environ=self._run.environ,
            failures=self._failures,
        )


def _trace_note(records: Sequence[Record]) -> Iterator[str]:
    """What it has cost to count what the tests do, if it was long enough to notice."""
    costs_s = [record.counts.trace_s for record in records if record.counts is not None]
    if sum(costs_s) >= _NOTICED_S:
        yield f"traces took {to_text(sum(costs_s), 's', digits=2)} for {count_text(len(costs_s), 'test')}"
