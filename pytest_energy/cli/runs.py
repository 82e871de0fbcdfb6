"""`pytest-energy show`, `export` and `compare`: runs, and the history of a test, read again."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_energy.cli.arguments import add_baselines, add_command, add_run
from pytest_energy.cli.documents import by_test, now_text, read_run, say, write_reports
from pytest_energy.errors import BaselineError, SettingsError

if TYPE_CHECKING:
    from pytest_energy.baselines.store import Store
    from pytest_energy.cli.arguments import Commands
    from pytest_energy.model import Judgement
    from pytest_energy.verdict import Policy

_LEAST_WIDTH = 80
_NAMED_TESTS = 5  # of those that a message lists


def register(commands: "Commands") -> None:
    """Add this module's commands to *commands*."""
    show = add_command(
        commands,
        "show",
        "show the summary of a run, or the history of a test",
        description="Show the summary that a run showed with --energy-report, or, for each machine, the "
        "sessions of a test in the baselines: when, at which commit, how many joules, how they moved, and "
        "whether they creep.",
        epilog="Exit status: 0, or 2 where a file can't be used or no test has that name.",
    )
    show.add_argument(
        "what",
        metavar="RUN.json|TEST",
        help="a file written by --energy-out=RUN.json; or a test's id, a part of it, or a pattern with * "
        "and ?",
    )
    add_baselines(show)
    show.add_argument(
        "--width",
        type=_width,
        default=100,
        metavar="COLUMNS",
        help="of a run's summary, 80 or more; default: %(default)s",
    )
    show.add_argument("--ascii", action="store_true", help="draw a history's trend in plain characters")
    show.set_defaults(run=_show)
    export = add_command(
        commands,
        "export",
        "write a run in another format",
        description="Write a run in the format that the suffix of OUT names, as --energy-out would have "
        "done.",
        epilog="Exit status: 0, or 2 where a file can't be used.",
    )
    add_run(export, "run_json", "RUN.json")
    export.add_argument("out", type=Path, metavar="OUT", help="a file that ends in .json, .csv, .md or .html")
    export.set_defaults(run=_export)
    _register_compare(commands)


def _register_compare(commands: "Commands") -> None:
    compare = add_command(
        commands,
        "compare",
        "judge the tests of one run against those of another",
        description="Judge each test of run B against the same test of run A as a baseline of one session, "
        "by the gate's own rule. Budgets, and what B was judged against when it ran, play no part.",
        epilog="Exit status: 0, 1 where a test fails, or 2 where a file or a value can't be used.",
    )
    add_run(compare, "run_a", "A.json")
    add_run(compare, "run_b", "B.json")
    compare.add_argument(
        "--tolerance",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="rise that is still accepted, for every test: markers are not in a run's JSON; "
        "default: %(default)s",
    )
    compare.add_argument(
        "--alpha",
        type=float,
        default=0.05,
        metavar="SHARE",
        help="accepted chance of a false alarm at the edge of the tolerance, one-sided; default: %(default)s",
    )
    compare.add_argument("--estimates", action="store_true", help="judge estimated joules, too")
    compare.add_argument(
        "--strict", action="store_true", help="fail also what can't be told, and tests of one run only"
    )
    compare.add_argument(
        "--json", action="store_true", help="for programs: one JSON document, as --energy-out writes it"
    )
    compare.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="also write the report to PATH; the suffix picks the format (repeatable)",
    )
    compare.add_argument(
        "--width", type=_width, default=100, metavar="COLUMNS", help="80 or more; default: %(default)s"
    )
    compare.set_defaults(run=_compare)


def _width(text: str) -> int:
    """Columns of a screen; in fewer than 80 the tables don't fit."""
    if not text.isdecimal() or int(text) < _LEAST_WIDTH:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of columns from {_LEAST_WIDTH} on")
    return int(text)


# ---- show ----


def _show(options: argparse.Namespace) -> int:
    path = Path(options.what)
    if path.is_file() or path.suffix == ".json":
        from pytest_energy.report import to_terminal

        say(to_terminal.render(read_run(path), width=options.width))
        return 0
    from pytest_energy.baselines.store import Store
    from pytest_energy.report.history import render

    store = Store(options.baselines)
    is_ascii = options.ascii or not _takes_unicode()
    baselines = [store.read(found) for found in _paths_named(store, options.what)]
    say("\n\n".join(render(baseline, is_ascii=is_ascii) for baseline in baselines))
    return 0


def _takes_unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def _paths_named(store: "Store", name: str) -> list[Path]:
    """Files of the tests that *name* means: that very id, else those it is part of, else those it fits.

    Raises:
        SettingsError: There is none.
    """
    if exact := store.paths_of(name):
        return list(exact)
    ids = {path: store.test_id_of(path) for path in store.paths()}
    found = [path for path, test_id in ids.items() if name in test_id]
    found = found or [path for path, test_id in ids.items() if _fits(test_id, name)]
    if found:
        return sorted(found, key=lambda path: (ids[path], path))
    if not ids:
        raise SettingsError(
            f"{store.folder} holds no baselines, so none of {name!r}; name their folder with --baselines, or "
            "make them with pytest --energy-baseline=add"
        )
    raise SettingsError(f"no baseline in {store.folder} is of {name!r}; {_near_text(name, ids.values())}")


def _fits(test_id: str, pattern: str) -> bool:
    """Whether *pattern* is *test_id*, `*` any text and `?` any character; a bracket is a bracket."""
    from fnmatch import fnmatchcase

    return fnmatchcase(test_id, pattern.replace("[", "[[]"))


def _near_text(name: str, ids: Iterable[str]) -> str:
    from difflib import get_close_matches

    known = sorted(set(ids))
    near = get_close_matches(name, known, n=_NAMED_TESTS, cutoff=0.5) or known[:_NAMED_TESTS]
    return f"there are {len(known)} tests, such as {', '.join(near)}"


# ---- export ----


def _export(options: argparse.Namespace) -> int:
    run = read_run(options.run_json)
    write_reports(run.judgements, [options.out], run_notes=run.run_notes)
    return 0


# ---- compare ----


def _compare(options: argparse.Namespace) -> int:
    from pytest_energy.report import to_json, to_terminal, view
    from pytest_energy.report.formats import renderer_of
    from pytest_energy.verdict import Policy, is_failing

    for path in options.out:
        renderer_of(path)  # before the work
    policy = Policy(tolerance=options.tolerance, alpha=options.alpha, gates_estimates=options.estimates)
    old = by_test(read_run(options.run_a), options.run_a)
    new = by_test(read_run(options.run_b), options.run_b)
    judgements, notes = compared(old, new, policy=policy, names=(str(options.run_a), str(options.run_b)))
    run = view.of(judgements, run_notes=notes)
    if options.json:
        say(to_json.render(run, created=now_text()).rstrip("\n"))
    else:
        say(to_terminal.render(run, width=options.width))
    write_reports(judgements, options.out, run_notes=notes)
    fails = any(is_failing(judgement, strict=options.strict) for judgement in judgements)
    return 1 if fails or (options.strict and notes) else 0


def compared(
    old: "Mapping[str, Judgement]",
    new: "Mapping[str, Judgement]",
    *,
    policy: "Policy",
    names: tuple[str, str],
) -> "tuple[tuple[Judgement, ...], tuple[str, ...]]":
    """Each test of *new* that *old* has joules of, judged against those; and what is left over, in words.

    Args:
        old: Of run A, by test id.
        new: Of run B, by test id.
        policy: For every test.
        names: What the runs are called.
    """
    from pytest_energy.baselines.schema import Baseline
    from pytest_energy.model import Budget
    from pytest_energy.verdict import judge

    baselines, without = {}, {}
    for test_id in (test_id for test_id in new if test_id in old):
        record = old[test_id].record
        try:
            baselines[test_id] = Baseline(test_id=test_id, machine_key=record.machine.key, sessions=(record,))
        except BaselineError:
            without[test_id] = old[test_id].verdict
    policy = replace(policy, test_count=max(1, len(baselines)))
    judgements = tuple(
        judge(new[test_id].record, baseline=baseline, other_machines=(), budget=Budget(), policy=policy)
        for test_id, baseline in baselines.items()
    )
    notes = [
        *_one_sided(names[0], [test_id for test_id in old if test_id not in new]),
        *_one_sided(names[1], [test_id for test_id in new if test_id not in old]),
        *(
            f"{names[0]} has no usable joules of {test_id} ({verdict}), so it was not compared"
            for test_id, verdict in without.items()
        ),
    ]
    return judgements, tuple(notes)


def _one_sided(name: str, test_ids: list[str]) -> Iterator[str]:
    if test_ids:
        yield f"only in {name}, so not compared: {', '.join(test_ids)}"
