"""Arguments that several commands take, understood the same way by each."""

import argparse
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # its own type


def add_run(
    parser: argparse.ArgumentParser, name: str, metavar: str, *, nargs: Literal["+"] | None = None
) -> None:
    help_text = f"a run, written by --energy-out={metavar}"
    parser.add_argument(name, type=Path, nargs=nargs, metavar=metavar, help=help_text)


def add_baselines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baselines",
        type=Path,
        default=Path("baselines"),
        metavar="DIR",
        help="folder of the baselines; default: %(default)s in the working folder (pytest's ini value "
        "energy_baselines is not known here)",
    )


def add_width(parser: argparse.ArgumentParser, what: str) -> None:
    width = partial(whole_number, least=80)  # in fewer columns the tables don't fit
    parser.add_argument("--width", type=width, default=100, metavar="COLUMNS", help=what)


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="also write the report to PATH; the suffix picks the format (repeatable)",
    )


def number(wanted: str, is_one: Callable[[float], bool]) -> Callable[[str], float]:
    """What reads a number for which *is_one* holds; *wanted* says which those are."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not is_one(value):
            raise argparse.ArgumentTypeError(f"{text!r}: give {wanted}")
        return value

    return read


# A tolerance and an alpha, in the ranges that pytest's options have.
share = number("a share of at least 0 and below 10, such as 0.05", lambda value: 0.0 <= value < 10.0)
chance = number("a chance above 0 and below 0.5, such as 0.05", lambda value: 0.0 < value < 0.5)


def whole_number(text: str, *, least: int = 1) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number of at least {least}")
    return int(text)


def variable(text: str) -> tuple[str, str]:
    """Name and value of a variable of the environment: `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not name or not equals or "\0" in text:
        raise argparse.ArgumentTypeError("give NAME=VALUE, with a name before the sign")
    return name, value
