"""`pytest-energy export`: a run in another format."""

import argparse
from pathlib import Path

from pytest_energy.cli.arguments import Commands, add_run
from pytest_energy.cli.files import read_run, write_reports
from pytest_energy.report.formats import check_outputs


def register(commands: Commands) -> None:
    export = commands.add_parser(
        "export",
        help="write a run in another format",
        description="Write a run in the format that the suffix of OUT names, as --energy-out would have "
        "done.",
        epilog="Exit status: 0, or 2 where a file can't be used.",
    )
    add_run(export, "run_json", "RUN.json")
    export.add_argument("out", type=Path, metavar="OUT", help="a file that ends in .json, .csv, .md or .html")
    export.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    check_outputs([options.out])
    run = read_run(options.run_json)
    write_reports(run.judgements, [options.out], run_notes=run.run_notes, yardstick=run.yardstick)
    return 0
