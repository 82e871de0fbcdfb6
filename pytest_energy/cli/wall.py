"""`pytest-energy wall`: a run beside the CSV of a wall or riser meter."""

import argparse
import json
from functools import partial
from pathlib import Path

from pytest_energy.cli.arguments import Commands, add_run, time
from pytest_energy.cli.files import read_run, say, say_json
from pytest_energy.cli.pages import add_pages, write_page
from pytest_energy.errors import Absent
from pytest_energy.wall.chart import sheet
from pytest_energy.wall.comparison import compared
from pytest_energy.wall.meter_file import UNITS, Columns, read_meter
from pytest_energy.wall.text import as_json, render, render_markdown
from pytest_energy.wall.times import moment_s

_MOST_LAG_S = 10.0


def register(commands: Commands) -> None:
    command = commands.add_parser(
        "wall",
        help="compare a run with the CSV of a wall or riser meter: gain, offset and lag",
        description="Compare the power of a run's windows with a meter outside the machine: watts at the "
        "meter per watt of the counters, watts that the counters do not see at rest, and the lag, each with "
        "a 95 % interval.",
        epilog="Exit status: 0; 1 if gain, offset or lag can't be given, with the reason; 2 if a file can't "
        "be used.",
    )
    add_run(command, "run_json", "RUN.json")
    command.add_argument("meter_csv", type=Path, metavar="METER.csv", help="rows of a time and of watts")
    command.add_argument(
        "--time-column", metavar="NAME|N", help="column of the times; default: the one whose name says so"
    )
    command.add_argument(
        "--power-column", metavar="NAME|N", help="column of the power; default: the one whose name says so"
    )
    command.add_argument(
        "--unit", choices=UNITS, help="of the power; default: the one in the column's name, else W"
    )
    command.add_argument(
        "--time-zone",
        default="UTC",
        metavar="ZONE",
        help="of times without one, such as Europe/Berlin; default: %(default)s",
    )
    command.add_argument(
        "--time-format",
        metavar="FORM",
        help="of times that are not ISO 8601, such as '%%d/%%m/%%Y %%H:%%M:%%S'",
    )
    command.add_argument(
        "--start",
        type=_moment,
        metavar="MOMENT",
        help="what times count from that begin at 0: seconds since 1970, or such as 2026-11-21T10:00:00Z",
    )
    command.add_argument(
        "--interval",
        type=time,
        metavar="TIME",
        help="time that a row is the mean of, and ends with; default: the time since the row before",
    )
    command.add_argument(
        "--rows",
        choices=("means", "changes"),
        help="whether a row is the mean of the time before it, or its power lasts until the next row; "
        "default: means, except of times that are called last_changed or last_updated",
    )
    command.add_argument(
        "--most-lag",
        type=time,
        default=_MOST_LAG_S,
        metavar="TIME",
        help="lags up to it are tried, either way; default: 10 s",
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    add_pages(command)
    command.set_defaults(run=_wall)


def _moment(text: str) -> float:
    try:
        return moment_s(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(
            f"must be seconds since 1970, or such as 2026-11-21T10:00:00Z. Got {text!r}"
        ) from error


def _wall(options: argparse.Namespace) -> int:
    columns = Columns(
        time=options.time_column,
        power=options.power_column,
        unit=options.unit,
        time_zone=options.time_zone,
        time_format=options.time_format,
        start_unix_s=options.start,
        interval_s=options.interval,
        is_held=None if options.rows is None else options.rows == "changes",
    )
    series = read_meter(options.meter_csv, columns)
    found = compared(read_run(options.run_json), series, most_lag_s=options.most_lag)
    name = options.meter_csv.name
    if options.json:
        say_json(json.dumps(as_json(found, name), indent=2))
    else:
        say((render_markdown if options.markdown else render)(found, name))
    for path in options.out:
        write_page(
            path,
            markdown=partial(render_markdown, found, name),
            document=partial(as_json, found, name),
            sheet=partial(sheet, found, name),
        )
    line = found.line
    return int(any(isinstance(one, Absent) for one in (line.gain, line.offset_w, line.lag_s)))
