"""The tables of a study, as texts that every renderer shows. Pure.

Rule 1: no table is wider than 100 characters with five columns; more columns are another table below.
Rule 2: an absent value is `-`, and its reason is below the table.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_energy.report import cells
from pytest_energy.report.batch import best, may_be_best, saturation
from pytest_energy.report.html.tables import paper_notes_of
from pytest_energy.report.text import range_text, with_error
from pytest_energy.report.view import MetricCorrelation
from pytest_energy.stats.correlate import LEAST_ROW_COUNT
from pytest_energy.stats.rate_fit import RateFit
from pytest_energy.study.curves import BatchCurve, RateCurve
from pytest_energy.study.ranking import ALL, WITHIN, Rho, paper_of
from pytest_energy.study.rows import Cell, Group, Row
from pytest_energy.study.samples import ENERGIES, REQUEST, Energy
from pytest_energy.study.study import Study
from pytest_energy.study.transfer import Transfer
from pytest_energy.units import prefix_of, to_text
from pytest_energy.verdict.figures import count_text

MOST_COLUMNS = 5
"""Columns of a study in one table."""

_MOST_PAIRS = 2  # columns of E_tr and E_in, two cells each
_LONGEST = 34  # characters of a row's name
_LONGEST_MODEL = 22  # of a model's, in tables of many figures
_DIGITS = 3

_POOLED = (
    f"{WITHIN}: rows are ranked in their own column; the rhos are averaged, weighted by their rows less 1.",
    f"{ALL}: the rows of all columns are ranked as one table.",
)
_BATCH = (
    "may be best: 95 % interval of the best size.",
    "saturated: above it the next size brings neither speed nor joules.",
)
_FIT = (
    "J/request = shared power / rate + J of each request, fitted over the rates that are not saturated.",
    "shared power: what the machine draws at any rate.",
)
_KINDS = (
    "A sample is an image, or a request (rows that end in a rate).",
    "No served model is trained here, so it has no E_tr.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table under its title.

    Attributes:
        part: Title of the part that it begins; empty where it continues one.
        rows: The first cell of each names it.
        notes: A sentence each.
        is_folded: For readers who want every figure.
    """

    title: str
    part: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    is_folded: bool = False


def sections_of(study: Study) -> tuple[Section, ...]:
    """All tables of *study*, in the order that a reader needs them."""
    return (
        _columns(study),
        *(section for group in study.groups for section in _of_group(study, group)),
        *_transfers(study),
        *_batches(study),
        *_rates(study),
        *_both_kinds(study),
    )


def heading(study: Study) -> str:
    """`3 runs on 2 machines: 40 tests`."""
    tests = sum(one.test_count for one in study.columns)
    machines = len({one.machine.key for one in study.columns})
    return (
        f"{count_text(len(study.runs), 'run')} on {count_text(machines, 'machine')}: "
        f"{count_text(tests, 'test')} in {count_text(len(study.groups), 'group')}"
    )


def _columns(study: Study) -> Section:
    has_part = any(one.part for one in study.columns)
    heads = ("column", "hardware", "joules", "topology", "tests", *(["of"] * has_part))
    rows = tuple(
        (
            one.label,
            one.name,
            one.provenance.value,
            one.topology,
            str(one.test_count),
            *([one.part] * has_part),
        )
        for one in study.columns
    )
    files = tuple(f"{one.label}: {one.machine.key}; {', '.join(one.runs)}" for one in study.columns)
    marks = {cells.mark_text(one.provenance, [one.machine]) for one in study.columns} - {""}
    return Section(
        part="Columns", title="What each column is of", heads=heads, rows=rows, notes=(*files, *sorted(marks))
    )


# ---- one group ----


def _of_group(study: Study, group: Group) -> Iterator[Section]:
    labels = [one for one in study.labels if any(one in row.cells for row in group.rows)]
    rhos = [rho for rho in study.rhos if rho.group == group.name and rho.place in (*labels, WITHIN, ALL)]
    for number, chunk in enumerate(_chunks(labels, MOST_COLUMNS)):
        yield Section(
            part="" if number else f"Group {group.name}",
            title=f"{group.name}: joules per {group.unit}",
            heads=("model", *chunk),
            rows=tuple(
                (_short(row.label), *(_joules(row.cells.get(one), "gross") for one in chunk))
                for row in group.rows
                if any(one in row.cells for one in chunk)
            ),
            notes=_absent_notes(group, chunk),
        )
    if not any(rho.correlation.rho is not None for rho in rhos):
        return
    yield from _by_column(group, labels, rhos)
    yield _by_energy(group, rhos)
    yield from _each_rho(group, labels, rhos)


def _by_column(group: Group, labels: Sequence[str], rhos: Sequence[Rho]) -> Iterator[Section]:
    """Rho with gross joules in each column."""
    found = {(one.metric, one.place): one for one in rhos if one.energy == "gross"}
    metrics = dict.fromkeys(one.metric for one in rhos)
    pooled = (WITHIN, ALL) if len(labels) > 1 else ()
    for chunk in _chunks(labels, MOST_COLUMNS):
        yield Section(
            title=f"{group.name}: rho with gross joules per {group.unit}",
            heads=("metric", *chunk, *pooled),
            rows=tuple(
                (metric, *(_rho_of_many(found[metric, place]) for place in (*chunk, *pooled)))
                for metric in metrics
            ),
            notes=(*(_POOLED if pooled else ()), *_few_notes(chunk, found.values())),
        )


def _rho_of_many(rho: Rho) -> str:
    """Of two to four rows a rho is in the list of every rho alone: there its n is beside it."""
    return cells.ABSENT if rho.correlation.n < LEAST_ROW_COUNT else _texts(rho)[0]


def _few_notes(places: Sequence[str], rhos: Iterable[Rho]) -> Iterator[str]:
    few = {one.place for one in rhos if 1 < one.correlation.n < LEAST_ROW_COUNT}
    if names := [one for one in places if one in few]:
        yield f"Fewer than {LEAST_ROW_COUNT} rows are not shown here: {', '.join(names)}."


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
            "net: above idle power. active: above ready power, the power of an open device without work.",
            *paper_notes_of(hardware),
        ),
    )


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


def _joules(cell: Cell | None, energy: Energy) -> str:
    energy_j = None if cell is None else cell.energies_j[energy]
    if cell is None or energy_j is None:
        return cells.ABSENT
    return cells.MARKS[cell.samples[0].record.provenance] + to_text(energy_j, "J", digits=_DIGITS)


# ---- transfer ----


def _transfers(study: Study) -> Iterator[Section]:
    ranked = [one for one in study.transfers if one.rho.rho is not None]
    for group in study.groups:
        own = [one for one in ranked if one.group == group.name]
        if own:
            yield Section(
                part="Does a ranking transfer?" if own[0] is ranked[0] else "",
                title=f"{group.name}: rank agreement of joules per {group.unit}",
                heads=("columns", "joules", "n", "rho", "95 % interval", "p", "tau", "95 % interval"),
                rows=tuple(map(_transfer, own)),
                notes=tuple(note for one in own if one.energy == "gross" for note in _transfer_notes(one)),
            )


def _transfer(one: Transfer) -> tuple[str, ...]:
    rho, tau = (
        cells.correlation(MetricCorrelation(metric="", correlation=found, paper={}), ())
        for found in (one.rho, one.tau)
    )
    return (" ".join(one.pair), one.energy, rho[1], rho[0], rho[3], rho[2], tau[0], tau[3])


def _transfer_notes(one: Transfer) -> Iterator[str]:
    yield one.sentence
    alike, pair_count = one.equal_setting
    if pair_count:
        yield (
            f"{' and '.join(one.pair)}: {alike} of {pair_count} pairs of models in one setting are in the "
            "same order."
        )
    yield f"{one.pair[1]} uses {one.median_ratio:.3g} times the joules of {one.pair[0]} (median row)."
    if one.differing:
        yield f"Their work differs in {', '.join(one.differing)}."


# ---- batch sizes and rates ----


def _batches(study: Study) -> Iterator[Section]:
    if study.batch_curves:
        yield Section(
            part="Joules over the batch size",
            title="The best batch size of each model and column",
            heads=("model", "on", "best", "may be best", "J/sample", "95 % interval", "saturated"),
            rows=tuple(_batch(one) for one in study.batch_curves),
            notes=(
                *_BATCH,
                *_files_notes(study.batch_curves),
            ),
        )


def _batch(curve: BatchCurve) -> tuple[str, ...]:
    sizes = curve.sweep.sizes
    first, saturated = best(sizes), saturation(sizes)
    mark = cells.MARKS[curve.sweep.provenance]
    return (
        _short(curve.sweep.model, _LONGEST_MODEL),
        curve.place,
        str(first.batch_size),
        range_text(may_be_best(sizes)),
        mark + to_text(first.energy_j, "J", digits=_DIGITS),
        _range_j_text(*first.interval_j),
        cells.ABSENT if saturated is None else str(saturated),
    )


def _range_j_text(low_j: float, high_j: float) -> str:
    """Both ends with one unit: `26.1 to 27 mJ`."""
    factor, prefix = prefix_of(high_j)
    return f"{low_j / factor:.{_DIGITS}g} to {high_j / factor:.{_DIGITS}g} {prefix}J"


def _rates(study: Study) -> Iterator[Section]:
    if study.rate_curves:
        yield Section(
            part="Joules over the request rate",
            title="Joules per request from the lowest rate to the highest",
            heads=("model", "on", "rates /s", "J lowest", "J highest", "shared power", "J of each"),
            rows=tuple(_rate(one) for one in study.rate_curves),
            notes=(
                *_FIT,
                *(
                    f"{one.series.model} on {one.place}: no fit: {one.fit}"
                    for one in study.rate_curves
                    if isinstance(one.fit, str)
                ),
                *_files_notes(study.rate_curves),
            ),
        )


def _rate(curve: RateCurve) -> tuple[str, ...]:
    points = curve.series.points
    mark = cells.MARKS[curve.series.provenance]
    fitted = curve.fit
    return (
        _short(curve.series.model, _LONGEST_MODEL),
        curve.place,
        f"{points[0].rate:g} to {points[-1].rate:g}",
        mark + to_text(points[0].energy_j, "J", digits=_DIGITS),
        mark + to_text(points[-1].energy_j, "J", digits=_DIGITS),
        *(
            (
                with_error(fitted.static_power_w, fitted.static_power_uncertainty_w, "W"),
                with_error(fitted.dynamic_energy_j, fitted.dynamic_energy_uncertainty_j, "J"),
            )
            if isinstance(fitted, RateFit)
            else (cells.ABSENT, cells.ABSENT)
        ),
    )


def _files_notes(curves: Iterable[BatchCurve | RateCurve]) -> tuple[str, ...]:
    files = ", ".join(dict.fromkeys(one.run for one in curves))
    return (f"A line per file: {files}.",)


# ---- discriminative beside generative ----


def _both_kinds(study: Study) -> Iterator[Section]:
    """Net joules of a sample, as the paper's E_tr and E_in."""
    rows = [*_discriminative(study.groups), *_generative(study.groups)]
    labels = [one for one in study.labels if any(one in row for _, row in rows)]
    for number, chunk in enumerate(_chunks(labels, _MOST_PAIRS)):
        yield Section(
            part="" if number else "Discriminative beside generative",
            title="E_tr and E_in: net joules per sample of training and of inference",
            heads=("model", *(f"{head} {one}" for one in chunk for head in ("E_tr", "E_in"))),
            rows=tuple(
                (_short(name), *(text for one in chunk for text in row.get(one, (cells.ABSENT,) * 2)))
                for name, row in rows
                if any(one in row for one in chunk)
            ),
            notes=_KINDS,
        )


_Pairs = tuple[str, dict[str, tuple[str, str]]]


def _discriminative(groups: Iterable[Group]) -> Iterator[_Pairs]:
    by_name = {group.name: {row.label: row for row in group.rows} for group in groups}
    training, inference = by_name.get("training", {}), by_name.get("inference", {})
    for name in dict.fromkeys((*training, *inference)):
        yield name, _pairs(training.get(name), inference.get(name))


def _generative(groups: Iterable[Group]) -> Iterator[_Pairs]:
    for group in groups:
        if group.unit == REQUEST:
            yield from ((row.label, _pairs(None, row)) for row in group.rows)


def _pairs(training: Row | None, inference: Row | None) -> dict[str, tuple[str, str]]:
    found: dict[str, list[str]] = {}
    for place, row in enumerate((training, inference)):
        for label, cell in row.cells.items() if row is not None else ():
            if cell.energies_j["net"] is not None:
                found.setdefault(label, [cells.ABSENT, cells.ABSENT])[place] = _joules(cell, "net")
    return {label: (first, second) for label, (first, second) in found.items()}


def _short(name: str, longest: int = _LONGEST) -> str:
    line = cells.printable(name)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


def _chunks(labels: Sequence[str], most: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(labels), most):
        yield labels[first : first + most]
