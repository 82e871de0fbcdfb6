"""The verdicts of one process: provisional when a test ends, final when all tests have run.

Rule 1: a verdict that would fail its test waits for the end of the run, where it may (`waiting`): the reports
from the call on are held back, and logged once, with the final verdict.
Rule 2: what looks like a regression then runs once more, as a whole, after all other tests, so that what
disturbed it is hardly met again; the rounds of both runs are one record. Where it may not wait, or is a
benchmark, the second batch follows the first at once.
Rule 3: all tests are judged again together, and `pytest_energy_verdict` is asked. A test that was reported as
passed and fails only now gets a report of that in place of the earlier one.
Rule 4: a failure that was reported at once is final.
Rule 5: nothing is lost: with the report of its set-up a test that waits sends the others as they are, which
count if the process ends before it has concluded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from _pytest.runner import pytest_runtest_protocol, runtestprotocol

from pytest_energy.errors import EnergyError
from pytest_energy.judgement import Judgement
from pytest_energy.plugin.batches import FirstBatch
from pytest_energy.plugin.gate import Conclusion
from pytest_energy.plugin.mark import id_of
from pytest_energy.plugin.reports import (
    Ending,
    energy_to_call,
    final_reports,
    keep_judgement,
    late_reports,
    revision_of,
    to_plain,
)
from pytest_energy.plugin.run import EnergyRun, run_of
from pytest_energy.plugin.stash import (
    FIRST_BATCH,
    IS_FAILING,
    IS_SETTLED,
    JUDGEMENT,
    MEASUREMENT,
    REPLAY_ROUNDS,
    REPORTS,
    TRIALS,
)
from pytest_energy.plugin.waiting import has_other_runner, is_expected_to_fail, may_run_again


@dataclass(slots=True, kw_only=True)
class Trial:
    """One energy test of this run, from its first judgement to the last.

    Attributes:
        reported: The judgement that its logged reports carry, or would if they weren't held back.
        is_settled: It has failed at once, and that is final.
        held: Its reports from the call on; empty if they were logged.
        may_confirm: It may run once more.
        is_suspect: By itself it looks like a regression.
        property_count: Properties that it had before it ran.
        mishap: A report of the end of its second run that has to be logged.
        sections: What its reports have to say of a second run that confirmed nothing.
    """

    item: pytest.Item
    judgement: Judgement
    reported: Judgement
    is_settled: bool
    held: list[pytest.TestReport] = field(default_factory=list)
    may_confirm: bool = False
    is_suspect: bool = False
    property_count: int = 0
    mishap: pytest.TestReport | None = None
    sections: list[tuple[str, str]] = field(default_factory=list)


class Trials:
    """The energy tests of one process, and what waits for the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._trials: dict[str, Trial] = {}
        self._second: list[pytest.TestReport] = []
        self._last_item: pytest.Item | None = None
        self._concluded: Conclusion | None = None

    @property
    def _run(self) -> EnergyRun:
        return run_of(self._config)

    def keep(self, item: pytest.Item) -> None:
        """Keep the judgement that the call of *item* has just led to."""
        judgement, trial = item.stash[JUDGEMENT], self._trials.get(id_of(item))
        if FIRST_BATCH in item.stash and trial is not None:
            trial.judgement = judgement
        else:
            is_settled = item.stash[IS_SETTLED]
            self._trials[id_of(item)] = Trial(
                item=item, judgement=judgement, reported=judgement, is_settled=is_settled
            )

    # While the tests run

    def next_again(self, item: pytest.Item, nextitem: pytest.Item | None) -> pytest.Item | None:
        """What runs after *item*; after the last item a test that runs once more: their fixtures may last."""
        if nextitem is not None:
            return nextitem
        self._last_item = item
        again = (one.item for one in self._trials.values() if one.is_suspect and one.may_confirm)
        return next((other for other in again if other is not item), None)

    def run_last(self, item: pytest.Item) -> bool | None:
        """Run *item*, whose verdict doesn't wait, as pytest does, if tests run once more after it."""
        nextitem = self.next_again(item, None)
        if nextitem is None or has_other_runner(item):
            return None
        return pytest_runtest_protocol(item, nextitem)

    def run(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        """Run *item* as pytest does, and hold its reports back if its verdict waits."""
        if FIRST_BATCH in item.stash:
            self._second = runtestprotocol(item, log=False, nextitem=nextitem)
            energy_to_call(self._second)
            return
        hook, property_count = item.ihook, len(item.user_properties)
        hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        self._trials.pop(id_of(item), None)
        item.stash[REPORTS] = []
        try:
            reports = runtestprotocol(item, log=False, nextitem=self.next_again(item, nextitem))
        except BaseException:  # somebody stops the run: what is known of the test is logged
            self._log(item, self._without_held(item, item.stash[REPORTS], property_count))
            raise
        self._log(item, self._without_held(item, reports, property_count))
        hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)

    def _log(self, item: pytest.Item, reports: list[pytest.TestReport]) -> None:
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)

    def _without_held(
        self, item: pytest.Item, reports: list[pytest.TestReport], property_count: int
    ) -> list[pytest.TestReport]:
        """Those of *reports* that are logged at once; the others wait (rule 1)."""
        trial = self._trials.get(id_of(item))
        energy_to_call(reports)
        if trial is None or trial.is_settled:
            return reports
        trial.may_confirm = may_run_again(item) and all(report.passed for report in reports)
        trial.property_count = property_count
        trial.is_suspect = bool(self._run.suspects((trial.judgement,)))
        if not (item.stash[IS_FAILING] or trial.is_suspect):
            return reports
        setup, *trial.held = reports
        as_they_are = final_reports(item, trial.held)
        vars(setup)["energy_held"] = [to_plain(report, self._config) for report in as_they_are]
        return [setup]

    # When they have run

    def conclude(self, session: pytest.Session, *, may_confirm: bool, end: Callable[[Ending], None]) -> None:
        """Confirm what looks like a regression, judge all tests together, and give *end* what comes of it.

        Args:
            session: Of this process.
            may_confirm: Tests may run once more; not if the run was stopped.
            end: Called in any case, also if the tests are stopped that run once more.
        """
        try:
            if may_confirm:
                self._confirm(session)
        finally:
            end(self._ending())

    def _confirm(self, session: pytest.Session) -> None:
        # By what all tests show together: what they share is no reason to run each of them once more.
        wanted = self._run.suspects(self._conclusion().judgements)
        again = [
            (trial, wanted[test_id])
            for test_id, trial in self._trials.items()
            if test_id in wanted and trial.may_confirm and self._has_rounds(trial)
        ]
        following = [*(trial.item for trial, _ in again[1:]), None]
        for (trial, round_count), nextitem in zip(again, following, strict=False):
            self._run_again(trial, round_count, nextitem)
            if session.shouldfail or session.shouldstop:
                break
        self._tear_down_rest(session)

    def _has_rounds(self, trial: Trial) -> bool:
        """Whether the source of joules has rounds for a second batch; hardware always has."""
        measurement = trial.item.stash[MEASUREMENT]
        left = measurement.place.meter.rounds_left(measurement.test_id)
        return left is None or left >= measurement.least_confirming_count

    def _run_again(self, trial: Trial, round_count: int, nextitem: pytest.Item | None) -> None:
        item, first = trial.item, trial.judgement
        replay_rounds = item.stash.get(REPLAY_ROUNDS, [])
        own_properties = item.user_properties[:]
        del item.user_properties[trial.property_count :]
        item.stash[FIRST_BATCH] = FirstBatch(
            record=first.record, round_count=round_count, replay_rounds=replay_rounds
        )
        self._second, self._concluded = [], None
        try:
            # By the hook: what other plugins put around each test (a timeout, filters of warnings) is there.
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        finally:
            del item.stash[FIRST_BATCH]
            if trial.judgement is first:  # not confirmed: the first run stands
                item.user_properties[:] = own_properties
                item.stash[REPLAY_ROUNDS] = replay_rounds
                self._keep(trial, first)
        _take_second(trial, self._second, is_confirmed=trial.judgement is not first)

    def _tear_down_rest(self, session: pytest.Session) -> None:
        """End the fixtures that were kept for tests that did not run once more in the end."""
        item = self._last_item
        if item is None or not session._setupstate.stack:  # noqa: SLF001  # pytest has no other way to ask
            return
        call = pytest.CallInfo.from_call(
            lambda: session._setupstate.teardown_exact(None),  # noqa: SLF001
            when="teardown",
            reraise=(KeyboardInterrupt, pytest.exit.Exception),
        )
        if call.excinfo is not None:
            self._log(item, [pytest.TestReport.from_item_and_call(item, call)])

    def _ending(self) -> Ending:
        trials = [*self._trials.values()]
        conclusion = self._conclusion()
        reports: list[list[pytest.TestReport]] = []
        revised: list[pytest.Item] = []
        for trial, judgement in zip(trials, conclusion.judgements, strict=True):
            if not trial.is_settled:
                self._settle(trial, judgement, reports, revised)
        reports += [[trial.mishap] for trial in trials if trial.mishap is not None]
        return Ending(
            reports=tuple(reports),
            revisions=map(revision_of, revised),
            failure=conclusion.failure,
            factors=conclusion.factors,
            notes=conclusion.notes,
        )

    def _conclusion(self) -> Conclusion:
        """What all tests show together; worked out again only if one of them has run once more."""
        if self._concluded is None:
            provisional = tuple(trial.judgement for trial in self._trials.values())
            try:
                self._concluded = self._run.conclude(provisional)
            except EnergyError as error:
                self._concluded = Conclusion(
                    judgements=provisional, failure=f"the tests could not be judged together: {error}"
                )
        return self._concluded

    def _settle(
        self,
        trial: Trial,
        judgement: Judgement,
        reports: list[list[pytest.TestReport]],
        revised: list[pytest.Item],
    ) -> None:
        """Make *judgement*, after other plugins were asked, the final one of *trial*."""
        item, final = trial.item, self._run.after_hooks(judgement)
        self._keep(trial, final)
        if trial.held:
            reports.append(final_reports(item, trial.held, trial.sections))
        elif item.stash[IS_FAILING] and not is_expected_to_fail(item):
            reports.append(late_reports(item, trial.sections))
        elif final != trial.reported:
            revised.append(item)

    def _keep(self, trial: Trial, judgement: Judgement) -> None:
        keep_judgement(trial.item, judgement, is_failing=self._run.is_failing(judgement))


def _take_second(trial: Trial, second: list[pytest.TestReport], *, is_confirmed: bool) -> None:
    """Have the reports of a second run take the place of those that are held back, or explain it."""
    wrong = next((report for report in second if not report.passed), None)
    if not is_confirmed and wrong is not None:
        text = f"{wrong.when}: {wrong.longreprtext}"
        trial.sections.append(("energy: the second run, which should confirm it, did not pass", text))
    if is_confirmed and trial.held and len(second) == 3:
        setup, call, teardown = second
        call.duration += setup.duration + trial.held[0].duration
        teardown.duration += trial.held[-1].duration
        trial.held = [call, teardown]
    elif second and second[-1].failed:  # the end of a test is always there
        if trial.held:
            trial.held[-1] = second[-1]
        else:
            trial.mishap = second[-1]


def trials_of(config: pytest.Config) -> Trials:
    """The run's own, made when first asked for."""
    if TRIALS not in config.stash:
        config.stash[TRIALS] = Trials(config)
    return config.stash[TRIALS]
