"""The sweep of a test with `energy.sweep`, in a line: the best setting, and the default beside it. Pure."""

from collections.abc import Iterator

from pytest_energy.model import Record
from pytest_energy.report.cells import bounds, energy_per_sample, percent, printable
from pytest_energy.report.view import View
from pytest_energy.stats.best_place import best_range
from pytest_energy.units import to_text
from pytest_energy.verdict.best_setting import RecordedSweep, sweep_of


def lines(run: View) -> list[str]:
    """A line for each test that was swept."""
    found = ((row, sweep_of(row.record)) for row in run.rows)
    return [
        printable(f"{row.short_id}: {'; '.join(_parts(row.record, sweep))}")
        for row, sweep in found
        if sweep is not None
    ]


def _parts(record: Record, sweep: RecordedSweep) -> Iterator[str]:
    """Such as `best batch size 64, 8.4 mJ; default 8: +42.0 % energy [+35.0, +50.0]`."""
    best, limit_s = sweep.best, sweep.most_latency_s
    within = "" if limit_s is None else f" within {to_text(limit_s, 's')}"
    if best is None:
        yield f"no best {sweep.what}{within}"
    else:
        energy = energy_per_sample(record.provenance, best.energy_j)
        yield f"best {sweep.what}{within} {best.name}, {energy} per sample{_others(sweep)}"
    if sweep.ratio is None:
        yield f"default {sweep.default}, not compared: {sweep.absent_because}"
    else:
        ratio, lower, upper = sweep.ratio
        yield f"default {sweep.default}: {percent(ratio)} energy {bounds((lower, upper))}"
    for point in sweep.points:
        if point.energy_j is None:
            yield f"{point.name}: {point.absent_because}"


def _others(sweep: RecordedSweep) -> str:
    """Which settings may be the best, where it may be another."""
    known = [
        (point.name, point.energy_j, point.interval_j[1])
        for point in sweep.points
        if point.is_within and point.energy_j is not None and point.interval_j is not None
    ]
    if not known:
        return ""
    first, last = best_range([energy_j for _, energy_j, _ in known], [upper_j for *_, upper_j in known])
    names = [name for name, *_ in known]
    return "" if first == last else f" (may be {names[first]} to {names[last]})"
