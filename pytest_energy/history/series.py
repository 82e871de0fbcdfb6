"""Points that can be compared with one another, in their order. Pure.

Rule 1: a series is of one test on one machine key, of one provenance, in one unit, with equal facts: what may
    not be compared is never on one line.
Rule 2: where the length of answers is free, points are of one series if their mean lengths are within 1 % of
    the first one's: shorter answers are no lower level.
Rule 3: a point without joules can't say what it would have been comparable with: it is in the series that its
    test has on its machine at that place.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_energy.baselines.machine import MEAN_LENGTH, MOST_LENGTH_CHANGE
from pytest_energy.history.commits import Commits
from pytest_energy.history.points import Point
from pytest_energy.model import Provenance

Unit = Literal["round", "sample"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point in its series.

    Attributes:
        value: Joules per unit, or a ratio; `None` if there is none.
        uncertainty: Standard uncertainty of *value*.
        why_unused: Why no level rests on it, or empty.
    """

    point: Point
    value: float | None
    uncertainty: float
    why_unused: str = ""

    @property
    def level(self) -> float:
        """Logarithm of the value of a mark that levels rest on."""
        return math.log(self.value or math.nan)

    @property
    def own_sd(self) -> float:
        """Relative standard uncertainty of such a mark."""
        return self.uncertainty / (self.value or math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """The marks of one test that can be compared, the oldest first.

    Attributes:
        channels: What its joules are of.
        differs: Facts of this series that another one of its test has otherwise: name and value.
    """

    test_id: str
    machine_key: str
    provenance: Provenance
    unit: Unit
    channels: str
    marks: tuple[Mark, ...]
    differs: tuple[tuple[str, str], ...] = ()

    @property
    def used(self) -> tuple[Mark, ...]:
        """The marks that levels rest on."""
        return tuple(mark for mark in self.marks if not mark.why_unused)


_Key = tuple[str, str, Provenance, Unit, tuple[tuple[str, str], ...]]


def series_of(points: Iterable[Point], commits: Commits) -> tuple[Series, ...]:
    """The series that *points* make, in the order in which each begins."""
    listed = list(_with_lengths(commits.ordered(points)))
    per_sample = {point.test_id for point in listed if point.is_per_sample}
    keys = _keys(listed, per_sample)
    groups: dict[_Key, list[Point]] = {}
    for point, key in zip(listed, keys, strict=True):
        groups.setdefault(key, []).append(point)
    return _told_apart([_series(key, members, commits) for key, members in groups.items()], list(groups))


def _with_lengths(points: Iterable[Point]) -> Iterator[Point]:
    """*points*, with a free length among the facts: that of the first point whose length is near (rule 2)."""
    lengths: dict[tuple[str, str], list[float]] = {}
    for point in points:
        own = point.free_length
        if own is None:
            yield point
            continue
        known = lengths.setdefault((point.test_id, point.machine.key), [])
        near = next((length for length in known if abs(own / length - 1) <= MOST_LENGTH_CHANGE), None)
        if near is None:
            known.append(own)
        fact = (MEAN_LENGTH, f"{own if near is None else near:.4g} tokens")
        yield replace(point, facts=tuple(sorted((*point.facts, fact))))


def _keys(points: Sequence[Point], per_sample: set[str]) -> list[_Key]:
    """The series of each of *points*: rule 3 for those without joules."""
    own = [None if point.energy_j is None else _key(point, per_sample) for point in points]
    nearest: dict[tuple[str, str], _Key] = {}
    # The first series of a test takes what is before it too: filled from behind, then from the front.
    for point, key in zip(reversed(points), reversed(own), strict=True):
        if key is not None:
            nearest[point.test_id, point.machine.key] = key
    keys = []
    for point, key in zip(points, own, strict=True):
        place = (point.test_id, point.machine.key)
        nearest[place] = key or nearest.get(place) or _key(point, per_sample)
        keys.append(nearest[place])
    return keys


def _key(point: Point, per_sample: set[str]) -> _Key:
    is_per_sample = point.test_id in per_sample and point.samples is not None
    free = {"samples"} if is_per_sample else set()
    facts = tuple(fact for fact in point.facts if fact[0] not in free)
    unit: Unit = "sample" if is_per_sample else "round"
    return point.test_id, point.machine.key, point.provenance, unit, facts


def _series(key: _Key, points: Sequence[Point], commits: Commits) -> Series:
    test_id, machine_key, provenance, unit, facts = key
    return Series(
        test_id=test_id,
        machine_key=machine_key,
        provenance=provenance,
        unit=unit,
        channels=dict(facts).get("channels", ""),
        marks=tuple(_mark(point, unit, is_aside=commits.is_aside(point)) for point in points),
    )


def _mark(point: Point, unit: Unit, *, is_aside: bool) -> Mark:
    count = (point.samples or 1) if unit == "sample" else 1
    why = point.why_unused or ("its commit is not in the history of HEAD" if is_aside else "")
    return Mark(
        point=point,
        value=None if point.energy_j is None else point.energy_j / count,
        uncertainty=point.uncertainty_j / count,
        why_unused=why,
    )


def _told_apart(series: Sequence[Series], keys: Sequence[_Key]) -> tuple[Series, ...]:
    """*series* with what each has otherwise than the others of its test and machine."""
    facts: dict[tuple[str, str], list[frozenset[tuple[str, str]]]] = {}
    for key in keys:
        facts.setdefault(key[:2], []).append(frozenset(key[4]))
    return tuple(
        replace(one, differs=tuple(sorted(set(key[4]) - frozenset.intersection(*facts[key[:2]]))))
        for one, key in zip(series, keys, strict=True)
    )
