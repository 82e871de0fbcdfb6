"""`pytest-energy best`: the best batch size and request rate of each model of a run."""

import argparse
import json
from collections.abc import Iterator, Sequence

from pytest_energy.cli.arguments import Commands, add_run, share, time
from pytest_energy.cli.files import read_run, say
from pytest_energy.errors import SettingsError, printable
from pytest_energy.report.cells import bounds, energy_per_sample, percent
from pytest_energy.report.points_of_run import PointOfModel, points
from pytest_energy.report.screen import table
from pytest_energy.stats.operating_point import SweptSetting
from pytest_energy.units import to_text

_HEADS = ("", "J/sample", "95 % interval", "latency", "")


def register(commands: Commands) -> None:
    command = commands.add_parser(
        "best",
        help="the best batch size and request rate of each model of a run",
        description="Find the setting with the fewest joules per sample in each batch sweep and over the "
        "request rates of each model, within a limit of latency, and compare a default with it.",
        epilog="Exit status: 0; 1 if a default is clearly above what --most-excess allows; 2 if the run has "
        "no sweep or can't be read.",
    )
    add_run(command, "run_json", "RUN.json")
    command.add_argument(
        "--most-latency", type=time, metavar="TIME", help="limit of a step, or of 99 %% of requests: '50 ms'"
    )
    command.add_argument("--default", metavar="VALUE", help="batch size or rate that is used today")
    command.add_argument(
        "--most-excess", type=share, metavar="SHARE", help="accepted excess of --default above the best: 10%%"
    )
    form = command.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON")
    form.add_argument("--markdown", action="store_true", help="print tables in Markdown")
    command.set_defaults(run=_best)


def _best(options: argparse.Namespace) -> int:
    if options.most_excess is not None and options.default is None:
        raise SettingsError("--most-excess compares a default with the best: give --default as well")
    run = read_run(options.run_json)
    found = [*points(run, default=options.default, most_latency_s=options.most_latency)]
    if not found:
        raise SettingsError(
            f"{options.run_json} has no sweep: no two tests of a model record batch_size or request_rate"
        )
    if options.json:
        say(json.dumps([*map(_document, found)], indent=2))
    else:
        say("\n\n".join(printed(one, is_markdown=options.markdown) for one in found))
    return int(any(_is_over(one, options.most_excess) for one in found))


def _is_over(found: PointOfModel, most_excess: float | None) -> bool:
    excess = found.point.excess
    return most_excess is not None and excess is not None and excess.lower > 1 + most_excess


def printed(found: PointOfModel, *, is_markdown: bool) -> str:
    """The settings of one model as a table, and what they say below it."""
    rows = [_row(one, found) for one in found.point.settings]
    heads = (found.point.what, *_HEADS[1:])
    title = printable(found.model)
    lines = [*_said(found)]
    if not is_markdown:
        return "\n".join([title, *table(heads, rows, ">>>><"), *lines])
    ruled = [heads, ("--:",) * 4 + ("---",), *rows]
    drawn = [f"| {' | '.join(cells)} |" for cells in ruled]
    return "\n".join([f"**{title}**", "", *drawn, "", *(f"- {line}" for line in lines)])


def _row(one: SweptSetting, found: PointOfModel) -> Sequence[str]:
    summary, point = one.summary, found.point
    if summary is None:
        return (one.name, "-", "-", "-", printable(one.absent_because or ""))
    remark = "" if one.keeps(point.most_latency_s) else "above the latency limit"
    if point.best is not None and one.name == point.best.name:
        remark = "best"
    elif one.name in point.may_be_best:
        remark = "may be the best"
    return (
        one.name,
        energy_per_sample(found.provenance, summary.energy_j),
        " to ".join(to_text(end_j, "J") for end_j in summary.energy_ci_j),
        "-" if one.latency_s is None else to_text(one.latency_s, "s", digits=3),
        remark,
    )


def _said(found: PointOfModel) -> Iterator[str]:
    point, excess = found.point, found.point.excess
    if point.best is None:
        yield f"no best {point.what}: {_why_none(found)}"
    else:
        may = point.may_be_best
        yield f"best {point.what}: {point.best.name}; 95 % interval {may[0]} to {may[-1]}"
    if excess is not None:
        yield f"default {point.default}: {percent(excess.value)} {bounds((excess.lower, excess.upper))}"
    elif point.default is not None:
        yield f"default {point.default}: not compared: {point.absent_because}"


def _why_none(found: PointOfModel) -> str:
    if any(one.rounds is not None for one in found.point.settings):
        return f"none keeps the latency limit of {to_text(found.point.most_latency_s or 0.0, 's')}"
    return "none has joules"


def _document(found: PointOfModel) -> dict[str, object]:
    point, excess = found.point, found.point.excess
    return {
        "model": found.model,
        "provenance": str(found.provenance),
        "what": point.what,
        "most_latency_s": point.most_latency_s,
        "best": None if point.best is None else point.best.name,
        "may_be_best": [*point.may_be_best],
        "default": point.default,
        "excess": None if excess is None else [excess.value, excess.lower, excess.upper],
        "absent_because": None if excess is not None else point.absent_because,
        "settings": [
            {
                "name": one.name,
                "energy_per_sample_j": None if one.summary is None else one.summary.energy_j,
                "energy_per_sample_ci_j": None if one.summary is None else [*one.summary.energy_ci_j],
                "latency_s": one.latency_s,
                "absent_because": one.absent_because,
            }
            for one in point.settings
        ],
    }
