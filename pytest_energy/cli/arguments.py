"""Arguments that several commands take, understood the same way by each."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001  # argparse's own type for it

BASELINES = Path("baselines")


def add_command(
    commands: "Commands", name: str, short: str, *, description: str, epilog: str
) -> argparse.ArgumentParser:
    """A command's parser; *epilog* tells its exit statuses."""
    return commands.add_parser(name, help=short, description=description, epilog=epilog)


def add_run(parser: argparse.ArgumentParser, name: str, metavar: str) -> None:
    parser.add_argument(name, type=Path, metavar=metavar, help=f"a run, written by --energy-out={metavar}")


def add_baselines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baselines",
        type=Path,
        default=BASELINES,
        metavar="DIR",
        help="folder of the baselines; default: %(default)s in the working folder (pytest's ini value "
        "energy_baselines is not known here)",
    )


def session_count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of sessions from 1 on")
    return int(text)


def days(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 0 on")
    return value
