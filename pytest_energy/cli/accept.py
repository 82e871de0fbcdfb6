"""`pytest-energy accept`: adds the joules of a run to the baselines, without measuring again.

Rule 1: what may enter is decided by `baselines.accept`, as in a run of pytest.
Rule 2: everything is looked at before anything is written: a file that is broken stops it all.
Rule 3: a change that is accepted starts a level anew, and what goes with the old level is said.
Rule 4: what can't be written keeps nothing else out.
Rule 5: the loads of the run's yardstick enter where one of its tests does.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from pytest_energy.baselines.accept import joining, storable, why_not_accepted, why_not_beside
from pytest_energy.baselines.levels import extended, level_of
from pytest_energy.baselines.location import store_at
from pytest_energy.baselines.protocol import BaselineStore, Mode, NotWritable
from pytest_energy.baselines.schema import KEPT_COUNT, Baseline, check_times
from pytest_energy.cli.arguments import Commands, add_baselines, add_estimates, add_run, whole_number
from pytest_energy.cli.files import by_test, did_you_mean_test, read_run, say
from pytest_energy.errors import BaselineError, SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.model import JoinedAs, Record
from pytest_energy.report.cells import printable
from pytest_energy.spelling import matching
from pytest_energy.yardstick import Yardstick, is_yardstick

_NAMED_TESTS = 5  # of those that a message lists


def register(commands: Commands) -> None:
    from_run = commands.add_parser(
        "accept",
        help="add a stored run to the baselines",
        description="Add what a run measured to the baselines, without measuring again. This adds every test "
        "that passed, as --energy-baseline=add does, or the tests that --test names, whatever their verdict, "
        "if they have joules. An improvement starts a new level, and so does a regression that --test names: "
        "earlier sessions are removed. Adding a run twice changes nothing.",
        epilog="Exit status: 0; 1 if nothing was added, or a test that --test names was left out; 2 if a "
        "file can't be used.",
    )
    add_run(from_run, "run_json", "RUN.json")
    add_baselines(from_run)
    from_run.add_argument(
        "--test",
        action="append",
        default=[],
        metavar="ID",
        help="add this test only, even if it failed (repeatable): its id, a part of it that no other test "
        "has, or a pattern with * and ?",
    )
    from_run.add_argument(
        "--replace", action="store_true", help="overwrite the stored sessions, instead of adding to them"
    )
    add_estimates(from_run, "gate: add estimated joules, too; report (default): leave them out")
    from_run.add_argument(
        "--keep",
        type=whole_number,
        default=KEPT_COUNT,
        metavar="N",
        help="sessions that a baseline keeps; default: %(default)s",
    )
    from_run.set_defaults(run=_accept)


class Entering(NamedTuple):
    """What happens to one record, why it is left out, and how many sessions a new level ends."""

    record: Record
    what: Literal["added", "already stored", "left out"]
    because: str = ""
    gone_count: int = 0


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
        named: Ids of tests that enter whatever their verdict.
        replaces: In place of the stored sessions, instead of beside them.
        takes_estimates: Estimated joules, too.
        keep: Sessions that a baseline keeps.
    """

    named: frozenset[str] = frozenset()
    replaces: bool = False
    takes_estimates: bool = False
    keep: int = KEPT_COUNT


def _accept(options: argparse.Namespace) -> int:
    whole, store = read_run(options.run_json), store_at(options.baselines, keep=options.keep, tell=say)
    run = by_test(whole, options.run_json)
    named = frozenset(
        test_id for name in options.test for test_id in _tests_named(name, run, options.run_json)
    )
    chosen = [judgement for test_id, judgement in run.items() if not named or test_id in named]
    wanted = Wanted(named, options.replace, options.estimates == "gate", options.keep)
    decisions = accept(chosen, whole.yardstick, store, wanted, say)
    say(f"{counts_text(decisions)} of {options.run_json}")
    is_missing = any(one.what == "left out" and one.record.test_id in named for one in decisions)
    return 1 if is_missing or all(one.what == "left out" for one in decisions) else 0


def _tests_named(name: str, ids: Iterable[str], path: Path) -> list[str]:
    """Those of *ids* that *name* means: one test with all its parameters, or what fits a pattern.

    Raises:
        SettingsError: There is none, or *name* is a part of several tests: none is accepted by accident.
    """
    found = matching(name, ids)
    if not found:
        raise SettingsError(
            f"{path} has no test {name!r}.{did_you_mean_test(name, ids)} Tests whose own checks failed are "
            "not in it"
        )
    if len({one.partition("[")[0] for one in found}) > 1 and not {*"*?"} & {*name}:
        raise SettingsError(
            f"{name!r} is a part of {len(found)} tests of {path}: {_some(found)}. Give more of the id, or a "
            "pattern with * for all of them"
        )
    return found


def accept(
    judgements: Iterable[Judgement],
    yardstick: Yardstick,
    store: BaselineStore,
    wanted: Wanted,
    tell: Callable[[str], None],
) -> list[Entering]:
    """Add to *store* the records of one run that may enter.

    Args:
        judgements: Made against what is stored.
        yardstick: Of the same run.
        store: Where the baselines are.
        wanted: What is asked for.
        tell: Called with one line for each record, as soon as it is done.

    Raises:
        BaselineError: As for `_decide`; nothing is written then. Or files can't be written, all of which it
            names; the others are.
    """
    mode: Mode = "replace" if wanted.replaces else "add"
    decisions = _decide(judgements, yardstick, store, wanted)
    keep_loads = wanted.keep * yardstick.process_count
    for line in _carried_out(decisions, store, mode=mode, keep=wanted.keep, keep_loads=keep_loads):
        tell(line)
    return decisions


def counts_text(decisions: Iterable[Entering]) -> str:
    """How many were added and how many were not, such as `12 added, 2 left out`."""
    counts = Counter(decision.what for decision in decisions)
    words = [f"{counts[what]} {what}" for what in ("added", "already stored", "left out") if counts[what]]
    return ", ".join(words) or "no test"


def _decide(
    judgements: Iterable[Judgement], yardstick: Yardstick, store: BaselineStore, wanted: Wanted
) -> list[Entering]:
    """What is to become of each record; nothing is written yet.

    Raises:
        BaselineError: A baseline is broken, or a record can't be one's session; it names all.
    """
    decisions, entering = [], []
    for judgement in judgements:
        record = judgement.record
        because = why_not_accepted(
            judgement,
            replaces=wanted.replaces,
            takes_estimates=wanted.takes_estimates,
            is_named=record.test_id in wanted.named,
        )
        if because is not None:
            decisions.append(Entering(record, "left out", because))
        else:
            entering.append(joining(judgement, is_accepted=True))
    if entering:
        entering += storable(yardstick.records)
    return decisions + _beside_baselines(entering, store, replaces=wanted.replaces)


def _beside_baselines(records: Iterable[Record], store: BaselineStore, *, replaces: bool) -> list[Entering]:
    """What is to become of each of *records*, which may enter."""
    decisions, problems = [], []
    for record in records:
        try:
            decisions.append(_with_baseline(record, store, replaces=replaces))
        except BaselineError as error:
            problems.append(str(error))
    if problems:
        raise BaselineError("\n".join(["nothing was written:", *problems]))
    return decisions


def _with_baseline(record: Record, store: BaselineStore, *, replaces: bool) -> Entering:
    """What is to become of *record*, which may enter, beside what is stored."""
    try:
        Baseline(test_id=record.test_id, machine_key=record.machine.key, entries=(record,))
        check_times((record,), store.now())
    except BaselineError as error:
        raise BaselineError(f"the run's record of {record.test_id}: {error}") from error
    old = None if replaces else store.load(record.machine.key, record.test_id)
    if old is None:
        return Entering(record, "added")
    new = extended(old.entries, (record,))
    if new == old.entries:
        return Entering(record, "already stored")
    because = why_not_beside(record, old)
    if because is not None:
        return Entering(record, "left out", f"{because}; --replace overwrites them")
    is_start = record.joined_as is JoinedAs.LEVEL
    return Entering(record, "added", gone_count=level_of(new).unused_count if is_start else 0)


def _carried_out(
    decisions: Iterable[Entering], store: BaselineStore, *, mode: Mode, keep: int, keep_loads: int
) -> Iterator[str]:
    """Write what is taken, and say of each record what became of it.

    A load that several processes measured has a record of each: the later ones join the first.
    """
    written, failures = set[str](), []
    for decision in decisions:
        record = decision.record
        name = printable(record.test_id)
        path = store.shown(store.path(record.machine.key, record.test_id))
        if decision.what == "added":
            count = keep_loads if is_yardstick(record.test_id) else keep
            joins: Mode = "add" if record.test_id in written else mode
            try:
                stored = store.write(record.machine.key, record.test_id, (record,), joins, count)
            except BaselineError as error:
                failures.append(str(error))
                if isinstance(error, NotWritable):  # nor could another one be written
                    break
                continue
            written.add(record.test_id)
            gone = f"a new level, and {_sessions(decision.gone_count)} of the old one removed; "
            now = f"now {_sessions(len(stored.entries))} in {path}"
            yield f"added: {name}: {gone if decision.gone_count else ''}{now}"
        elif decision.what == "already stored":
            yield f"already stored: {name}: {path} has this session"
        else:
            yield f"left out: {name}: {printable(decision.because)}"
    if failures:
        raise BaselineError("\n".join([f"{len(written)} written, but not:", *failures]))


def _sessions(count: int) -> str:
    return f"{count} {'session' if count == 1 else 'sessions'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_TESTS} more" if len(names) > _NAMED_TESTS else ""
    return ", ".join(names[:_NAMED_TESTS]) + more if names else "no test at all"
