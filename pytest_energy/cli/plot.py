"""`pytest-energy plot`: figures of a run, to read and for a paper."""

import argparse
import re
from pathlib import Path

from pytest_energy.baselines.location import location, store_at
from pytest_energy.cli.arguments import Commands, add_run, share
from pytest_energy.cli.files import read_run, say
from pytest_energy.errors import SettingsError
from pytest_energy.report.catalogue import RoundsContext, plans, write
from pytest_energy.report.charts.correlation import Choice
from pytest_energy.report.plots.page import DARK, LIGHT, Look
from pytest_energy.report.view import View

_INCHES = {"mm": 1 / 25.4, "cm": 1 / 2.54, "in": 1.0}
_NARROWEST_IN, _WIDEST_IN = 1.9, 40.0  # 48 mm holds a chart with its numbers; a poster has a metre


def register(commands: Commands) -> None:
    plot = commands.add_parser(
        "plot",
        help="draw the figures of a run",
        description="Draw what a run holds: metrics against energy with their correlations, energy by batch "
        "size and by request rate, prefill beside decode, training beside inference. Needs matplotlib: "
        "pip install 'pytest-energy[plot]'.",
        epilog="For a paper: pytest-energy plot run.json --out figures --metric macs_param --format pdf "
        "--width 85mm --bare. Exit status: 0, or 2 if a file can't be used or the run has nothing to draw.",
    )
    add_run(plot, "run_json", "RUN.json")
    plot.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for the figures; made if it is missing"
    )
    plot.add_argument(
        "--format", choices=("png", "svg", "pdf"), default="png", help="of the files; default: %(default)s"
    )
    plot.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME",
        help="draw this metric against energy, and no other figure; may be repeated",
    )
    plot.add_argument(
        "--width",
        type=_length_in,
        metavar="LENGTH",
        help="width of the page, such as 85mm, 17cm or 3.35in; letters keep their size in points",
    )
    plot.add_argument(
        "--bare",
        action="store_true",
        help="charts alone; title, hardware, commit and notes are printed instead, for the caption",
    )
    plot.add_argument(
        "--published",
        action="store_true",
        help="with --bare, keep the published correlations above the charts",
    )
    plot.add_argument("--dark", action="store_true", help="light on dark, for pages of that kind")
    plot.add_argument(
        "--tests",
        action="store_true",
        help="also draw the rounds of each test that was compared with a baseline",
    )
    plot.add_argument(
        "--baselines",
        type=location,
        metavar="DIR|URL",
        help="folder or URL of the baselines: with --tests, draw each round of the baseline's sessions",
    )
    plot.add_argument(
        "--tolerance",
        type=share,
        metavar="SHARE",
        help="with --tests, draw this accepted rise as a band, instead of the run's own",
    )
    plot.set_defaults(run=_plot)


def _length_in(text: str) -> float:
    """Inches of a length such as `85mm`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(mm|cm|in)", text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a length in mm, cm or in, such as 85mm")
    width_in = float(found[1]) * _INCHES[found[2]]
    if not _NARROWEST_IN <= width_in <= _WIDEST_IN:
        raise argparse.ArgumentTypeError(f"must be from 48mm to 1016mm. Got {text!r}")
    return width_in


def _plot(options: argparse.Namespace) -> int:
    _check(options)
    run = read_run(options.run_json)
    figures, not_drawn = plans(
        run,
        rounds_of=_rounds_context(options, run) if options.tests else None,
        choice=Choice(metrics=tuple(options.metric), has_paper=options.published or not options.bare),
    )
    say(*not_drawn)
    if not figures:
        raise SettingsError(
            f"{options.run_json} has nothing to draw: figures need tests with a group and "
            "metrics, or --tests and a comparison with a baseline (docs/plots.md)"
        )
    look = Look(theme=DARK if options.dark else LIGHT, width_in=options.width, is_bare=options.bare)
    say(f"drawing {len(figures)} {'figure' if len(figures) == 1 else 'figures'}")
    for number, figure in enumerate(write(figures, options.out, form=options.format, look=look), 1):
        say(f"[{number}/{len(figures)}] {figure.path}", *([f"  {figure.words}"] if figure.words else []))
    return 0


def _check(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect."""
    if not options.tests and (options.baselines is not None or options.tolerance is not None):
        raise SettingsError("--baselines and --tolerance change the figures of --tests alone; add --tests")
    if options.published and not options.bare:
        raise SettingsError("--published keeps what --bare removes; add --bare, or remove --published")


def _rounds_context(options: argparse.Namespace, run: View) -> RoundsContext:
    sessions = {}
    if options.baselines is not None:
        store = store_at(options.baselines, tell=say)
        for record in [one.record for one in run.judgements if one.comparison is not None]:
            place = record.machine.key, record.test_id
            if (baseline := store.load(*place)) is not None:
                sessions[place] = baseline.entries
    return RoundsContext(sessions=sessions, tolerance=options.tolerance)
