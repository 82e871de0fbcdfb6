"""Energy per sample, samples per second and memory over the batch size of one model.

Rule 1: what is best, tied, saturated or left out is judged by `report.batch`: here it is only shown.
"""

from collections.abc import Iterable

from pytest_energy.report.batch import LEAST_GAIN, Sweep, best, may_be_best, saturation, ties
from pytest_energy.report.cells import energy_per_sample, plain
from pytest_energy.report.charts.axes import axis_of, doubling_axis
from pytest_energy.report.charts.spec import Chart, Crosses, Layer, Line, Marks, Rule, Sheet
from pytest_energy.report.text import INTERVAL_NOTE, heading, joules_label, listed, sentence, short
from pytest_energy.units import to_text


def charts(sweep: Sweep) -> tuple[Chart, ...]:
    """Energy and speed of *sweep*, which has a measured size at least, and memory where it is known."""
    return _energy(sweep), _speed(sweep), *_memory(sweep)


def sheet(sweep: Sweep) -> Sheet:
    """The charts, one over the other, as a page."""
    return Sheet(
        title=f"{short(sweep.model)}: energy and speed over the {sweep.what}",
        heading=heading(sweep.judgements),
        charts=charts(sweep),
        notes=notes(sweep),
        height_in=2.6,
        shares_x=True,
    )


def notes(sweep: Sweep) -> tuple[str, ...]:
    """What the figure says, in words."""
    first, tied, saturated = best(sweep.sizes), ties(sweep.sizes), saturation(sweep.sizes)
    low, high = may_be_best(sweep.sizes)
    lines = [
        f"Best: {first.batch_size}, {to_text(first.energy_j, 'J')} per sample"
        + (f"; {_sizes_text(tied)} can't be separated from it: their intervals overlap." if tied else "."),
        f"95 % interval of the best {sweep.what}: {low} to {high}.",
    ]
    if late := [size.batch_size for size in sweep.sizes if not size.is_within]:
        lines.append(f"Above the latency limit: {_sizes_text(late)}.")
    if saturated is not None:
        lines.append(
            f"Saturated above {saturated}: the next size gains less than {100 * LEAST_GAIN:g} % in "
            "samples per second and saves no joules."
        )
    if first.batch_size == max(_all_sizes(sweep)):
        lines.append(f"The best {sweep.what} is the largest measured: a larger one may be better.")
    lines += [f"Without joules: {short(size.name)} ({sentence(size.because)})." for size in sweep.lost]
    if sweep.missing:
        lines.append(
            f"No record at {_sizes_text(sweep.missing)}, which other models of the run have: skipped (for "
            "example, out of memory) or not run."
        )
    bars = f"{INTERVAL_NOTE} for energy; slowest and fastest round for samples per second."
    return (*lines, bars)


def _sizes_text(sizes: Iterable[int]) -> str:
    return listed([str(size) for size in sizes])


def _all_sizes(sweep: Sweep) -> list[float]:
    return [float(size) for size in (*sweep.batch_sizes, *sweep.missing)]


def _energy(sweep: Sweep) -> Chart:
    label = joules_label(sweep.provenance, "sample")
    ends_j = [end_j for size in sweep.sizes for end_j in size.interval_j]
    return Chart(
        title="Energy",
        x=doubling_axis(_all_sizes(sweep), label=sweep.what),
        y=axis_of(ends_j, "J", label=label),
        layers=(*_saturation(sweep, has_key=True), *_energies(sweep, label), *_lost(sweep, has_key=True)),
    )


def _energies(sweep: Sweep, label: str) -> Iterable[Layer]:
    """All sizes, then the best of them, then those that can't be separated from it."""
    first, tied = best(sweep.sizes), ties(sweep.sizes)
    points = {size.batch_size: (float(size.batch_size), size.energy_j) for size in sweep.sizes}
    texts = {
        size: f"{size}: {energy_per_sample(sweep.provenance, energy_j)}"
        for size, (_, energy_j) in points.items()
    }
    yield Line(points=tuple(points.values()), colour="first")
    yield Marks(
        points=tuple(points.values()),
        bars=tuple(size.interval_j for size in sweep.sizes),
        titles=tuple(texts.values()),
        form="circle",
        colour="first",
        key=f"{label}, 95 % interval",
    )
    yield Marks(
        points=(points[first.batch_size],),
        titles=(f"{texts[first.batch_size]}, the best",),
        form="star",
        colour="second",
        key=f"best: {first.batch_size}",
    )
    if tied:
        yield Marks(
            points=tuple(points[size] for size in tied),
            titles=tuple(f"{texts[size]}, can't be separated from the best" for size in tied),
            form="diamond",
            colour="second",
            is_hollow=True,
            key=f"not separable from it: {', '.join(map(str, tied))}",
        )


def _speed(sweep: Sweep) -> Chart:
    sizes = sweep.sizes
    points = tuple((float(size.batch_size), size.samples_per_s) for size in sizes)
    ends = [speed for size in sizes for speed in size.samples_per_s_range]
    marks = Marks(
        points=points,
        bars=tuple(size.samples_per_s_range for size in sizes),
        titles=tuple(f"{size:g}: {plain(speed)} samples/s" for size, speed in points),
        form="square",
        colour="third",
        key="samples per second, slowest to fastest round",
    )
    return Chart(
        title="Speed",
        x=doubling_axis(_all_sizes(sweep), label=sweep.what),
        y=axis_of(ends, label="samples per second"),
        layers=(*_saturation(sweep), Line(points=points, colour="third"), marks, *_lost(sweep)),
        is_low=True,
    )


def _memory(sweep: Sweep) -> Iterable[Chart]:
    points = tuple(
        (float(size.batch_size), size.memory_bytes) for size in sweep.sizes if size.memory_bytes is not None
    )
    if points:
        marks = Marks(
            points=points,
            titles=tuple(f"{size:g}: {to_text(memory, 'B', digits=3)}" for size, memory in points),
            form="triangle",
            colour="second",
            key="most memory of the device in use at once",
        )
        yield Chart(
            title="Memory",
            x=doubling_axis(_all_sizes(sweep), label=sweep.what),
            y=axis_of([memory for _, memory in points], "B", label="memory in use"),
            layers=(Line(points=points, colour="second"), marks, *_lost(sweep)),
            is_low=True,
        )


def _saturation(sweep: Sweep, *, has_key: bool = False) -> Iterable[Layer]:
    saturated = saturation(sweep.sizes)
    if saturated is not None:
        key = f"saturated above {saturated}" if has_key else ""
        yield Rule(at=saturated, colour="ink", dash="dashed", is_upright=True, key=key)


def _lost(sweep: Sweep, *, has_key: bool = False) -> Iterable[Layer]:
    """A cross for each size without joules; the key says which and why."""
    reasons = [
        (size.batch_size, "out of memory" if size.is_out_of_memory else "without joules")
        for size in sweep.lost
        if size.batch_size is not None
    ]
    reasons += [(size, "no record") for size in sweep.missing]
    if reasons:
        by_reason = {
            because: ", ".join(str(size) for size, other in reasons if other == because)
            for _, because in reasons
        }
        yield Crosses(
            places=tuple(float(size) for size, _ in reasons),
            titles=tuple(f"{size}: {because}" for size, because in reasons),
            key="; ".join(f"{because}: {sizes}" for because, sizes in by_reason.items()) if has_key else "",
        )
