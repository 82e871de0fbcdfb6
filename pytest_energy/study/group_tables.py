"""The tables of one group of a study: joules of its rows, and how each metric ranks them. Pure.

Rule 1: a rho of fewer than five rows is in the list of every rho alone, with its n.
"""

from collections.abc import Iterable, Iterator, Sequence

from pytest_energy.report import cells
from pytest_energy.report.html.tables import paper_notes_of
from pytest_energy.report.view import MetricCorrelation
from pytest_energy.stats.correlate import LEAST_ROW_COUNT
from pytest_energy.study.ranking import ALL, WITHIN, Rho, paper_of
from pytest_energy.study.rows import Cell, Group
from pytest_energy.study.samples import ENERGIES, Energy
from pytest_energy.study.section import MOST_COLUMNS, Section, chunks, joules_text, short_name
from pytest_energy.study.study import Study

_OF_WORK = {"work_done", "overall_efficiency", "work_per_unit_power"}

_POOLED = (
    f"{WITHIN}: rows are ranked in their own column; the rhos are averaged, weighted by their rows less 1.",
    f"{ALL}: the rows of all columns are ranked as one table.",
)


def sections_of_group(study: Study, group: Group) -> Iterator[Section]:
    labels = [one for one in study.labels if any(one in row.cells for row in group.rows)]
    rhos = [rho for rho in study.rhos if rho.group == group.name and rho.place in (*labels, WITHIN, ALL)]
    for number, chunk in enumerate(chunks(labels, MOST_COLUMNS)):
        yield Section(
            part="" if number else f"Group {group.name}",
            title=f"{group.name}: joules per {group.unit}",
            heads=("model", *chunk),
            rows=tuple(
                (short_name(row.label), *(joules_text(row.cells.get(one), "gross") for one in chunk))
                for row in group.rows
                if any(one in row.cells for one in chunk)
            ),
            notes=(*_absent_notes(group, chunk), *_saturated_notes(group, chunk)),
        )
    if not any(rho.correlation.rho is not None for rho in rhos):
        return
    yield from _by_column(group, labels, rhos)
    yield _by_energy(group, rhos)
    yield from _each_rho(group, labels, rhos)


def _saturated_notes(group: Group, places: Sequence[str]) -> Iterator[str]:
    for place in places:
        names = [row.label for row in group.rows if place in row.cells and _is_saturated(row.cells[place])]
        if names:
            yield f"saturated on {place}: {', '.join(map(short_name, names))}"


def _is_saturated(cell: Cell) -> bool:
    return any(one.record.saturated_because is not None for one in cell.samples)


def _by_column(group: Group, labels: Sequence[str], rhos: Sequence[Rho]) -> Iterator[Section]:
    """Rho with gross joules in each column."""
    found = {(one.metric, one.place): one for one in rhos if one.energy == "gross"}
    metrics = dict.fromkeys(one.metric for one in rhos)
    pooled = (WITHIN, ALL) if len(labels) > 1 else ()
    for chunk in chunks(labels, MOST_COLUMNS):
        yield Section(
            title=f"{group.name}: rho with gross joules per {group.unit}",
            heads=("metric", *chunk, *pooled),
            rows=tuple(
                (metric, *(_rho_of_many(found[metric, place]) for place in (*chunk, *pooled)))
                for metric in metrics
            ),
            notes=(
                *(_POOLED if pooled else ()),
                *_few_notes(chunk, found.values()),
                *_work_notes(group, chunk),
            ),
        )


def _rho_of_many(rho: Rho) -> str:
    """Of two to four rows a rho is in the list of every rho alone: there its n is beside it."""
    return cells.ABSENT if rho.correlation.n < LEAST_ROW_COUNT else _texts(rho)[0]


def _few_notes(places: Sequence[str], rhos: Iterable[Rho]) -> Iterator[str]:
    few = {one.place for one in rhos if 1 < one.correlation.n < LEAST_ROW_COUNT}
    if names := [one for one in places if one in few]:
        yield f"Fewer than {LEAST_ROW_COUNT} rows are not shown here: {', '.join(names)}."


def _work_notes(group: Group, places: Sequence[str]) -> Iterator[str]:
    """What is of a round or of an epoch, as each run defines it, is not comparable between runs."""
    for place in places:
        cells_of = [row.cells[place] for row in group.rows if place in row.cells]
        runs = {one.run for cell in cells_of for one in cell.samples if _OF_WORK & {*one.record.metrics}}
        if len(runs) > 1:
            yield (
                f"{place} joins {len(runs)} runs: {', '.join(sorted(_OF_WORK))} compare models only if a "
                "round or an epoch has equal work in all of them."
            )


def _by_energy(group: Group, rhos: Sequence[Rho]) -> Section:
    """Rho with each kind of joules, all columns together, beside the paper's."""
    found = {(one.metric, one.energy): one for one in rhos if one.place == WITHIN}
    hardware = list(paper_of(group))
    rows = tuple(
        (
            metric,
            *(_texts(found[metric, energy])[0] for energy in ENERGIES),
            *_texts(found[metric, "gross"], hardware)[4:],
        )
        for metric in dict.fromkeys(one.metric for one in rhos)
    )
    return Section(
        title=f"{group.name}: rho with gross, net and active joules, all columns ({WITHIN})",
        heads=("metric", *ENERGIES, *(f"paper {name}" for name in hardware)),
        rows=rows,
        notes=(
            f"Rows: {', '.join(f'{energy} {n}' for energy, n in _row_counts(found.values()).items())}.",
            "net: above idle power. active: above ready power, the power of an open device without work.",
            *paper_notes_of(hardware),
        ),
    )


def _row_counts(rhos: Iterable[Rho]) -> dict[Energy, int]:
    """Most rows of any metric, by kind of joules: what is missing differs between kinds."""
    counts: dict[Energy, int] = {}
    for one in rhos:
        counts[one.energy] = max(counts.get(one.energy, 0), one.correlation.n)
    return counts


def _each_rho(group: Group, labels: Sequence[str], rhos: Sequence[Rho]) -> Iterator[Section]:
    """Every rho with its interval and p."""
    places = [*labels, *((WITHIN, ALL) if len(labels) > 1 else ())]
    own = [one for one in rhos if one.place in places and one.correlation.rho is not None]
    rows = tuple(
        (one.metric, one.place, one.energy, *(texts := _texts(one))[1:2], texts[0], texts[3], texts[2])
        for one in own
    )
    names: dict[str, list[str]] = {}
    for one in own:
        if one.correlation.note:
            names.setdefault(one.correlation.note, []).append(one.metric)
    notes = (f"{note}: {', '.join(dict.fromkeys(metrics))}" for note, metrics in names.items())
    yield Section(
        title=f"{group.name}: every rho with its interval",
        heads=("metric", "column", "joules", "n", "rho", "95 % interval", "p"),
        rows=rows,
        notes=(
            *(
                ("Intervals resample models and settings; p is of orders within each model.",)
                if group.is_crossed
                else ("Intervals resample models.",)
            ),
            *notes,
        ),
        is_folded=True,
    )


def _texts(rho: Rho, hardware: Sequence[str] = ()) -> list[str]:
    """Rho, n, p, interval, and the paper's rhos."""
    ranked = MetricCorrelation(metric=rho.metric, correlation=rho.correlation, paper=rho.paper)
    return cells.correlation(ranked, hardware)


def _absent_notes(group: Group, labels: Sequence[str]) -> tuple[str, ...]:
    """Why joules of a kind are missing, with the columns."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for row in group.rows:
        for label in labels:
            for one in row.cells[label].samples if label in row.cells else ():
                for energy in ENERGIES:
                    if one.energies_j[energy] is None:
                        reasons.setdefault((energy, one.absent[energy]), []).append(label)
    return tuple(
        cells.printable(f"{energy} joules missing in {', '.join(dict.fromkeys(where))}: {why}")
        for (energy, why), where in reasons.items()
    )
