"""Joules over the batch size and over the request rate, machine by machine. Pure.

Rule 1: what is best, tied, saturated and fitted is judged by `report.batch` and `report.rates`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.judgement import Judgement
from pytest_energy.report.batch import Sweep, sweeps
from pytest_energy.report.rates import RateSeries, fit, rate_series
from pytest_energy.stats.rate_fit import RateFit
from pytest_energy.study.samples import Run

ColumnOf = Callable[[Run, Judgement], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchCurve:
    """The batch sizes of one model in one column, of which one at least has joules."""

    place: str
    run: str
    sweep: Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class RateCurve:
    """The request rates of one model in one column, of which one at least has joules.

    Attributes:
        fit: Power shared by all requests and joules of each, or why there is no fit.
    """

    place: str
    run: str
    series: RateSeries
    fit: RateFit | str


def batch_curves(
    runs: Iterable[Run], column_of: ColumnOf, chosen: Sequence[str] = ()
) -> tuple[BatchCurve, ...]:
    """Those of the groups *chosen*, or of all."""
    return tuple(
        BatchCurve(place=column_of(run, sweep.judgements[0]), run=run.name, sweep=sweep)
        for run in runs
        for sweep in sweeps(run)
        if sweep.sizes and _is_chosen(sweep.judgements[0], chosen)
    )


def rate_curves(
    runs: Iterable[Run], column_of: ColumnOf, chosen: Sequence[str] = ()
) -> tuple[RateCurve, ...]:
    """Those of the groups *chosen*, or of all."""
    return tuple(
        RateCurve(place=column_of(run, series.judgements[0]), run=run.name, series=series, fit=fit(series))
        for run in runs
        for series in rate_series(run)
        if series.points and _is_chosen(series.judgements[0], chosen)
    )


def _is_chosen(judgement: Judgement, chosen: Sequence[str]) -> bool:
    return not chosen or judgement.record.group in chosen


def by_model(curves: Iterable[BatchCurve | RateCurve]) -> Mapping[str, list[BatchCurve | RateCurve]]:
    """The curves of each model, in the order met."""
    found: dict[str, list[BatchCurve | RateCurve]] = {}
    for one in curves:
        found.setdefault(model_of(one), []).append(one)
    return found


def model_of(curve: BatchCurve | RateCurve) -> str:
    return curve.sweep.model if isinstance(curve, BatchCurve) else curve.series.model


def points_of(curve: BatchCurve | RateCurve) -> Iterator[tuple[float, float, tuple[float, float]]]:
    """Size or rate, joules of a sample, and their 95 % interval."""
    if isinstance(curve, BatchCurve):
        for size in curve.sweep.sizes:
            yield float(size.batch_size), size.energy_j, size.interval_j
    else:
        for point in curve.series.points:
            yield point.rate, point.energy_j, point.interval_j
