"""`pytest-energy plot`: figures of a run."""

import argparse
from pathlib import Path

from pytest_energy.baselines.store import Store
from pytest_energy.cli.arguments import Commands, add_run, share
from pytest_energy.cli.files import read_run, say
from pytest_energy.errors import SettingsError
from pytest_energy.report.catalogue import RoundsContext, plans, write
from pytest_energy.report.view import View


def register(commands: Commands) -> None:
    plot = commands.add_parser(
        "plot",
        help="draw the figures of a run",
        description="Draw what a run shows: metrics against joules with their correlations, joules by batch "
        "size and by request rate, training beside inference. Needs matplotlib: pip install "
        "'pytest-energy[plot]'.",
        epilog="Exit status: 0, or 2 where a file can't be used or the run has nothing that a figure shows.",
    )
    add_run(plot, "run_json", "RUN.json")
    plot.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the figures; made if not there"
    )
    plot.add_argument(
        "--format", choices=("png", "svg"), default="png", help="of the files; default: %(default)s"
    )
    plot.add_argument("--dark", action="store_true", help="light on dark, for pages of that kind")
    plot.add_argument(
        "--tests",
        action="store_true",
        help="also draw the rounds of each test that was compared with a baseline",
    )
    plot.add_argument(
        "--baselines",
        type=Path,
        metavar="DIR",
        help="folder of the baselines: with --tests, draw each round of the baseline's sessions",
    )
    plot.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="with --tests, draw this accepted rise as a band, instead of the run's own",
    )
    plot.set_defaults(run=_plot)


def _plot(options: argparse.Namespace) -> int:
    if not options.tests and (options.baselines is not None or options.tolerance is not None):
        raise SettingsError("--baselines and --tolerance say what the figures of --tests show; add --tests")
    run = read_run(options.run_json)
    figures, not_drawn = plans(run, rounds_of=_rounds_context(options, run) if options.tests else None)
    say(*not_drawn)
    if not figures:
        raise SettingsError(
            f"{options.run_json} has nothing that a figure shows: figures take tests with a group and "
            "metrics, or --tests and a comparison with a baseline (docs/plots.md)"
        )
    for path in write(figures, options.out, form=options.format, is_dark=options.dark):
        say(f"written to {path}")
    return 0


def _rounds_context(options: argparse.Namespace, run: View) -> RoundsContext:
    sessions = {}
    if options.baselines is not None:
        store = Store(options.baselines)
        for record in [one.record for one in run.judgements if one.comparison is not None]:
            place = record.machine.key, record.test_id
            if (baseline := store.load(*place)) is not None:
                sessions[place] = baseline.entries
    return RoundsContext(sessions=sessions, tolerance=options.tolerance)
