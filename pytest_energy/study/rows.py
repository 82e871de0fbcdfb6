"""The rows of a study: a model in one setting, and what it used in each column. Pure.

Rule 1: several tests of one cell are averaged if they did the same work. If not, the row is split, and named
    by the fewest facts that separate the works. Another engine is another row in any case.
Rule 2: a cell without joules is absent in every table, and its reason is kept. Net and active joules are of
    the same tests as the gross ones, or absent.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_energy.errors import SettingsError
from pytest_energy.study.samples import ENERGIES, ENGINE, Energy, Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What a sample used in one column: means over the tests of the cell."""

    energies_j: Mapping[Energy, float | None]
    metrics: Mapping[str, float | None]
    samples: tuple[Sample, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One model in one setting.

    Attributes:
        work: The facts that separate it from a row of the same model and setting; else empty.
        cells: Label of a column to its cell.
    """

    model: str
    setting: str
    work: str
    cells: Mapping[str, Cell]

    @property
    def label(self) -> str:
        return " ".join(part for part in (self.model, self.setting, self.work) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The rows of one group, in the order met.

    Attributes:
        unit: What a sample is.
        is_crossed: Models have several settings each, so that rows share models and settings.
    """

    name: str
    unit: str
    rows: tuple[Row, ...]

    @property
    def is_crossed(self) -> bool:
        models = [row.model for row in self.rows]
        return len({*models}) < len(models)


def groups_of(columns: Mapping[str, Sequence[Sample]]) -> tuple[Group, ...]:
    """The groups of the samples by column that have joules.

    Raises:
        SettingsError: The samples of one group are requests in one run and something else in another.
    """
    names = dict.fromkeys(
        one.group for own in columns.values() for one in own if one.energies_j["gross"] is not None
    )
    return tuple(
        _group(name, {label: [one for one in own if one.group == name] for label, own in columns.items()})
        for name in names
    )


def _group(name: str, columns: Mapping[str, Sequence[Sample]]) -> Group:
    everything = [one for own in columns.values() for one in own]
    _check_unit(name, everything)
    keys = dict.fromkeys((one.model, one.setting) for one in everything)
    rows: list[Row] = []
    for model, setting in keys:
        own = {
            label: [one for one in samples if (one.model, one.setting) == (model, setting)]
            for label, samples in columns.items()
        }
        rows += _rows(model, setting, {label: found for label, found in own.items() if found})
    return Group(name=name, unit=everything[0].unit, rows=tuple(rows))


def _check_unit(name: str, samples: Sequence[Sample]) -> None:
    first = samples[0]
    other = next((one for one in samples if one.unit != first.unit), None)
    if other is not None:
        raise SettingsError(
            f"group {name} mixes joules per {first.unit} ({first.record.test_id} in {first.run}) and per "
            f"{other.unit} ({other.record.test_id} in {other.run}): they can't be ranked together. "
            "Remove one of the files, or give its group another name: --as OLD=NEW"
        )


def _rows(model: str, setting: str, cells: Mapping[str, Sequence[Sample]]) -> Iterable[Row]:
    """One row, or one for each work where a cell holds several."""
    works = [[dict(one.work) for one in own] for own in cells.values()]
    engines = {work[ENGINE] for own in works for work in own}
    facts = separating_facts(works, [ENGINE] if len(engines) > 1 else [])
    found: dict[str, dict[str, list[Sample]]] = {}
    for label, own in cells.items():
        for one in own:
            work = dict(one.work)
            text = ", ".join(f"{fact} {work.get(fact, 'unknown')}" for fact in facts)
            found.setdefault(text, {}).setdefault(label, []).append(one)
    for text, by_label in found.items():
        yield Row(
            model=model,
            setting=setting,
            work=text,
            cells={label: _cell(own) for label, own in by_label.items()},
        )


def separating_facts(
    cells: Sequence[Sequence[Mapping[str, str]]], known: Sequence[str] = ()
) -> tuple[str, ...]:
    """The *known* facts and the fewest others that separate the different works of each of *cells*.

    >>> separating_facts([[{"attention": "flash", "seed": "1"}, {"attention": "eager", "seed": "2"}]])
    ('attention',)
    """
    chosen = tuple(known)
    names = list(dict.fromkeys(name for works in cells for work in works for name in work))
    wanted = _part_count(cells, names)
    while _part_count(cells, chosen) < wanted:
        counts = {name: _part_count(cells, (*chosen, name)) for name in names if name not in chosen}
        chosen = (*chosen, max(counts, key=lambda name: counts[name]))
    return chosen


def _part_count(cells: Sequence[Sequence[Mapping[str, str]]], names: Sequence[str]) -> int:
    return sum(len({tuple(work.get(name) for name in names) for work in works}) for works in cells)


def _cell(samples: Sequence[Sample]) -> Cell:
    names = dict.fromkeys(name for one in samples for name in one.record.metrics)
    measured = [one for one in samples if one.energies_j["gross"] is not None]
    return Cell(
        energies_j={
            kind: None
            if any(one.energies_j[kind] is None for one in measured)
            else _mean(one.energies_j[kind] for one in measured)
            for kind in ENERGIES
        },
        metrics={name: _mean(one.record.metrics.get(name) for one in samples) for name in names},
        samples=tuple(samples),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(present) / len(present) if present else None
