"""The command `pytest-energy`: what this machine can measure, and session documents read again."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_energy.errors import EnergyError, SettingsError

if TYPE_CHECKING:
    from pytest_energy.report.view import View

_LEAST_WIDTH = 80


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (those of the process if not given).

    Returns:
        0, or 1 where nothing measures (`doctor`), or 2 for a file or a value that can't be used.
    """
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has seen enough; what is left in the buffer goes nowhere, instead of failing at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except EnergyError as error:
        print(f"pytest-energy: {error}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-energy",
        description="What measures energy on this machine, and the energy of past runs.",
        epilog="Measuring is pytest's work: see `pytest --help` for its options --energy-...",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    doctor = _command(
        commands,
        "doctor",
        "say what measures on this machine, and why the rest doesn't",
        "Look for sensors, read each at rest and under a load of 2 s on all CPUs and GPUs, and say what may "
        "fail a test here and which command makes more measurable.",
        "Exit status: 0 where something measures, 1 where nothing does.",
    )
    doctor.add_argument("--json", action="store_true", help="for programs: one JSON document")
    doctor.set_defaults(run=_doctor)
    show = _command(
        commands,
        "show",
        "show the summary of a run",
        "Show the summary that the run showed with --energy-report.",
        "Exit status: 0, or 2 where the file can't be used.",
    )
    show.add_argument("run_json", type=Path, metavar="RUN.json", help="written by --energy-out=RUN.json")
    show.add_argument(
        "--width", type=_width, default=100, metavar="COLUMNS", help="80 or more; default: %(default)s"
    )
    show.set_defaults(run=_show)
    export = _command(
        commands,
        "export",
        "write a run in another format",
        "Write a run in the format that the suffix of OUT names, as --energy-out would have done.",
        "Exit status: 0, or 2 where a file can't be used.",
    )
    export.add_argument("run_json", type=Path, metavar="RUN.json", help="written by --energy-out=RUN.json")
    export.add_argument("out", type=Path, metavar="OUT", help="a file that ends in .csv, .md or .json")
    export.set_defaults(run=_export)
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    short: str,
    description: str,
    epilog: str,
) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=short, description=description, epilog=epilog)


def _width(text: str) -> int:
    """Columns of a screen; in fewer than 80 the tables don't fit."""
    if not text.isdecimal() or int(text) < _LEAST_WIDTH:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of columns from {_LEAST_WIDTH} on")
    return int(text)


def _doctor(options: argparse.Namespace) -> int:
    """Exit status 1 where nothing measures: an estimate is no measurement."""
    from pytest_energy.doctor import diagnose, render, to_json

    report = diagnose()
    print(json.dumps(to_json(report), indent=2) if options.json else render(report))
    return 0 if report.measures else 1


def _show(options: argparse.Namespace) -> int:
    from pytest_energy.report import to_terminal

    print(to_terminal.render(_read(options.run_json), width=options.width))
    return 0


def _export(options: argparse.Namespace) -> int:
    from pytest_energy.report.formats import write

    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    run = _read(options.run_json)
    write(run.judgements, options.out, created=created, run_notes=run.run_notes)
    print(f"written to {options.out}")
    return 0


def _read(path: Path) -> "View":
    from pytest_energy.report.to_json import read

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {error}; give a file written by --energy-out") from error
    return read(text, str(path))
