"""Energy of training and of inference, gross and net, model by model.

Rule 1: joules are those of a sample: a round of training and one of inference hold different numbers of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.charts.axes import axis_of, category_axis
from pytest_energy.report.charts.spec import Axis, Chart, Colour, Form, Marks, Sheet
from pytest_energy.report.per_sample import PerSample, case_of, per_sample
from pytest_energy.report.text import INTERVAL_NOTE, heading, joules_label, listed, sentence, short, tick
from pytest_energy.report.view import View

TRAINING, INFERENCE = "training", "inference"
_SYMBOLS = {TRAINING: "E_tr", INFERENCE: "E_in"}  # as the paper calls them
_ROW_IN = 0.5
_NET_SHIFT = 0.16  # of a row: net is below gross, where they are nearly the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One model: what its tests of each group spent."""

    model: str
    parameters: float | None
    spent: Mapping[str, tuple[PerSample, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The models of one machine and provenance.

    Attributes:
        rows: Fewest parameters first, then those whose parameters are unknown.
        lost: Tests without energy per sample, and why.
        judgements: All that they are made of.
    """

    provenance: Provenance
    rows: tuple[Pair, ...]
    lost: tuple[tuple[str, str], ...]
    judgements: tuple[Judgement, ...]


def pairs(run: View) -> tuple[Pairs, ...]:
    """The models of *run* by machine and provenance, where both groups have joules."""
    members: dict[tuple[Provenance, str], list[Judgement]] = {}
    for judgement in run.judgements:
        if judgement.record.group in _SYMBOLS:
            key = (judgement.record.provenance, judgement.record.machine.key)
            members.setdefault(key, []).append(judgement)
    all_pairs = (_pairs(judgements) for judgements in members.values())
    return tuple(
        one for one in all_pairs if all(any(row.spent[group] for row in one.rows) for group in _SYMBOLS)
    )


def _pairs(judgements: Sequence[Judgement]) -> Pairs:
    models: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        models.setdefault(_model(judgement.record), []).append(judgement)
    rows = [
        Pair(
            model=model,
            parameters=_parameters(members),
            spent={group: _spent(members, group) for group in _SYMBOLS},
        )
        for model, members in models.items()
    ]
    return Pairs(
        provenance=judgements[0].record.provenance,
        rows=tuple(sorted(rows, key=lambda row: (row.parameters is None, row.parameters or 0.0))),
        lost=tuple(
            (f"{judgement.record.group} of {_model(judgement.record)}", because)
            for judgement in judgements
            if isinstance(because := per_sample(judgement), str)
        ),
        judgements=tuple(judgements),
    )


def _model(record: Record) -> str:
    return record.model or case_of(record)


def _parameters(members: Sequence[Judgement]) -> float | None:
    values = (one.record.metrics.get("parameters") for one in members)
    return next((value for value in values if value is not None), None)


def _spent(members: Sequence[Judgement], group: str) -> tuple[PerSample, ...]:
    spent = (per_sample(one) for one in members if one.record.group == group)
    return tuple(one for one in spent if isinstance(one, PerSample))


def notes(paired: Pairs) -> tuple[str, ...]:
    """What isn't drawn, and what the bars are."""
    lines = [f"Without energy per sample: {short(name)} ({sentence(why)})." for name, why in paired.lost]
    for group in _SYMBOLS:
        nets_j = {row.model: [one.net_j for one in row.spent[group]] for row in paired.rows}
        ran = {_model(one.record) for one in paired.judgements if one.record.group == group}
        without = [model for model, net_j in nets_j.items() if None in net_j]
        below = [model for model, net_j in nets_j.items() if any(j is not None and j <= 0 for j in net_j)]
        sentences = {
            f"Not in the run: {group} of": [model for model in nets_j if model not in ran],
            f"No net energy in {group}, as idle power is unknown:": without,
            f"Not above idle in {group}, so not on this axis: net of": below,
        }
        lines += [f"{sentence} {listed(models)}." for sentence, models in sentences.items() if models]
    return (
        *lines,
        "E_tr, E_in: energy of training and of inference, per sample. Net: minus idle power x time.",
        f"{INTERVAL_NOTE}; net has the interval of gross, without the uncertainty of idle power.",
    )


def sheet(paired: Pairs) -> Sheet:
    """The chart as a page."""
    return Sheet(
        title="Energy of training and of inference",
        heading=heading(paired.judgements),
        charts=(chart(paired),),
        notes=notes(paired),
        width_in=8.0,
        height_in=1.0 + _ROW_IN * len(paired.rows),
        has_rows=True,
    )


def chart(paired: Pairs) -> Chart:
    """A row per model; training above inference, gross above net."""
    layers = (
        *_marks(paired, TRAINING, "first", "circle", first_row=-0.26),
        *_marks(paired, INFERENCE, "second", "square", first_row=0.1),
    )
    ends_j = [end_j for layer in layers for bar in layer.bars for end_j in bar if end_j > 0]
    x = axis_of(ends_j, "J", label=joules_label(paired.provenance, "sample"), most_linear=1.0)
    return Chart(
        title="Energy of training and of inference",
        x=x,
        y=category_axis([_row_text(row) for row in paired.rows], label="model, by parameters"),
        layers=tuple(_within(layer, x) for layer in layers),
    )


def _within(marks: Marks, x: Axis) -> Marks:
    """The same with bars that end on the axis: below 0 a logarithmic one has no place."""
    return replace(marks, bars=tuple((max(lower, x.lower), upper) for lower, upper in marks.bars))


def _row_text(row: Pair) -> str:
    count = "unknown" if row.parameters is None else tick(row.parameters)
    return f"{short(row.model)}\n{count}"


def _marks(paired: Pairs, group: str, colour: Colour, form: Form, *, first_row: float) -> Iterable[Marks]:
    """Gross joules with their interval, then net ones, each with the interval of gross."""
    spots = [(n + first_row, spent) for n, row in enumerate(paired.rows) for spent in row.spent[group]]
    gross = [(place, spent.energy_j, spent) for place, spent in spots]
    net = [
        (place + _NET_SHIFT, spent.net_j, spent)
        for place, spent in spots
        if spent.net_j is not None and spent.net_j > 0
    ]
    for word, marks in (("gross", gross), ("net", net)):
        if marks:
            yield Marks(
                points=tuple((energy_j, place) for place, energy_j, _ in marks),
                bars=tuple(
                    (energy_j + lower_j - spent.energy_j, energy_j + upper_j - spent.energy_j)
                    for _, energy_j, spent in marks
                    for lower_j, upper_j in [spent.interval_j]
                ),
                is_lying=True,
                form=form,
                colour=colour,
                is_hollow=word == "net",
                key=f"{_SYMBOLS[group]}, {group}, {word}",
            )
