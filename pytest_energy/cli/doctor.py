"""`pytest-energy doctor`: what this machine can measure."""

import argparse
import json

from pytest_energy.cli.arguments import Commands
from pytest_energy.cli.files import say, say_json
from pytest_energy.doctor import diagnose, render, to_json


def register(commands: Commands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="show which sensors work on this machine, and why others don't",
        description="Look for sensors, read each at rest and under a load of 2 s on all CPUs and GPUs, and "
        "show what can fail a test here, and which commands enable more sensors.",
        epilog="Exit status: 0 if something measures, else 1.",
    )
    doctor.add_argument("--json", action="store_true", help="for programs: one JSON document")
    doctor.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    """Exit status 1 if nothing measures: an estimate is no measurement."""
    report = diagnose()
    if options.json:
        say_json(json.dumps(to_json(report), indent=2))
    else:
        say(render(report))
    return 0 if report.measures else 1
