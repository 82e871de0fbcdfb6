"""How metrics rank the joules of a sample: in each column, and in all of them. Pure.

Rule 1: `within` is the rho of all columns: rows are ranked in their own column, and the rhos are averaged.
    `all`, of gross joules, ranks the rows of all columns as one table, and so mixes what a machine needs with
    what a row does.
Rule 2: rows of a model with several settings, and the same row in several columns, are not independent.
    Intervals resample models and settings, and p is of orders within models.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.metrics.table import METRICS, is_ranked
from pytest_energy.stats.blocked import with_p_within, within_blocks
from pytest_energy.stats.correlate import Correlation, doubled_ranks, spearman
from pytest_energy.study.rows import Group, Row
from pytest_energy.study.samples import ENERGIES, Energy

SEED = 281

WITHIN, ALL = "within", "all"
"""Places of a rho besides the columns."""

_NOT_OF_MODEL = {"energy_per_sample_j"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rho:
    """Spearman's rho of one metric with the joules of a sample.

    Attributes:
        place: Label of a column, `within` or `all`.
        within_models: Mean rho among the settings of one model each; `None` where models have one setting.
        paper: The paper's rho by its hardware, with the joules that it ranks.
    """

    group: str
    metric: str
    energy: Energy
    place: str
    correlation: Correlation
    within_models: float | None
    paper: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Point:
    """A row in one column."""

    place: str
    row: Row
    value: float
    energy_j: float


def paper_of(group: Group) -> Mapping[str, Mapping[str, float]]:
    """The paper's hardware to its rhos; nothing for a group that the paper doesn't have."""
    return PAPER_RHO.get(group.name, {})


def metrics_of(group: Group) -> tuple[str, ...]:
    """The paper's metrics for such a group, then others that describe a model, as far as a cell has them."""
    met = dict.fromkeys(name for row in group.rows for cell in row.cells.values() for name in cell.metrics)
    papers = dict.fromkeys(name for rhos in paper_of(group).values() for name in rhos)
    own = [name for name in METRICS if name in met and is_ranked(name)]
    others = [name for name in met if name not in METRICS and is_ranked(name) and name not in _NOT_OF_MODEL]
    names = dict.fromkeys((*papers, *own, *others))
    return tuple(name for name in names if name in papers or _points(group, name, "gross"))


def rhos_of(group: Group, labels: Sequence[str]) -> tuple[Rho, ...]:
    """Every rho of *group*: by metric, kind of joules and place."""
    return tuple(_rhos(group, labels))


def _rhos(group: Group, labels: Sequence[str]) -> Iterator[Rho]:
    paper = paper_of(group)
    for metric in metrics_of(group):
        known = {name: rhos[metric] for name, rhos in paper.items() if metric in rhos}
        for energy in ENERGIES:
            points = _points(group, metric, energy)
            for place in (*labels, WITHIN, *([ALL] if energy == "gross" else [])):
                own = [one for one in points if place in (one.place, WITHIN, ALL)]
                yield Rho(
                    group=group.name,
                    metric=metric,
                    energy=energy,
                    place=place,
                    correlation=_correlation(own, place, is_crossed=group.is_crossed),
                    within_models=_within_models(own) if group.is_crossed else None,
                    paper=known,
                )


def _points(group: Group, metric: str, energy: Energy) -> list[_Point]:
    return [
        _Point(place, row, value, energy_j)
        for row in group.rows
        for place, cell in row.cells.items()
        if (value := cell.metrics.get(metric)) is not None
        and (energy_j := cell.energies_j[energy]) is not None
    ]


def _correlation(points: Sequence[_Point], place: str, *, is_crossed: bool) -> Correlation:
    x, y = _ranks([one.value for one in points]), _ranks([one.energy_j for one in points])
    places = tuple(one.place for one in points)
    models, settings = tuple(one.row.model for one in points), tuple(one.row.setting for one in points)
    rows = tuple(one.row.label for one in points)
    has_columns = len({*places}) > 1
    factors = (models, settings) if is_crossed else (rows,) if has_columns else ()
    if place == WITHIN and has_columns:
        return _within(x, y, places, factors)
    return _over_all(x, y, (*factors, places) if has_columns else factors, models if is_crossed else ())


def _ranks(values: Sequence[float]) -> tuple[int, ...]:
    """Ranks of *values*: columns that rank alike have one rho, worked out once."""
    return tuple(doubled_ranks(values).tolist()) if values else ()


@lru_cache(maxsize=4096)
def _within(
    x: tuple[float, ...], y: tuple[float, ...], places: tuple[str, ...], factors: tuple[tuple[str, ...], ...]
) -> Correlation:
    return within_blocks(x, y, places, seed=SEED, factors=factors)


@lru_cache(maxsize=4096)
def _over_all(
    x: tuple[float, ...], y: tuple[float, ...], factors: tuple[tuple[str, ...], ...], models: tuple[str, ...]
) -> Correlation:
    found = spearman(x, y, seed=SEED, factors=factors)
    is_one_column = models and len(factors) == 2
    return with_p_within(found, x, y, models, seed=SEED) if is_one_column else found


def _within_models(points: Sequence[_Point]) -> float | None:
    """Mean of the rhos among the settings of one model in one column."""
    by_model: dict[tuple[str, str], list[_Point]] = {}
    for one in points:
        by_model.setdefault((one.place, one.row.model), []).append(one)
    rhos = [
        found.rho
        for own in by_model.values()
        if len(own) > 2
        for found in (_quick([one.value for one in own], [one.energy_j for one in own]),)
        if found.rho is not None
    ]
    return fmean(rhos) if rhos else None


def _quick(x: Sequence[float], y: Sequence[float]) -> Correlation:
    return _over_all(_ranks(x), _ranks(y), (), ())
