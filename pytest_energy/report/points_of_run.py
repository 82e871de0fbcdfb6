"""The operating points of a run: of each sweep of batch sizes, and of each model's request rates. Pure.

Rule 1: the latency of a batch is the seconds of a step in the slowest round; that of a rate is the 99th
percentile of its requests, end to end.
Rule 2: a rate that the server fell behind at is no operating point.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance
from pytest_energy.report import batch, rates
from pytest_energy.report.view import View
from pytest_energy.stats.operating_point import OperatingPoint, SweptSetting


@dataclass(frozen=True, slots=True, kw_only=True)
class PointOfModel:
    """The operating point of one model."""

    model: str
    provenance: Provenance
    point: OperatingPoint


def points(run: View, *, default: str | None, most_latency_s: float | None) -> Iterator[PointOfModel]:
    """Each sweep of several settings in *run*, with its best setting."""
    for model, provenance, what, settings in (*_sizes(run), *_rates(run)):
        point = OperatingPoint(
            settings=tuple(settings), default=default, most_latency_s=most_latency_s, what=what
        )
        yield PointOfModel(model=model, provenance=provenance, point=point)


_Found = tuple[str, Provenance, str, list[SweptSetting]]


def _sizes(run: View) -> Iterator[_Found]:
    for sweep in batch.sweeps(run):
        if len(sweep.judgements) < 2:
            continue  # a sweep of one test has its best setting in its own record
        sized = [(batch.batch_size_of(one.record), one) for one in sweep.judgements]
        known = sorted(((size, one) for size, one in sized if size is not None), key=lambda pair: pair[0])
        yield sweep.model, sweep.provenance, sweep.what, [_of_size(size, one) for size, one in known]


def _of_size(size: int, judgement: Judgement) -> SweptSetting:
    return _setting(str(size), judgement, call_count=(judgement.record.samples or size) / size)


def _rates(run: View) -> Iterator[_Found]:
    for series in rates.rate_series(run):
        rated = [(rates.rate_of(one.record), one) for one in series.judgements]
        known = sorted(((rate, one) for rate, one in rated if rate is not None), key=lambda pair: pair[0])
        if len(known) > 1:
            settings = [_of_rate(rate, one) for rate, one in known]
            yield series.model, series.provenance, "request rate", settings


def _of_rate(rate: float, judgement: Judgement) -> SweptSetting:
    record = judgement.record
    setting = _setting(f"{rate:g}", judgement)
    if record.saturated_because is not None:
        return SweptSetting(name=setting.name, absent_because=f"saturated: {record.saturated_because}")
    latency_s = record.metrics.get("e2e_p99_s")
    return replace(setting, durations_s=() if latency_s is None else (latency_s,))


def _setting(name: str, judgement: Judgement, *, call_count: float = 1.0) -> SweptSetting:
    """The joules per sample of a test's rounds, or why there are none."""
    record = judgement.record
    if record.samples is None:
        return SweptSetting(name=name, absent_because="the test gives no number of samples")
    if not record.is_measured:
        return SweptSetting(name=name, absent_because=record.absent.get("energy_j") or judgement.reason)
    return SweptSetting.of(name, record.usable_rounds, samples=record.samples, call_count=call_count)
