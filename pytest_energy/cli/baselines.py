"""`pytest-energy baselines`: lists, checks, compares and removes stored baselines.

Rule 1: one broken file hides no other: each is named, and the sound ones are shown.
Rule 2: nothing is removed without --yes.
Rule 3: the sessions that are pinned go only with their whole file.
"""

import argparse
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

from tabulate import tabulate

from pytest_energy.baselines.levels import kept, level_of
from pytest_energy.baselines.location import Location, location, store_at
from pytest_energy.baselines.machine import check_comparable, counts_key
from pytest_energy.baselines.protocol import BaselineStore, NotWritable
from pytest_energy.baselines.schema import PINNED_COUNT, Baseline, moment_of
from pytest_energy.basis import why_void
from pytest_energy.cli import baselines_index, migrate
from pytest_energy.cli.arguments import Commands, add_baselines, days, whole_number
from pytest_energy.cli.files import read_by_test, say
from pytest_energy.errors import BaselineError, EnergyError, NotComparable, SettingsError
from pytest_energy.model import Record
from pytest_energy.prediction.calibration_file import load
from pytest_energy.report.cells import printable
from pytest_energy.spelling import did_you_mean, near_file
from pytest_energy.stats.compare import centre_ratio
from pytest_energy.units import percent_change_text
from pytest_energy.yardstick import is_yardstick

Key = tuple[str, str]
"""Machine key and test id."""


def register(commands: Commands) -> None:
    baselines = commands.add_parser(
        "baselines",
        help="list, check, prune or compare the stored baselines",
        description="Baselines are what runs are compared with: a folder with one file per test and "
        "machine, or a URL with one object per session.",
        epilog="See `pytest-energy baselines COMMAND --help`.",
    )
    actions = baselines.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = actions.add_parser(
        "list",
        help="list the machines that have baselines, and their tests",
        description="One line per machine: tests and sessions, tests whose level an accepted change "
        "started, whether the joules are measured or estimated, and the time of the newest session.",
        epilog="Exit status: 0, or 2 if a file is broken.",
    )
    add_baselines(listing)
    listing.set_defaults(run=_list)
    validate = actions.add_parser(
        "validate",
        help="check every file",
        description="Check every baseline and calibration: format, size, place; unfinished merges; sessions "
        "that are duplicates, from the future, or of another test, machine or provenance; impossible joules.",
        epilog="Exit status: 0 if every file is valid, else 2.",
    )
    add_baselines(validate)
    validate.set_defaults(run=_validate)
    _register_prune(actions)
    migrate.register(actions)
    baselines_index.register(actions)
    diff = actions.add_parser(
        "diff",
        help="compare two folders of baselines",
        description="Show the tests that only B has, the tests that only A has, and the tests whose sessions "
        "differ, with the change from A to B.",
        epilog="Exit status: 0, whether they differ or not, or 2 if a file is broken.",
    )
    diff.add_argument("folder_a", type=location, metavar="A", help="a folder or URL of baselines")
    diff.add_argument("folder_b", type=location, metavar="B", help="another one")
    diff.set_defaults(run=_diff)


def _register_prune(actions: Commands) -> None:
    prune = actions.add_parser(
        "prune",
        help="remove sessions and baselines",
        description="Show what would be removed, and remove it with --yes. The first sessions of a level are "
        "pinned, because they reveal a slow rise: they are removed only with the whole file.",
        epilog="Exit status: 0, or 2 if a file or a value can't be used. Then nothing is removed, except if "
        "some files can't be written: those are listed.",
    )
    add_baselines(prune)
    prune.add_argument(
        "--keep",
        type=whole_number,
        metavar="N",
        help="keep the pinned and the newest sessions of each baseline, N in total, at least 4",
    )
    prune.add_argument(
        "--older-than",
        type=days,
        metavar="DAYS",
        help="remove sessions older than that, and a baseline if all of its sessions are",
    )
    prune.add_argument("--machine", metavar="KEY", help="only the baselines of this machine")
    prune.add_argument(
        "--missing-tests-from",
        type=Path,
        metavar="RUN.json",
        help="remove the baselines of tests that this run doesn't have",
    )
    prune.add_argument("--yes", action="store_true", help="remove them; without it, nothing is removed")
    prune.set_defaults(run=_prune)


def _store(where: Location) -> BaselineStore:
    """The baselines at *where*, which must be there: a misspelt folder has nothing wrong in it."""
    store = store_at(where, tell=say)
    if isinstance(where, Path) and not store.is_there():
        raise SettingsError(
            f"{where} is not a folder.{near_file(where)} Name the folder of the baselines: --baselines=DIR"
        )
    return store


def _read_all(store: BaselineStore, *, is_whole: bool = False) -> tuple[dict[PurePath, Baseline], list[str]]:
    """Every sound baseline by its place, and what is wrong with each of the others."""
    sound, problems = {}, []
    for path, baseline in store.read_each(store.paths(), is_whole=is_whole):
        if isinstance(baseline, BaselineError):
            problems.append(str(baseline))
        else:
            sound[path] = baseline
    return sound, problems


def _all_of(store: BaselineStore) -> dict[PurePath, Baseline]:
    """Every baseline by its place; where some are broken, an error that names all of them."""
    sound, problems = _read_all(store, is_whole=True)
    if problems:
        raise BaselineError(
            "\n".join([f"{_count(len(problems), 'file')} in {store.name} broken:", *problems])
        )
    return sound


def _count(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _list(options: argparse.Namespace) -> int:
    store = _store(options.baselines)
    sound, problems = _read_all(store)
    by_machine: dict[str, list[Baseline]] = {}
    for baseline in sound.values():
        by_machine.setdefault(baseline.machine_key, []).append(baseline)
    rows = [_machine_row(key, baselines) for key, baselines in sorted(by_machine.items())]
    if rows:
        headers = ("machine", "tests", "sessions", "new levels", "joules", "newest (UTC)")
        alignment = ("left", "right", "right", "right", "left", "left")
        text = tabulate([headers, *rows], tablefmt="plain", disable_numparse=True, colalign=alignment)
        say(*(line.rstrip() for line in text.splitlines()))
    else:
        say(f"no baselines in {store.name}")
    unused_count = sum(level_of(baseline.entries).unused_count for baseline in sound.values())
    if unused_count:
        say(f"{_count(unused_count, 'session')} unused since a new level, removed at the next write")
    return _reported(problems)


def _machine_row(key: str, baselines: Sequence[Baseline]) -> tuple[str, ...]:
    records = [record for baseline in baselines for record in baseline.entries]
    new_count = sum(level_of(baseline.entries).is_new for baseline in baselines)
    newest = max(moment_of(record) for record in records)
    provenances = sorted({record.provenance.value for record in records if record.rounds})
    return (
        printable(key),
        f"{len(baselines):,}",
        f"{len(records):,}",
        f"{new_count:,}",
        ", ".join(provenances) or "none, counts",
        f"{newest:%Y-%m-%d %H:%M}",
    )


def _reported(problems: Sequence[str]) -> int:
    """Print each problem; the exit status for them."""
    say(*(f"problem: {problem}" for problem in problems))
    return 2 if problems else 0


def _validate(options: argparse.Namespace) -> int:
    store = _store(options.baselines)
    sound, problems = _read_all(store, is_whole=True)
    file_count = len(sound) + len(problems)
    for path, baseline in sound.items():
        problems += (f"{store.shown(path)}: {problem}" for problem in _unusable_sessions(baseline))
    calibrations = store.calibration_paths()
    problems += _calibration_problems(store, calibrations)
    file_count += len(calibrations)
    status = _reported(problems)
    state = _count(len(problems), "problem") if problems else "all valid"
    say(f"{_count(file_count, 'file')} in {store.name}: {state}")
    return status


def _calibration_problems(store: BaselineStore, paths: Iterable[PurePath]) -> Iterator[str]:
    for path in paths:
        try:
            load(store, path)
        except BaselineError as error:
            yield str(error)


def _unusable_sessions(baseline: Baseline) -> Iterator[str]:
    """What is wrong with each session that loads, but that no run can be compared with."""
    for index, record in enumerate(baseline.entries):
        because = why_void(record)
        if because is not None:
            where = f"sessions[{index}] (created {record.created})"
            yield f"{where} is left out of comparisons: {because}; delete it"


def _stays_of(options: argparse.Namespace) -> Callable[[Baseline], tuple[Record, ...]]:
    """What gives the sessions of a baseline that stay, in their order; none if the file goes."""
    if options.keep is None and options.older_than is None and options.missing_tests_from is None:
        raise SettingsError(
            "nothing to remove: give --keep, --older-than or --missing-tests-from (for everything of one "
            "machine: --machine=KEY --older-than=0)"
        )
    if options.keep is not None and options.keep <= PINNED_COUNT:
        raise SettingsError(
            f"--keep must be at least {PINNED_COUNT + 1}: the first {PINNED_COUNT} sessions are pinned, and "
            f"the newest is kept. Got {options.keep}."
        )
    oldest = None if options.older_than is None else _before(options.older_than)
    tests: dict[str, frozenset[str]] = {}
    if options.missing_tests_from is not None:
        run = read_by_test(options.missing_tests_from)
        # A machine that the run was not on keeps all its tests.
        tests = dict.fromkeys((key for one in run.values() for key in _keys_of(one.record)), frozenset(run))

    def stays(baseline: Baseline) -> tuple[Record, ...]:
        sessions = baseline.entries
        if options.machine is not None and baseline.machine_key != options.machine:
            return sessions
        is_known = is_yardstick(baseline.test_id) or baseline.test_id in tests.get(
            baseline.machine_key, {baseline.test_id}
        )
        if not is_known:
            return ()
        if oldest is not None:
            is_young = [moment_of(record) >= oldest for record in sessions]
            if not any(is_young):
                return ()
            pinned = level_of(sessions).pinned
            ages = zip(sessions, is_young, strict=True)
            sessions = tuple(record for record, young in ages if young or record in pinned)
        return sessions if options.keep is None else kept(sessions, options.keep)

    return stays


def _keys_of(record: Record) -> tuple[str, ...]:
    """Keys under which *record* may have been stored."""
    key = record.machine.key
    return (key,) if record.counts is None else (key, counts_key(record.counts))


def _before(age_days: float) -> datetime:
    """The moment *age_days* ago; the first of all where the calendar doesn't reach back that far."""
    try:
        return datetime.now(UTC) - timedelta(days=age_days)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _prune(options: argparse.Namespace) -> int:
    stays_of, store = _stays_of(options), _store(options.baselines)
    baselines = _all_of(store)
    machines = {baseline.machine_key for baseline in baselines.values()}
    if options.machine is not None and options.machine not in machines:
        known = ", ".join(sorted(machines)) or "none"
        raise SettingsError(
            f"no baseline of the machine {options.machine!r}.{did_you_mean(options.machine, machines)} "
            f"The machines are: {known}"
        )
    verb = "removed" if options.yes else "would be removed"
    counts, failures = [], []
    for path, baseline in baselines.items():
        stays = stays_of(baseline)
        gone = len(baseline.entries) - len(stays)
        if not gone:
            continue
        if options.yes:
            try:
                gone = store.reduce(path, stays_of)
            except BaselineError as error:
                failures.append(str(error))
                if isinstance(error, NotWritable):  # nor could another one be written
                    break
                continue
        what = "the whole file" if not stays else f"{gone} of {_count(len(baseline.entries), 'session')}"
        say(f"{verb}: {printable(baseline.test_id)}: {what}: {store.shown(path)}")
        counts.append(gone)
    say(f"{verb}: {_count(sum(counts), 'session')} in {len(counts):,} of {_count(len(baselines), 'file')}")
    if counts and not options.yes:
        say("give --yes to do it")
    if failures:
        raise BaselineError("\n".join(failures))
    return 0


def _diff(options: argparse.Namespace) -> int:
    problems: list[str] = []
    sides = []
    for folder in (options.folder_a, options.folder_b):
        try:
            sides.append({(b.machine_key, b.test_id): b for b in _all_of(_store(folder)).values()})
        except EnergyError as error:
            problems.append(str(error))
    if problems:
        raise BaselineError("\n".join(problems))
    old, new = sides
    say(*(printable(line) for line in _differences(old, new)))
    return 0


def _differences(old: Mapping[Key, Baseline], new: Mapping[Key, Baseline]) -> Iterator[str]:
    """What *new* has added, removed and changed, a line each, and how many of each."""
    added, removed = sorted(new.keys() - old.keys()), sorted(old.keys() - new.keys())
    common = sorted(old.keys() & new.keys())
    changed = [key for key in common if old[key].entries != new[key].entries]
    yield from (f"added: {_named(key)}: {_count(len(new[key].entries), 'session')}" for key in added)
    yield from (f"removed: {_named(key)}: {_count(len(old[key].entries), 'session')}" for key in removed)
    yield from (f"changed: {_named(key)}: {_change(old[key], new[key])}" for key in changed)
    yield (
        f"{len(added):,} added, {len(removed):,} removed, {len(changed):,} changed, "
        f"{len(common) - len(changed):,} the same"
    )


def _named(key: Key) -> str:
    return f"{key[1]} on {key[0]}"


def _change(old: Baseline, new: Baseline) -> str:
    counts = f"{len(old.entries)} -> {_count(len(new.entries), 'session')}"
    level = level_of(new.entries)
    first = level.entries[0]
    if level.is_new and first not in old.entries:
        counts += f"; a new level since {first.created}"
    try:
        check_comparable(old.entries[0], new.entries[0])
    except NotComparable as error:
        return f"levels can't be compared: {error}; {counts}"
    if not (old.entries[0].rounds and new.entries[0].rounds):
        return f"{_counts_change(old, new)}; {counts}"
    entries = [level_of(baseline.entries).entries for baseline in (old, new)]
    levels = [[record.round_energies_j for record in level] for level in entries]
    if min(min(energies_j) for level in levels for energies_j in level) <= 0:
        return f"levels can't be compared: a round reads 0 J; {counts}"
    # One joule over each: what is left is the levels' own ratio, centred as the gate does.
    ratio = centre_ratio((1.0,), levels[0]) / centre_ratio((1.0,), levels[1])
    return f"level {percent_change_text(1.0 if math.isclose(ratio, 1.0, rel_tol=1e-12) else ratio)}; {counts}"


def _counts_change(old: Baseline, new: Baseline) -> str:
    """Of baselines of counts alone: whether the newest ones are the same."""
    digests = {
        None if one.counts is None else one.counts.digest for one in (old.entries[-1], new.entries[-1])
    }
    return "counts the same" if len(digests) == 1 else "counts differ"
