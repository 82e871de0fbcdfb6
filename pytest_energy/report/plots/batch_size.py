"""Joules a sample and samples a second over the batch size of one model."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_energy.report.batch import LEAST_GAIN, Sweep, best, saturation, ties
from pytest_energy.report.plots.canvas import Head, Theme, page, scale, steps_of_two
from pytest_energy.report.text import INTERVAL_NOTE, heading, joules_label, listed, short
from pytest_energy.units import to_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBERS = 22  # of three digits that fit side by side on the page's width


def draw(sweep: Sweep, theme: Theme) -> "Figure":
    """The figure of *sweep*, which has a measured size at least."""
    head = Head(
        title=f"{short(sweep.model)}: energy and speed over the batch size",
        heading=heading(sweep.machine, sweep.judgements),
        notes=notes(sweep),
    )
    figure = page(head, width_in=7.5, body_in=5.4, theme=theme)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    _draw_energy(upper, sweep, theme)
    _draw_speed(lower, sweep, theme)
    steps_of_two(lower, _all_sizes(sweep), room=_NUMBERS)
    lower.set_xlabel("batch size")
    for axes in (upper, lower):
        _mark_lost(axes, sweep, theme)
        _mark_saturation(axes, sweep, theme)
    upper.legend(loc="best")
    return figure


def notes(sweep: Sweep) -> tuple[str, ...]:
    """What the figure says, in words."""
    first, tied, saturated = best(sweep.sizes), ties(sweep.sizes), saturation(sweep.sizes)
    told = [
        f"Best: {first.batch_size}, {to_text(first.energy_per_sample_j, 'J')} a sample"
        + (f"; {_sizes_text(tied)} can't be told from it, their intervals overlap." if tied else ".")
    ]
    if saturated is not None:
        told.append(
            f"Saturated past {saturated}: the next size gains less than {100 * LEAST_GAIN:g} % in samples/s "
            "and saves no joules."
        )
    if first.batch_size == max(_all_sizes(sweep)):
        told.append("The best is the largest size measured: a larger one may be better.")
    told += [f"Without joules: {short(size.name)} ({short(size.because)})." for size in sweep.lost]
    if sweep.missing:
        told.append(
            f"No record at {_sizes_text(sweep.missing)}, which other models of the run have: skipped (out of "
            "memory, for instance) or not run."
        )
    bars = f"{INTERVAL_NOTE} for joules; slowest and fastest round for samples/s."
    return (*told, bars)


def _sizes_text(sizes: Iterable[int]) -> str:
    return listed([str(size) for size in sizes])


def _all_sizes(sweep: Sweep) -> list[float]:
    lost = [size.batch_size for size in sweep.lost if size.batch_size is not None]
    return [float(size) for size in (*(size.batch_size for size in sweep.sizes), *lost, *sweep.missing)]


def _draw_energy(axes: "Axes", sweep: Sweep, theme: Theme) -> None:
    sizes = sweep.sizes
    first, tied = best(sizes), ties(sizes)
    energies_j = [size.energy_per_sample_j for size in sizes]
    axes.errorbar(
        [size.batch_size for size in sizes],
        energies_j,
        yerr=(
            [size.energy_per_sample_j - size.interval_j[0] for size in sizes],
            [size.interval_j[1] - size.energy_per_sample_j for size in sizes],
        ),
        fmt="o-",
        color=theme.first,
        ms=5,
        lw=1.2,
        capsize=3,
        label=joules_label(sweep.provenance, "sample"),
    )
    axes.plot(
        first.batch_size,
        first.energy_per_sample_j,
        "*",
        color=theme.second,
        ms=13,
        mec=theme.paper,
        zorder=4,
        label=f"best: {first.batch_size}",
    )
    equals = [size for size in sizes if size.batch_size in tied]
    if equals:
        axes.plot(
            [size.batch_size for size in equals],
            [size.energy_per_sample_j for size in equals],
            "D",
            color=theme.second,
            ms=10,
            mfc="none",
            mew=1.5,
            zorder=4,
            label=f"tie with it: {_sizes_text(tied)}",
        )
    axes.margins(y=0.12)
    scale(axes.yaxis, energies_j, unit="J")
    axes.set_ylabel(joules_label(sweep.provenance, "sample"))


def _draw_speed(axes: "Axes", sweep: Sweep, theme: Theme) -> None:
    sizes = sweep.sizes
    speeds = [size.samples_per_s for size in sizes]
    axes.errorbar(
        [size.batch_size for size in sizes],
        speeds,
        yerr=(
            [max(0.0, size.samples_per_s - size.samples_per_s_range[0]) for size in sizes],
            [max(0.0, size.samples_per_s_range[1] - size.samples_per_s) for size in sizes],
        ),
        fmt="s-",
        color=theme.third,
        ms=5,
        lw=1.2,
        capsize=3,
        label="samples/s",
    )
    axes.margins(y=0.12)
    scale(axes.yaxis, speeds)
    axes.set_ylabel("samples/s")


def _mark_lost(axes: "Axes", sweep: Sweep, theme: Theme) -> None:
    """A cross at the foot of the axes for each size that has no joules, by why."""
    told = [
        (batch_size, size.is_out_of_memory)
        for size in sweep.lost
        if (batch_size := size.batch_size) is not None
    ]
    kinds = (
        ("out of memory", "X", [batch_size for batch_size, is_too_large in told if is_too_large]),
        ("without joules", "P", [batch_size for batch_size, is_too_large in told if not is_too_large]),
        ("no record", "x", list(sweep.missing)),
    )
    for word, mark, sizes in kinds:
        if sizes:
            axes.plot(
                sizes,
                [0.05] * len(sizes),
                mark,
                color=theme.ink,
                ms=8,
                ls="none",
                transform=axes.get_xaxis_transform(),
                label=word,
            )


def _mark_saturation(axes: "Axes", sweep: Sweep, theme: Theme) -> None:
    saturated = saturation(sweep.sizes)
    if saturated is not None:
        axes.axvline(
            saturated, color=theme.ink, ls=(0, (4, 3)), lw=1.0, zorder=1, label=f"saturated past {saturated}"
        )
