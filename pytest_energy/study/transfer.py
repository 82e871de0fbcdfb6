"""Whether a ranking of models by their joules is the same on two machines. Pure.

Rule 1: rows are those that both columns have. Of rows with several settings, the setting may decide the order
    alone; so pairs of models in one setting are counted as well.
Rule 2: the work of a row may differ between two columns. What differs is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from pytest_energy.stats.blocked import kendall, with_p_within
from pytest_energy.stats.correlate import Correlation, spearman
from pytest_energy.study.hardware import Hardware
from pytest_energy.study.ranking import SEED
from pytest_energy.study.rows import Group, Row
from pytest_energy.study.samples import ENERGIES, Energy

STRONG = 0.7
"""A rho whose whole interval is above it is called a transfer: half of the variance of ranks is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """How far two columns rank the rows of one group alike.

    Attributes:
        rho: Spearman's, of the joules of a sample.
        tau: Kendall's.
        equal_setting: Pairs of models in one setting: how many are in the same order, and how many there are.
        median_ratio: Joules in the second column over those in the first, the middle row.
        differing: Facts of the work that differ.
    """

    group: str
    energy: Energy
    pair: tuple[str, str]
    rho: Correlation
    tau: Correlation
    equal_setting: tuple[int, int]
    median_ratio: float
    differing: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What it shows, in words."""
        first, second = self.pair
        rho = self.rho
        if rho.rho is None:
            return f"{first} and {second} can't be compared: {rho.note}."
        if rho.ci is None:
            return f"{rho.n} common rows of {first} and {second} are too few to judge a transfer."
        low, high = rho.ci
        found = f"(rho {rho.rho:+.2f}, 95 % {low:+.2f} to {high:+.2f}, n = {rho.n})"
        if low == high:
            found = f"{found[:-1]}: all rows agree, so the interval has no width: judge by p)"
        if low > STRONG:
            return f"The ranking of {first} holds on {second} {found}."
        if low > 0:
            return f"The ranking of {first} holds in part on {second} {found}."
        return f"No transfer of the ranking from {first} to {second} is shown {found}."


def transfers_of(group: Group, columns: Sequence[Hardware]) -> tuple[Transfer, ...]:
    """Each pair of *columns* that have a row of *group* in common, for each kind of joules."""
    return tuple(_transfers(group, [one.label for one in columns]))


def _transfers(group: Group, labels: Sequence[str]) -> Iterator[Transfer]:
    for first, second in combinations(labels, 2):
        for energy in ENERGIES:
            rows = [row for row in group.rows if _has(row, first, energy) and _has(row, second, energy)]
            if rows:
                yield _transfer(group, rows, (first, second), energy)


def _has(row: Row, label: str, energy: Energy) -> bool:
    return label in row.cells and row.cells[label].energies_j[energy] is not None


def _energy_j(row: Row, label: str, energy: Energy) -> float:
    value = row.cells[label].energies_j[energy]
    assert value is not None  # noqa: S101  # by _has
    return value


def _transfer(group: Group, rows: Sequence[Row], pair: tuple[str, str], energy: Energy) -> Transfer:
    x, y = ([_energy_j(row, label, energy) for row in rows] for label in pair)
    models, settings = [row.model for row in rows], [row.setting for row in rows]
    is_crossed = len({*models}) < len(models)
    factors = (models, settings) if is_crossed else ()
    rho = spearman(x, y, seed=SEED, factors=factors)
    return Transfer(
        group=group.name,
        energy=energy,
        pair=pair,
        rho=with_p_within(rho, x, y, models, seed=SEED) if is_crossed else rho,
        tau=kendall(x, y, seed=SEED, factors=factors),
        equal_setting=_equal_setting(settings, x, y) if is_crossed else (0, 0),
        median_ratio=median(b / a for a, b in zip(x, y, strict=True)),
        differing=_differing(rows, pair),
    )


def _equal_setting(settings: Sequence[str], x: Sequence[float], y: Sequence[float]) -> tuple[int, int]:
    pairs = [
        (x[a] - x[b]) * (y[a] - y[b]) > 0
        for a, b in combinations(range(len(x)), 2)
        if settings[a] == settings[b]
    ]
    return sum(pairs), len(pairs)


def _differing(rows: Sequence[Row], pair: tuple[str, str]) -> tuple[str, ...]:
    """Names of facts of the work that both columns know and that differ in a row."""
    names: dict[str, None] = {}
    for row in rows:
        first, second = (dict(row.cells[label].samples[0].work) for label in pair)
        names |= {name: None for name in first if name in second and first[name] != second[name]}
    return tuple(names)
