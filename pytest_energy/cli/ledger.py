"""`pytest-energy ledger`: what each practice of a pipeline costs once, and saves per request."""

import argparse
import math
from functools import partial
from pathlib import Path

from pytest_energy.cli.arguments import Commands, add_run, add_tariff, tariff_from
from pytest_energy.cli.files import read_run, say
from pytest_energy.cli.pages import add_pages, write_page
from pytest_energy.errors import SettingsError
from pytest_energy.ledger import design_of, ledger_of
from pytest_energy.ledger.chart import sheet
from pytest_energy.ledger.text import as_json, render, render_markdown

_REQUESTS = (1e3, 1e6)


def register(commands: Commands) -> None:
    ledger = commands.add_parser(
        "ledger",
        help="compare the practices of a pipeline: joules once, per request, and break-even",
        description="Compare every combination of practices, each on or off: joules of each phase that is "
        "paid once, joules per served request, accuracy, and the number of requests from which a practice "
        "uses fewer joules in all. Each combination is a test with windows for its phases, that records "
        "practice_NAME=1 or 0.",
        epilog="Give several runs with their tests in changing order, so that drift is in no interval. "
        "Exit status: 0, or 2 if a file can't be used or a combination is missing.",
    )
    add_run(ledger, "runs", "RUN.json", nargs="+")
    ledger.add_argument(
        "--serve",
        default="serve",
        metavar="NAME",
        help="the phase that serves requests, with samples=; all others are paid once; default: %(default)s",
    )
    ledger.add_argument(
        "--basis",
        choices=("gross", "net"),
        default="gross",
        help="all joules, or those without idle power; default: %(default)s",
    )
    ledger.add_argument(
        "--requests",
        type=_counts,
        default=_REQUESTS,
        metavar="N,N,...",
        help="numbers of requests to show; default: 1000,1000000",
    )
    add_tariff(ledger)
    add_pages(ledger)
    ledger.set_defaults(run=_ledger)


def _counts(text: str) -> tuple[float, ...]:
    try:
        counts = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        counts = (0.0,)
    if not all(math.isfinite(count) and count >= 1 for count in counts):
        raise argparse.ArgumentTypeError(f"must be numbers of at least 1, such as 1000,1e6. Got {text!r}")
    return counts


def _ledger(options: argparse.Namespace) -> int:
    _check_once(options.runs)
    runs = [(str(path), read_run(path)) for path in options.runs]
    ledger = ledger_of(design_of(runs, serve=options.serve, basis=options.basis))
    given = {run.tariff for _, run in runs}
    tariff = tariff_from(options, next(iter(given)) if len(given) == 1 else None)
    say(render(ledger, options.requests, tariff))
    if tariff is None and len(given) > 1:
        say("Carbon and cost are missing: the runs were given different numbers. Give one for all.")
    for path in options.out:
        write_page(
            path,
            markdown=partial(render_markdown, ledger, options.requests, tariff),
            document=partial(as_json, ledger, options.requests, tariff),
            sheet=partial(sheet, ledger, options.requests),
        )
    return 0


def _check_once(paths: list[Path]) -> None:
    for place, path in enumerate(paths):
        if path.resolve() in {one.resolve() for one in paths[:place]}:
            raise SettingsError(f"{path} is given twice. Each run is a block of its own")
