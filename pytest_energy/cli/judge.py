"""`pytest-energy judge`: recomputes the verdicts of stored runs from their rounds, without hardware.

Rule 1: a run is judged by what its JSON says it was judged by. An option of this command goes before that;
    what is not recorded is as the options are by default, and that is noted.
Rule 2: tests are judged together as they were: those of one process, which their records name.
Rule 3: a run that is in the baselines already is judged by the sessions before it.
Rule 4: the folder of baselines stays as it is, unless --write says otherwise: a history is played in a copy.
"""

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from pytest_energy.baselines.attempts import earlier_attempts
from pytest_energy.baselines.location import Location, location, store_at
from pytest_energy.baselines.protocol import BaselineStore
from pytest_energy.baselines.schema import Baseline
from pytest_energy.baselines.store import Store
from pytest_energy.cli.accept import Wanted, accept, counts_text
from pytest_energy.cli.arguments import Commands, add_estimates, add_out, add_run, add_width, chance, share
from pytest_energy.cli.files import by_test, read_run, say, say_json, write_reports
from pytest_energy.documents import now_text
from pytest_energy.errors import BaselineError, SettingsError, printable
from pytest_energy.judgement import UNDECIDED, Judgement, Terms
from pytest_energy.model import Provenance, Record
from pytest_energy.report import to_json, view
from pytest_energy.report.formats import check_outputs, summary_text
from pytest_energy.report.view import View
from pytest_energy.run_judgement import BaselineMode, RunJudgement
from pytest_energy.verdict.count_history import count_history_of
from pytest_energy.verdict.figures import count_text
from pytest_energy.verdict.history import entries_of, history_of
from pytest_energy.verdict.policy import Policy, is_failing
from pytest_energy.verdict.session import SessionDecision, Trial, decide_process
from pytest_energy.verdict.words import in_words

_FOLDER = Path("baselines")
_NAMED_DIFFERENCES = 10  # of those that the notes list


def register(commands: Commands) -> None:
    judge = commands.add_parser(
        "judge",
        help="recompute the verdicts of stored runs",
        description="Judge the tests of a run again from its rounds, by the rules in its JSON, against the "
        "baselines as they were before it. The verdicts and the exit status are the run's own, and no "
        "hardware is needed. Notes list what differs. Several runs are judged one after the other.",
        epilog="Exit status: 0; 1 if a test or a run as a whole fails; 2 if a file or a value can't be used.",
    )
    add_run(judge, "runs", "RUN.json", nargs="+")
    judge.add_argument(
        "--baselines",
        "--energy-baselines",
        type=location,
        metavar="DIR|URL",
        help=f"folder or URL of the baselines; default: {_FOLDER} in the working folder, and none for a run "
        "with --energy-baseline=off",
    )
    judge.add_argument(
        "--attempts",
        "--energy-attempts",
        type=Path,
        metavar="DIR",
        help="folder of attempts at the same commit, as the run's --energy-attempts: earlier ones are "
        "judged with it",
    )
    judge.add_argument(
        "--accept",
        action="store_true",
        help="add each run to the baselines, as `pytest-energy accept` does, before the next is judged; in "
        "a copy of the folder, which is removed at the end",
    )
    judge.add_argument("--write", action="store_true", help="with --accept: change the folder itself")
    _add_terms(judge)
    judge.add_argument(
        "--json",
        action="store_true",
        help="for programs: one JSON document per run, as --energy-out writes it",
    )
    add_out(judge)
    add_width(judge, "80 or more; default: %(default)s")
    judge.set_defaults(run=_judge)


def _add_terms(judge: argparse.ArgumentParser) -> None:
    judge.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="largest accepted rise, for every test; default: as in the run, else 0.05",
    )
    judge.add_argument(
        "--alpha",
        type=chance,
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance, one-sided; default: as in the "
        "run, else 0.05",
    )
    add_estimates(judge, "gate: judge estimated joules, too; report (default): only show them")
    judge.add_argument("--strict", action="store_true", help="also fail tests without a clear verdict")


def _judge(options: argparse.Namespace) -> int:
    check_outputs(options.out)
    if options.out and len(options.runs) > 1:
        raise SettingsError(
            f"--out holds one run, and {len(options.runs)} are given; give one, or use --json"
        )
    if options.write and not options.accept:
        raise SettingsError("--write needs --accept")
    statuses = []
    with _store(options) as store:
        for path in options.runs:
            if len(options.runs) > 1 and not options.json:
                say(f"{path}:")
            statuses.append(_judge_one(path, store, options))
    return max(statuses)


@contextmanager
def _store(options: argparse.Namespace) -> Iterator[BaselineStore]:
    """The baselines, or a copy of them where they would be written to and must not be."""
    where: Location = options.baselines or _FOLDER
    store = store_at(where, tell=_warn)
    if not options.accept or options.write:
        yield store
        return
    with TemporaryDirectory(prefix="pytest-energy-judge-") as name:
        copy = Store(Path(name, "baselines"))
        if isinstance(where, Path):
            _copy_folder(where, copy.folder)
        else:
            _copy_tests(store, copy, options.runs)
        yield copy


def _warn(text: str) -> None:
    sys.stderr.write(f"{printable(text)}\n")  # the output may be JSON


def _copy_folder(folder: Path, copy: Path) -> None:
    try:
        if folder.exists():
            shutil.copytree(folder, copy)
    except (OSError, shutil.Error) as error:
        raise SettingsError(f"{folder} can't be copied: {error}") from error


def _copy_tests(store: BaselineStore, copy: Store, runs: Iterable[Path]) -> None:
    """The baselines of the tests and loads of *runs*: a fleet's others are not needed."""
    views = map(read_run, runs)
    records = (one for run in views for one in (*(j.record for j in run.judgements), *run.yardstick.records))
    places = (place for test_id in {one.test_id for one in records} for place in store.paths_of(test_id))
    for place in places:
        copy.merge(store.read(place))


def _judge_one(path: Path, store: BaselineStore, options: argparse.Namespace) -> int:
    run = read_run(path)
    by_test(run, path)  # each test once
    judged = _Judging(_named(run, path.stem), store, options).judged()
    notes, failure = list(judged.notes), None
    if options.accept:
        wanted = Wanted(takes_estimates=options.estimates == "gate")
        try:
            entering = accept(judged.judgements, run.yardstick, store, wanted, tell=lambda _: None)
            notes.append(f"to the baselines: {counts_text(entering)}")
        except BaselineError as error:  # the verdicts are told all the same
            notes.append(f"ERROR: {error}")
            failure = error
    shown = view.of(
        judged.judgements,
        run_notes=notes,
        yardstick=run.yardstick,
        run_judgement=judged.run_judgement,
        tariff=run.tariff,
    )
    if options.json:
        say_json(to_json.render(shown, created=now_text()))
    else:
        say(summary_text(shown, width=options.width), judged.status_text)
    write_reports(
        judged.judgements,
        options.out,
        run_notes=notes,
        yardstick=run.yardstick,
        run_judgement=judged.run_judgement,
        tariff=run.tariff,
    )
    if failure is not None:
        raise failure
    return judged.status


def _named(run: View, name: str) -> View:
    """*run*; *name* is used if its records don't name their session."""
    judgements = tuple(
        replace(one, record=replace(one.record, session=one.record.session or name)) for one in run.judgements
    )
    records = tuple(replace(one, session=one.session or name) for one in run.yardstick.records)
    return replace(run, judgements=judgements, yardstick=replace(run.yardstick, records=records))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    """A run that was judged again: its judgements in the run's order."""

    judgements: tuple[Judgement, ...]
    run_judgement: RunJudgement
    notes: tuple[str, ...]

    @property
    def failing_count(self) -> int:
        return sum(one.outcome == "failed" for one in self.judgements)

    @property
    def status(self) -> int:
        return 1 if self.failing_count or self.run_judgement.failures else 0

    @property
    def status_text(self) -> str:
        count = self.failing_count
        lines = self.run_judgement.failure_notes
        fails = f"{count_text(count, 'test')} fail{'s' if count == 1 else ''}"
        return "\n".join([*lines, f"exit status {self.status}: {fails if count else 'no test fails'}"])


class _Judging:
    """One run that is to be judged again."""

    def __init__(self, run: View, store: BaselineStore, options: argparse.Namespace) -> None:
        self._run, self._store, self._options = run, store, options
        self._was = run.run_judgement or _inferred(run.judgements)
        now = self._was
        if now.baseline_mode is BaselineMode.OFF and (options.baselines is not None or options.accept):
            now = replace(now, baseline_mode=BaselineMode.CHECK)
        self._now = replace(
            now,
            is_strict=now.is_strict or options.strict,
            tolerance=now.tolerance if options.tolerance is None else options.tolerance,
            alpha=now.alpha if options.alpha is None else options.alpha,
        )
        self._own_count = 0

    def judged(self) -> _Judged:
        decisions = [self._decided(name) for name in dict.fromkeys(one.record.session for one in self._tests)]
        judgements = {
            decision.record.test_id: in_words(decision) for one in decisions for decision in one.decisions
        }
        whole = replace(
            self._now,
            failures=tuple(dict.fromkeys(one.failure for one in decisions if one.failure is not None)),
            factors=tuple(factor for one in decisions for factor in one.factors),
        )
        new = tuple(self._with_outcome(judgements[old.record.test_id], old) for old in self._tests)
        return _Judged(
            judgements=new,
            run_judgement=whole,
            notes=tuple(self._notes(new, whole, (note for one in decisions for note in one.notes))),
        )

    @property
    def _tests(self) -> tuple[Judgement, ...]:
        return self._run.judgements

    def _decided(self, session: str | None) -> SessionDecision:
        """What is to be said of the tests of one process."""
        trials = [
            replace(self._trial(one.record, self._policy(one)), budget=one.budget)
            for one in self._tests
            if one.record.session == session
        ]
        plain = Policy(tolerance=self._now.tolerance, alpha=self._now.alpha)
        loads = [self._trial(one, plain) for one in self._run.yardstick.records if one.session == session]
        return decide_process(trials, tolerance=self._now.tolerance, alpha=self._now.alpha, yardstick=loads)

    def _policy(self, judgement: Judgement) -> Policy:
        options = self._options
        terms = judgement.terms or _guessed(judgement)
        policy = Policy.of(
            replace(
                terms,
                tolerance=terms.tolerance if options.tolerance is None else options.tolerance,
                alpha=terms.alpha if options.alpha is None else options.alpha,
                gates_estimates=terms.gates_estimates or options.estimates == "gate",
            )
        )
        return replace(policy, ignores_baselines=self._now.baseline_mode is BaselineMode.OFF)

    @cached_property
    def _attempts(self) -> tuple[Record, ...]:
        """All records in the folder of attempts."""
        folder: Path | None = self._options.attempts
        paths = () if folder is None else sorted(folder.glob("*.json"))
        return tuple(one.record for path in paths for one in read_run(path).judgements)

    def _earlier(self, record: Record) -> Iterator[Record]:
        """The attempts at the commit of *record* that were there when it ran."""
        of_test = (one for one in self._attempts if one.test_id == record.test_id)
        return (one for one in earlier_attempts(record, of_test) if one.created < record.created)

    def _trial(self, record: Record, policy: Policy) -> Trial:
        if self._now.baseline_mode is BaselineMode.OFF:
            return Trial(record=record, history=None, policy=policy)
        key = record.machine.key
        baseline = self._store.load(key, record.test_id)
        before = None if baseline is None else _before(baseline, record)
        counted = () if record.counts is None and not policy.is_by_counts else self._counted(record)
        self._own_count += any(before is not baseline for baseline, before in ((baseline, before), *counted))
        return Trial(
            record=record,
            history=None if before is None or policy.is_by_counts else history_of(before, policy.basis),
            policy=policy,
            other_machines=() if before else self._store.other_machines(record.test_id, besides=key),
            attempts=() if before is None else entries_of(self._earlier(record), policy.basis),
            count_history=count_history_of([before for _, before in counted if before is not None]),
        )

    def _counted(self, record: Record) -> list[tuple[Baseline, Baseline | None]]:
        """The baselines of a test on all machines, each with what it was before *record* joined it."""
        stored = [self._store.read(path) for path in self._store.paths_of(record.test_id)]
        return [(baseline, _before(baseline, record)) for baseline in stored]

    def _with_outcome(self, new: Judgement, old: Judgement) -> Judgement:
        """*new* with what becomes of the test: as in the run, but for what its energy changes."""
        was, now = (
            is_failing(judgement, strict=run.is_strict, mode=run.baseline_mode)
            for judgement, run in ((old, self._was), (new, self._now))
        )
        outcome = "passed" if was and old.outcome == "failed" else old.outcome
        return replace(new, outcome="failed" if now and outcome == "passed" else outcome)

    # ---- what a reader should know ----

    def _notes(
        self, new: Sequence[Judgement], whole: RunJudgement, session_notes: Iterable[str]
    ) -> Iterator[str]:
        yield from whole.failure_notes
        yield from self._differences(new, whole)
        yield from self._unknown()
        if self._own_count:
            yield (
                f"{count_text(self._own_count, 'baseline')} had this run already: it was judged by the "
                "sessions before it, except those that were removed when it was added"
            )
        if self._now.baseline_mode is not BaselineMode.OFF and not self._store.is_there():
            yield f"{self._options.baselines or _FOLDER} is not a folder: nothing is compared with baselines"
        yield from session_notes
        failures = {*self._was.failures, *self._was.failure_notes}  # until 0.1 they stood there as they are
        yield from (note for note in self._run.run_notes if note not in failures)

    def _differences(self, new: Sequence[Judgement], whole: RunJudgement) -> Iterator[str]:
        pairs = [(one, old) for one, old in zip(new, self._tests, strict=True) if one.verdict != old.verdict]
        yield f"{len(new) - len(pairs)} of {count_text(len(new), 'verdict')} as in the run"
        for one, old in pairs[:_NAMED_DIFFERENCES]:
            yield f"{one.record.test_id}: {one.verdict}, and {old.verdict} in the run"
        if len(pairs) > _NAMED_DIFFERENCES:
            yield f"{len(pairs) - _NAMED_DIFFERENCES} more verdicts differ"
        if self._run.run_judgement is not None and bool(whole.failures) != bool(self._was.failures):
            yield f"the run {'failed' if self._was.failures else 'did not fail'} as a whole when it ran"

    def _unknown(self) -> Iterator[str]:
        if any(one.terms is None for one in self._tests):
            yield (
                f"the run does not store the rules of its tests: tolerance {self._now.tolerance:g} and "
                f"alpha {self._now.alpha:g} were used where they are missing"
            )


def _inferred(judgements: Iterable[Judgement]) -> RunJudgement:
    """The rules of a run that doesn't record them: strict, if a test failed without a clear verdict."""
    plain = Policy()
    return RunJudgement(
        baseline_mode=BaselineMode.CHECK,
        is_strict=any(one.outcome == "failed" and one.verdict in UNDECIDED for one in judgements),
        tolerance=plain.tolerance,
        alpha=plain.alpha,
    )


def _guessed(judgement: Judgement) -> Terms:
    """The rules of a test whose run doesn't record them, as far as its comparison shows."""
    terms, comparison = Policy().terms, judgement.comparison
    if comparison is None:
        return terms
    return replace(
        terms,
        gates_estimates=judgement.record.provenance is Provenance.ESTIMATED,
        tolerance=terms.tolerance if comparison.tolerance is None else comparison.tolerance,
        is_net=comparison.basis.startswith("net"),
        is_per_sample=comparison.basis.endswith("a sample"),
    )


def _before(baseline: Baseline, record: Record) -> Baseline | None:
    """*baseline* as it was before *record* joined it: itself where it has not, `None` if it was empty."""
    for place, entry in enumerate(baseline.entries):
        names = {entry.session, record.session} - {None}
        if entry.created == record.created and len(names) <= 1:
            return replace(baseline, entries=baseline.entries[:place]) if place else None
    return baseline
