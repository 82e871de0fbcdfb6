"""`pytest-energy show`: a run, or the history of a test, read again."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path, PurePath

from pytest_energy.baselines.location import store_at
from pytest_energy.baselines.machine import COUNTS_PREFIX
from pytest_energy.baselines.protocol import BaselineStore
from pytest_energy.baselines.schema import Baseline
from pytest_energy.cli.arguments import Commands, add_baselines, add_tariff, add_width, tariff_from
from pytest_energy.cli.files import did_you_mean_test, read_run, say
from pytest_energy.errors import SettingsError
from pytest_energy.report import counts_history, history
from pytest_energy.report.formats import summary_text
from pytest_energy.spelling import matching


def register(commands: Commands) -> None:
    show = commands.add_parser(
        "show",
        help="show the summary of a run, or the history of a test",
        description="Show the summary of a run, as --energy-report does; or the sessions of a test in the "
        "baselines, for each machine: date, commit, joules, changes, and whether they rise slowly.",
        epilog="Exit status: 0, or 2 if a file can't be used or no test has that name.",
    )
    show.add_argument(
        "what",
        metavar="RUN.json|TEST",
        help="a file written by --energy-out=RUN.json; or a test's id, a part of it, or a pattern with * "
        "and ?",
    )
    add_baselines(show)
    add_width(show, "of a run's summary, 80 or more; default: %(default)s")
    add_tariff(show)
    show.add_argument("--ascii", action="store_true", help="draw the trend in plain characters")
    show.set_defaults(run=_show)


def _show(options: argparse.Namespace) -> int:
    path = Path(options.what)
    if path.is_file() or path.suffix == ".json":
        run = read_run(path)
        run = replace(run, tariff=tariff_from(options, run.tariff))
        say(summary_text(run, width=options.width))
        return 0
    store = store_at(options.baselines, tell=say)
    is_ascii = options.ascii or (sys.stdout.encoding or "").lower() not in {"utf-8", "utf8"}
    baselines = [store.read(file) for file in _paths_named(store, options.what)]
    say("\n\n".join(_history_of(baseline, is_ascii=is_ascii) for baseline in baselines))
    return 0


def _history_of(baseline: Baseline, *, is_ascii: bool) -> str:
    if baseline.machine_key.startswith(COUNTS_PREFIX):
        return counts_history.render(baseline)
    return history.render(baseline, is_ascii=is_ascii)


def _paths_named(store: BaselineStore, name: str) -> list[PurePath]:
    """Files of the tests that *name* means."""
    if exact := store.paths_of(name):
        return list(exact)
    ids = store.test_ids()
    meant = matching(name, ids.values())
    if paths := [path for path, test_id in ids.items() if test_id in meant]:
        return sorted(paths, key=lambda path: (ids[path], path))
    if not ids:
        raise SettingsError(
            f"no baselines are in {store.name}, so none of {name!r}. Give their folder with --baselines, "
            "or record them with pytest --energy-baseline=add"
        )
    raise SettingsError(f"{store.name} has no baseline of {name!r}.{did_you_mean_test(name, ids.values())}")
