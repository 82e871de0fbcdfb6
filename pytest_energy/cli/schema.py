"""`pytest-energy schema`: what the JSON of runs and of baselines looks like, for programs."""

import argparse

from pytest_energy.cli.arguments import Commands
from pytest_energy.cli.files import say


def register(commands: Commands) -> None:
    schema = commands.add_parser(
        "schema",
        help="print the JSON Schema of a run or of a baseline",
        description="Print the JSON Schema (draft 2020-12) of what --energy-out=RUN.json writes, "
        "or of a file in the folder of baselines.",
        epilog="Exit status: 0.",
    )
    schema.add_argument(
        "document",
        choices=("run", "baseline"),
        help="the document that it describes",
    )
    schema.set_defaults(run=_schema)


def _schema(options: argparse.Namespace) -> int:
    from pytest_energy.report.schema import text

    say(text(options.document).rstrip("\n"))
    return 0
