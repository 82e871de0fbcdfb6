"""Arguments that several commands take, understood the same way by each."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # its own type

BASELINES = Path("baselines")

_LEAST_WIDTH = 80  # in fewer columns the tables don't fit


def add_command(
    commands: Commands, name: str, short: str, *, description: str, epilog: str
) -> argparse.ArgumentParser:
    """A command's parser; *epilog* says what its exit statuses mean."""
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


def add_width(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--width", type=_width, default=100, metavar="COLUMNS", help=what)


def share(text: str) -> float:
    """A tolerance, in the range that pytest's option has."""
    return _number(text, "a share of at least 0 and below 10, such as 0.05", is_one=lambda v: 0.0 <= v < 10.0)


def chance(text: str) -> float:
    """An alpha, in the range that pytest's option has."""
    return _number(text, "a chance above 0 and below 0.5, such as 0.05", is_one=lambda v: 0.0 < v < 0.5)


def days(text: str) -> float:
    return _number(text, "a number of days of at least 0", is_one=lambda v: 0.0 <= v < math.inf)


def seconds(text: str) -> float:
    return _number(text, "a number of seconds above 0", is_one=lambda v: 0.0 < v < math.inf)


def session_count(text: str) -> int:
    return _whole_number(text, least=1)


def pair_count(text: str) -> int:
    return _whole_number(text, least=1)


def _width(text: str) -> int:
    return _whole_number(text, least=_LEAST_WIDTH)


def _number(text: str, wanted: str, *, is_one: Callable[[float], bool]) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not is_one(value):
        raise argparse.ArgumentTypeError(f"{text!r}: give {wanted}")
    return value


def _whole_number(text: str, *, least: int) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number of at least {least}")
    return int(text)
