"""Arguments that several commands take, understood the same way by each."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from pytest_energy import quantities, tariff
from pytest_energy.baselines.location import location
from pytest_energy.errors import SettingsError
from pytest_energy.report.outputs import Output, output_of
from pytest_energy.tariff import Tariff, tariff_of

T = TypeVar("T")

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001  # its own type


def add_run(
    parser: argparse.ArgumentParser, name: str, metavar: str, *, nargs: Literal["+"] | None = None
) -> None:
    help_text = f"a run, written by --energy-out={metavar}"
    parser.add_argument(name, type=Path, nargs=nargs, metavar=metavar, help=help_text)


def add_baselines(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--baselines",
        "--energy-baselines",
        type=location,
        default=Path("baselines"),
        metavar="DIR|URL",
        help="folder or URL of the baselines; default: %(default)s in the working folder (the ini value "
        "energy_baselines is not read)",
    )


def add_estimates(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument("--estimates", choices=("report", "gate"), default="report", help=what)


def add_width(parser: argparse.ArgumentParser, what: str) -> None:
    width = partial(whole_number, least=80)  # in fewer columns the tables don't fit
    parser.add_argument("--width", type=width, default=100, metavar="COLUMNS", help=what)


def add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=output,
        action="append",
        default=[],
        metavar="PATH",
        help="also write the report to PATH, as --energy-out does (repeatable)",
    )


def add_tariff(parser: argparse.ArgumentParser) -> None:
    """Options for carbon intensity and price; `tariff_from` reads them."""
    parser.add_argument(
        "--carbon-g-per-kwh",
        "--energy-carbon-g-per-kwh",
        type=partial(_read, tariff.carbon),
        metavar="GRAMS",
        help="of a run: also show the CO2e of its joules, an estimate at this carbon intensity, such as '400 "
        "(grid mean)'; default: what the run was given",
    )
    parser.add_argument(
        "--price-per-kwh",
        "--energy-price-per-kwh",
        type=partial(_read, tariff.price),
        metavar="PRICE",
        help="of a run: also show the cost of its joules, an estimate at this price, such as '0.31 EUR "
        "(contract of 2026)'; default: what the run was given",
    )


def tariff_from(options: argparse.Namespace, given: Tariff | None) -> Tariff | None:
    """The tariff of *options*; what is not in them is as *given* with the run."""
    was = given or Tariff()
    return tariff_of(options.carbon_g_per_kwh or was.carbon, options.price_per_kwh or was.price)


def _read(reader: Callable[[str], T], text: str) -> T:
    try:
        return reader(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def output(text: str) -> Output:
    try:
        return output_of(text)
    except SettingsError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


# As pytest's options and the marker take them.
share = partial(_read, quantities.share)
chance = partial(_read, quantities.chance)
time = partial(_read, quantities.time)
watts = partial(_read, quantities.power)


def whole_number(text: str, *, least: int = 1) -> int:
    return _read(partial(quantities.whole_number, least=least), text)


def days(text: str) -> float:
    """A number of days of at least 0."""
    return _read(quantities.age_days, text)


def variable(text: str) -> tuple[str, str]:
    """Name and value of a variable of the environment: `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not name or not equals or "\0" in text:
        raise argparse.ArgumentTypeError("must be NAME=VALUE, with a name before the =")
    return name, value
