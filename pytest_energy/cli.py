"""The command `pytest-energy`: what this machine can measure, and session documents read again."""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.model import Judgement, Provenance


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command with *arguments* (those of the process if not given) and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except EnergyError as error:
        print(f"pytest-energy: {error}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="pytest-energy", description="Energy of tests: sensors of this machine, and runs read again."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    doctor = commands.add_parser("doctor", help="say what measures on this machine, and why the rest doesn't")
    doctor.set_defaults(run=_doctor)
    show = commands.add_parser("show", help="show the summary of a run")
    show.add_argument("run_json", type=Path, metavar="RUN.json", help="written by --energy-out=RUN.json")
    show.add_argument("--width", type=int, default=100, metavar="COLUMNS", help="default: 100")
    show.set_defaults(run=_show)
    export = commands.add_parser("export", help="write a run in another format; the suffix picks it")
    export.add_argument("run_json", type=Path, metavar="RUN.json")
    export.add_argument("out", type=Path, metavar="OUT", help="a file that ends in .csv, .md or .json")
    export.set_defaults(run=_export)
    return parser


def _doctor(_: argparse.Namespace) -> int:
    """Exit status 1 where nothing measures: an estimate is no measurement."""
    from pytest_energy.sensors.detect import detect

    found = detect(None)
    for status in found.statuses:
        if status.absent_because is None:
            print(f"{status.name}: {status.provenance}, channels {', '.join(status.channels)}")
        else:
            print(f"{status.name}: absent: {status.absent_because}")
    for sensor in found.sensors:
        sensor.close()
    if any(sensor.provenance is Provenance.MEASURED for sensor in found.sensors):
        return 0
    print(
        "Nothing measures here. Tests are unmeasured: budgets and baselines neither pass nor fail, unless "
        "--energy-estimates=gate lets the estimate judge them."
    )
    return 1


def _show(options: argparse.Namespace) -> int:
    from pytest_energy.report import to_terminal, view

    print(to_terminal.render(view.of(_read(options.run_json)), width=options.width))
    return 0


def _export(options: argparse.Namespace) -> int:
    from pytest_energy.report.formats import write

    created = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    write(_read(options.run_json), options.out, created=created)
    print(f"written to {options.out}")
    return 0


def _read(path: Path) -> tuple[Judgement, ...]:
    from pytest_energy.report.to_json import parse

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} can't be read: {error}; give a file written by --energy-out") from error
    return parse(text, str(path))
