"""The phases of a record against those of its baseline. Pure.

Rule 1: a phase is compared by the rules of a test (`changes`), its levels being those of the same sessions.
Rule 2: a phase that was not asked for is shown, and no verdict depends on it.
Rule 3: each phase that may fail its test is one comparison more among those of the run.
Rule 4: a phase that was asked for and that the baseline lacks is `no-baseline`, never a pass.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import PhaseComparison, Verdict
from pytest_energy.model import Record
from pytest_energy.stats.ratio import ratio_of
from pytest_energy.verdict.changes import Change, Question, worst
from pytest_energy.verdict.doubt_words import doubt_text
from pytest_energy.verdict.findings import AgainstPhase, OfPhase, PhaseUnknown
from pytest_energy.verdict.history import Entry, History, entry_of, mean_entry
from pytest_energy.verdict.phase_record import phase_record, phase_records
from pytest_energy.verdict.policy import Policy
from pytest_energy.verdict.suite import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseQuestions:
    """What is asked of the phases of one record that has a baseline to compare with."""

    record: Record
    history: History
    policy: Policy
    suite: Suite
    attempts: Sequence[Entry] = ()

    def gated(self) -> Iterator[Question]:
        """Of each phase that may fail the test and can be compared."""
        for name in self._names():
            if self.policy.gates_phase(name):
                try:
                    yield self._question(name)
                except NotMeasurable:
                    continue  # its finding has the reason

    def findings(self) -> Iterator[OfPhase]:
        """On each phase that the record or the newest session of its baseline has."""
        for name in self._names():
            is_judged = self.policy.gates_phase(name)
            try:
                question = self._question(name)
            except NotMeasurable as error:
                has_baseline = name in self.history.phase_names
                yield PhaseUnknown(
                    verdict=Verdict.INCONCLUSIVE if has_baseline else Verdict.NO_BASELINE,
                    name=name,
                    because=str(error),
                    is_judged=is_judged,
                )
                continue
            yield _finding(name, question, worst(question.changes()), is_judged=is_judged)

    def _names(self) -> tuple[str, ...]:
        known, absent = phase_records(self.record)
        return tuple(dict.fromkeys((*known, *absent, *self.history.newest_phases)))

    def _question(self, name: str) -> Question:
        """What is asked of the phase *name*.

        Raises:
            NotMeasurable: The record or the baseline has no joules of it.
        """
        history = self.history.of_phase(name)
        if not history.judging:
            raise NotMeasurable("no session of the baseline has joules of it")
        record = phase_record(self.record, name)
        attempts = tuple(one.phases[name] for one in self.attempts if name in one.phases)
        return Question(
            record=record,
            fresh=mean_entry([*attempts, entry_of(record, self.policy.basis)]),
            history=history,
            policy=self.policy,
            suite=self.suite,
            attempts=attempts,
        )


def comparison_count(history: History, policy: Policy) -> int:
    """Comparisons that may fail a test with *history*: rule 3."""
    return 1 + sum(policy.gates_phase(name) for name in history.phase_names)


def _finding(name: str, question: Question, change: Change, *, is_judged: bool) -> AgainstPhase:
    part, judging, fresh = change.comparison, question.history.judging, question.fresh
    slower = fresh.seconds.centre - fmean(entry.seconds.centre for entry in judging)
    dearer = fresh.energy.centre - fmean(entry.energy.centre for entry in judging)
    return AgainstPhase(
        verdict=part.verdict,
        comparison=PhaseComparison(
            name=name,
            part=part.part,
            ratio=part.ratio,
            ratio_ci=part.ratio_ci,
            detectable_ratio=part.detectable_ratio,
            allowed_ratio=part.allowed_ratio,
            energy_j=fmean(entry.energy.value for entry in judging),
            duration_ratio=ratio_of(slower),
            power_ratio=ratio_of(dearer - slower),
            entry_count=len(judging),
            verdict=part.verdict,
            is_judged=is_judged,
            note="" if change.doubt is None else doubt_text(change.doubt),
        ),
        mean_j=fresh.energy.value,
        alpha=question.policy.alpha,
        doubt=change.doubt,
        crept=change.crept,
        is_judged=is_judged,
    )
