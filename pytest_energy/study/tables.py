"""The tables of a study, as texts that every renderer shows. Pure.

Rule 1: no table is wider than 100 characters with five columns; more columns are another table below.
Rule 2: an absent value is `-`, and its reason is below the table.
"""

from collections.abc import Iterable, Iterator

from pytest_energy.report import cells
from pytest_energy.report.batch import best, may_be_best, saturation
from pytest_energy.report.text import range_text, with_error
from pytest_energy.report.view import MetricCorrelation
from pytest_energy.stats.rate_fit import RateFit
from pytest_energy.study.curves import BatchCurve, RateCurve
from pytest_energy.study.group_tables import sections_of_group
from pytest_energy.study.rows import Group, Row
from pytest_energy.study.samples import REQUEST
from pytest_energy.study.section import DIGITS, Section, chunks, joules_text, short_name
from pytest_energy.study.study import Study
from pytest_energy.study.transfer import Transfer
from pytest_energy.units import prefix_of, to_text
from pytest_energy.verdict.figures import count_text

_MOST_PAIRS = 2  # columns of E_tr and E_in, two cells each
_LONGEST_MODEL = 22  # of a model's, in tables of many figures

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


def sections_of(study: Study) -> tuple[Section, ...]:
    """All tables of *study*, in the order that a reader needs them."""
    return (
        _columns(study),
        *(section for group in study.groups for section in sections_of_group(study, group)),
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
        short_name(curve.sweep.model, _LONGEST_MODEL),
        curve.place,
        str(first.batch_size),
        range_text(may_be_best(sizes)),
        mark + to_text(first.energy_j, "J", digits=DIGITS),
        _range_j_text(*first.interval_j),
        cells.ABSENT if saturated is None else str(saturated),
    )


def _range_j_text(low_j: float, high_j: float) -> str:
    """Both ends with one unit: `26.1 to 27 mJ`."""
    factor, prefix = prefix_of(high_j)
    return f"{low_j / factor:.{DIGITS}g} to {high_j / factor:.{DIGITS}g} {prefix}J"


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
        short_name(curve.series.model, _LONGEST_MODEL),
        curve.place,
        f"{points[0].rate:g} to {points[-1].rate:g}",
        mark + to_text(points[0].energy_j, "J", digits=DIGITS),
        mark + to_text(points[-1].energy_j, "J", digits=DIGITS),
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
    for number, chunk in enumerate(chunks(labels, _MOST_PAIRS)):
        yield Section(
            part="" if number else "Discriminative beside generative",
            title="E_tr and E_in: net joules per sample of training and of inference",
            heads=("model", *(f"{head} {one}" for one in chunk for head in ("E_tr", "E_in"))),
            rows=tuple(
                (short_name(name), *(text for one in chunk for text in row.get(one, (cells.ABSENT,) * 2)))
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
                found.setdefault(label, [cells.ABSENT, cells.ABSENT])[place] = joules_text(cell, "net")
    return {label: (first, second) for label, (first, second) in found.items()}
