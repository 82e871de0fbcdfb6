"""Energy per request over the request rate, model by model, as the figure shows it. Pure.

Rule 1: a rate past saturation is reported and drawn, and is not in the fit.
Rule 2: what the run does not say of saturation is not guessed from rates: a load's tail looks the same.
"""

import re
from dataclasses import asdict, dataclass, field

from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.per_sample import Judged, PerSample, by_model, per_sample
from pytest_energy.stats.rate_fit import RateFit, fit_rates

GROUP = "requests"
"""The group of the tests of a load; each has the metric `request_rate`."""

_AT_RATE = re.compile(r"@(?P<rate>\d+(\.\d+)?(e[+-]?\d+)?)/s$")


@dataclass(frozen=True, slots=True, kw_only=True)
class RatePoint(PerSample):
    """Joules of a request at one rate.

    Attributes:
        rate: Requests per second that were asked for.
        saturated_because: Why the server did not keep up, or `None`.
    """

    rate: float
    saturated_because: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSeries:
    """The rates of one model.

    Attributes:
        model: Without the rate.
        points: Those with joules, ascending.
        lost: Of the others, what each is called and why it has none.
        judgements: All that the series is made of.
    """

    model: str
    provenance: Provenance
    points: tuple[RatePoint, ...]
    lost: tuple[tuple[str, str], ...]
    judgements: tuple[Judgement, ...] = field(repr=False)

    @property
    def fitted_points(self) -> tuple[RatePoint, ...]:
        """The points that the server is not known to have fallen behind at."""
        return tuple(point for point in self.points if point.saturated_because is None)

    @property
    def saturated_points(self) -> tuple[RatePoint, ...]:
        return tuple(point for point in self.points if point.saturated_because is not None)


def rate_series(run: Judged) -> tuple[RateSeries, ...]:
    """Every model's rates in the group `requests` of *run*, in the order met."""
    return tuple(_series(model, judgements) for model, judgements in by_model(run, GROUP, model_of))


def fit(series: RateSeries) -> RateFit | str:
    """The fit over the unsaturated rates, or why there is none."""
    points = series.fitted_points
    try:
        return fit_rates(
            [point.rate for point in points],
            [point.energy_j for point in points],
            [point.uncertainty_j for point in points],
        )
    except NotMeasurable as error:
        return str(error)


def _series(model: str, judgements: tuple[Judgement, ...]) -> RateSeries:
    named = [(one.record.model or one.record.test_id, _point(one)) for one in judgements]
    points = [point for _, point in named if isinstance(point, RatePoint)]
    return RateSeries(
        model=model,
        provenance=judgements[0].record.provenance,
        points=tuple(sorted(points, key=lambda point: point.rate)),
        lost=tuple((name, because) for name, because in named if isinstance(because, str)),
        judgements=judgements,
    )


def _point(judgement: Judgement) -> RatePoint | str:
    """The point, or why there is none."""
    spent, rate = per_sample(judgement, samples="requests"), rate_of(judgement.record)
    if isinstance(spent, str):
        return spent
    if rate is None or not rate > 0:
        return "the test has no request_rate"
    return RatePoint(rate=rate, saturated_because=judgement.record.saturated_because or None, **asdict(spent))


def rate_of(record: Record) -> float | None:
    """Requests per second: the metric, else what the model's name ends in (`1B@16/s`)."""
    recorded = record.metrics.get("request_rate")
    if recorded is not None:
        return recorded
    match = _AT_RATE.search(record.model or "")
    return float(match["rate"]) if match else None


def model_of(record: Record) -> str:
    """The model's name without the rate."""
    return _AT_RATE.sub("", record.model or record.test_id.partition("[")[2].removesuffix("]")) or "model"
