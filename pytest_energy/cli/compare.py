"""`pytest-energy compare`: the tests of one run judged against those of another."""

import argparse
from collections.abc import Mapping

from pytest_energy.baselines.schema import Baseline
from pytest_energy.basis import COUNTS, GROSS
from pytest_energy.cli.arguments import Commands, add_estimates, add_out, add_run, add_width, chance, share
from pytest_energy.cli.files import read_by_test, say, say_json, write_reports
from pytest_energy.documents import now_text
from pytest_energy.errors import BaselineError
from pytest_energy.judgement import Judgement
from pytest_energy.model import Record
from pytest_energy.report import to_json, view
from pytest_energy.report.formats import check_outputs, summary_text
from pytest_energy.verdict.count_history import CountHistory, counted_sessions
from pytest_energy.verdict.history import History, history_of
from pytest_energy.verdict.policy import Policy, is_failing
from pytest_energy.verdict.session import Trial, decide_session, of_one_session
from pytest_energy.verdict.words import in_words

_TOLERANCE = 0.05


def register(commands: Commands) -> None:
    compare = commands.add_parser(
        "compare",
        help="judge the tests of one run against those of another",
        description="Judge each test of run B against the same test of run A, as if A were a baseline of one "
        "session. Budgets and B's own baselines are ignored.",
        epilog="Exit status: 0; 1 if a test fails; 2 if a file or a value can't be used.",
    )
    add_run(compare, "run_a", "A.json")
    add_run(compare, "run_b", "B.json")
    _add_policy(compare)
    compare.add_argument(
        "--json", action="store_true", help="for programs: one JSON document, as --energy-out writes it"
    )
    add_out(compare)
    add_width(compare, "80 or more; default: %(default)s")
    compare.set_defaults(run=_compare)


def _add_policy(compare: argparse.ArgumentParser) -> None:
    compare.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="largest accepted rise, for every test: a run's JSON doesn't have markers; "
        f"default: {_TOLERANCE}, and 0 for counts, which have no noise",
    )
    compare.add_argument(
        "--basis",
        choices=(GROSS, COUNTS),
        default=GROSS,
        help="what is compared: gross joules, or counts of what the work does; default: %(default)s",
    )
    compare.add_argument(
        "--alpha",
        type=chance,
        default=0.05,
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance, one-sided; default: %(default)s",
    )
    add_estimates(compare, "gate: judge estimated joules, too; report (default): only show them")
    compare.add_argument(
        "--strict",
        action="store_true",
        help="also fail tests without a clear verdict, and tests of one run only",
    )


def _compare(options: argparse.Namespace) -> int:
    check_outputs(options.out)
    is_by_counts = options.basis == COUNTS
    policy = Policy(
        tolerance=_TOLERANCE if options.tolerance is None else options.tolerance,
        alpha=options.alpha,
        gates_estimates=options.estimates == "gate",
        is_by_counts=is_by_counts,
        counts_tolerance=options.tolerance or 0.0,
    )
    old, new = read_by_test(options.run_a), read_by_test(options.run_b)
    names = (str(options.run_a), str(options.run_b))
    judgements, notes, failure = _compared(old, new, policy=policy, names=names)
    if failure is not None:
        notes = (f"ERROR: {failure}", *notes)
    run = view.of(judgements, run_notes=notes)
    if options.json:
        say_json(to_json.render(run, created=now_text()))
    else:
        say(summary_text(run, width=options.width))
    write_reports(judgements, options.out, run_notes=notes)
    fails = bool(failure) or any(is_failing(judgement, strict=options.strict) for judgement in judgements)
    return 1 if fails or (options.strict and notes) else 0


def _compared(
    old: Mapping[str, Judgement], new: Mapping[str, Judgement], *, policy: Policy, names: tuple[str, str]
) -> tuple[tuple[Judgement, ...], tuple[str, ...], str | None]:
    """Each test of *new* that *old* has joules of, judged against those; notes; why all fail together."""
    then, now = (_records(run, name) for run, name in zip((old, new), names, strict=True))
    histories: dict[str, History | None] = {}
    without = {}
    for test_id in (test_id for test_id in new if test_id in old):
        record = then[test_id]
        has_counts = record.counts is not None and now[test_id].counts is not None
        if policy.is_by_counts or (has_counts and record.absent_because is not None):
            histories[test_id] = None
            continue
        try:
            baseline = Baseline(test_id=test_id, machine_key=record.machine.key, entries=(record,))
            histories[test_id] = history_of(baseline, policy.basis)
        except BaselineError:
            without[test_id] = old[test_id].verdict
    session = decide_session(
        [
            Trial(
                record=now[test_id],
                history=one,
                policy=policy,
                count_history=CountHistory(by_key={names[0]: counted_sessions([then[test_id]])}),
            )
            for test_id, one in histories.items()
        ],
        tolerance=policy.tolerance,
        alpha=policy.alpha,
    )
    judgements = tuple(map(in_words, session.decisions))
    notes = [*session.notes]
    notes += [
        f"only in {name}, so not compared: {', '.join(alone)}"
        for name, own, other in ((names[0], old, new), (names[1], new, old))
        if (alone := [test_id for test_id in own if test_id not in other])
    ]
    notes += [
        f"{names[0]} has no usable joules of {test_id} ({verdict}), so it was not compared"
        for test_id, verdict in without.items()
    ]
    return judgements, tuple(notes), session.failure


def _records(run: Mapping[str, Judgement], name: str) -> dict[str, Record]:
    """The records of a run, as those of one session."""
    records = of_one_session([judgement.record for judgement in run.values()], name)
    return {record.test_id: record for record in records}
