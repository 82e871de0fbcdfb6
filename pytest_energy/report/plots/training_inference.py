"""Energy of training and of inference, gross and net, model by model.

Rule 1: joules are those of a sample: a round of training and one of inference hold different numbers of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_energy.model import Judgement, Machine, Provenance
from pytest_energy.report.plots.canvas import Head, Theme, page, scale
from pytest_energy.report.text import (
    INTERVAL_NOTE,
    heading,
    joules_label,
    listed,
    short,
    tick,
)
from pytest_energy.report.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINING, INFERENCE = "training", "inference"
_ROW_IN = 0.5
_NET_SHIFT = 0.16  # of a row: net stands below gross, where they are nearly the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Joules a sample of one test.

    Attributes:
        gross_j: Mean over the rounds.
        half_j: Distances from it to the ends of its 95 % interval.
        net_j: Less idle power; `None` where that is not known.
    """

    gross_j: float
    half_j: tuple[float, float]
    net_j: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One model: what its tests of each group spent."""

    model: str
    parameters: float | None
    training: tuple[Spent, ...]
    inference: tuple[Spent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """The models of one machine and provenance.

    Attributes:
        rows: Fewest parameters first, then those whose parameters nobody told.
        lost: Tests without joules a sample, and why.
        judgements: All that they are made of.
    """

    provenance: Provenance
    machine: Machine
    rows: tuple[Pair, ...]
    lost: tuple[tuple[str, str], ...]
    judgements: tuple[Judgement, ...]


def pairs(run: View) -> tuple[Pairs, ...]:
    """The models of *run* by machine and provenance, where both groups have joules."""
    members: dict[tuple[Provenance, str], list[Judgement]] = {}
    for judgement in run.judgements:
        if judgement.record.group in {TRAINING, INFERENCE}:
            key = (judgement.record.provenance, judgement.record.machine.key)
            members.setdefault(key, []).append(judgement)
    found = (_pairs(judgements) for judgements in members.values())
    return tuple(
        one
        for one in found
        if any(row.training for row in one.rows) and any(row.inference for row in one.rows)
    )


def _pairs(judgements: Sequence[Judgement]) -> Pairs:
    models: dict[str, list[Judgement]] = {}
    for judgement in judgements:
        models.setdefault(_model(judgement), []).append(judgement)
    rows = [
        Pair(
            model=model,
            parameters=_parameters(members),
            training=_spent(members, TRAINING),
            inference=_spent(members, INFERENCE),
        )
        for model, members in models.items()
    ]
    return Pairs(
        provenance=judgements[0].record.provenance,
        machine=judgements[0].record.machine,
        rows=tuple(sorted(rows, key=lambda row: (row.parameters is None, row.parameters or 0.0))),
        lost=tuple(
            (f"{judgement.record.group} of {_model(judgement)}", because)
            for judgement in judgements
            if (because := _why_lost(judgement))
        ),
        judgements=tuple(judgements),
    )


def _model(judgement: Judgement) -> str:
    record = judgement.record
    return record.model or record.test_id.partition("[")[2].removesuffix("]") or record.test_id


def _parameters(members: Sequence[Judgement]) -> float | None:
    return next(
        (value for one in members if (value := one.record.metrics.get("parameters")) is not None), None
    )


def _why_lost(judgement: Judgement) -> str:
    record = judgement.record
    if judgement.summary is None or record.energy_j is None:
        return record.absent.get("energy_j") or judgement.reason
    if record.samples is None:
        return record.absent.get("energy_per_sample_j", "the test does not say its samples")
    return ""


def _spent(members: Sequence[Judgement], group: str) -> tuple[Spent, ...]:
    found = []
    for judgement in members:
        record, summary = judgement.record, judgement.summary
        if record.group != group or summary is None or record.samples is None:
            continue
        lower_j, upper_j = summary.energy_ci_j
        net_j, samples = record.net_energy_j, record.samples
        found.append(
            Spent(
                gross_j=summary.energy_j / samples,
                half_j=((summary.energy_j - lower_j) / samples, (upper_j - summary.energy_j) / samples),
                net_j=None if net_j is None else net_j / samples,
            )
        )
    return tuple(found)


def notes(found: Pairs) -> tuple[str, ...]:
    """What isn't drawn, and what the bars are."""
    told = [f"Without joules a sample: {short(name)} ({short(because)})." for name, because in found.lost]
    for group in (TRAINING, INFERENCE):
        spent = {row.model: getattr(row, group) for row in found.rows}
        ran = {_model(one) for one in found.judgements if one.record.group == group}
        missing = [model for model in spent if model not in ran]
        told += [f"Not in the run: {group} of {listed(missing)}."] if missing else []
        without = [model for model, all_of in spent.items() if any(one.net_j is None for one in all_of)]
        below = [
            model
            for model, all_of in spent.items()
            if any(one.net_j is not None and one.net_j <= 0 for one in all_of)
        ]
        told += [f"No net joules in {group}, idle power is not known: {listed(without)}."] if without else []
        told += (
            [f"No more than idle in {group}, so not on this axis: net of {listed(below)}."] if below else []
        )
    return (
        *told,
        "E_tr, E_in: joules of training and of inference, divided by samples. Net: less idle power x time.",
        f"{INTERVAL_NOTE}; that of net is gross's, what idle power adds is not in it.",
    )


def draw(found: Pairs, theme: Theme) -> "Figure":
    """The figure of *found*."""
    head = Head(
        title="Energy of training and of inference",
        heading=heading(found.machine, found.judgements),
        notes=notes(found),
    )
    figure = page(head, width_in=8.0, body_in=1.3 + _ROW_IN * len(found.rows), theme=theme)
    axes = figure.subplots()
    values: list[float] = []
    for group, colour, mark, shift, word in (
        (TRAINING, theme.first, "o", -0.26, "E_tr"),
        (INFERENCE, theme.second, "s", 0.1, "E_in"),
    ):
        spots = [
            (number + shift, spent) for number, row in enumerate(found.rows) for spent in getattr(row, group)
        ]
        gross = [(place, spent.gross_j, spent.half_j) for place, spent in spots]
        net = [
            (place + _NET_SHIFT, spent.net_j, spent.half_j)
            for place, spent in spots
            if spent.net_j is not None and spent.net_j > 0
        ]
        _draw_marks(axes, gross, colour=colour, mark=mark, fill=colour, label=f"{word}, {group}, gross")
        _draw_marks(axes, net, colour=colour, mark=mark, fill=theme.paper, label=f"{word}, {group}, net")
        values += [energy_j for _, energy_j, _ in (*gross, *net)]
    scale(axes.xaxis, values, unit="J", is_log=True)
    axes.set_yticks(range(len(found.rows)), [_row_text(row) for row in found.rows])
    axes.set_ylim(len(found.rows) - 0.4, -0.6)
    axes.set_xlabel(joules_label(found.provenance, "sample"))
    axes.set_ylabel("model, by parameters")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False)
    return figure


def _row_text(row: Pair) -> str:
    count = "unknown" if row.parameters is None else tick(row.parameters)
    return f"{short(row.model)}\n{count}"


def _draw_marks(
    axes: "Axes",
    spots: Sequence[tuple[float, float, tuple[float, float]]],
    *,
    colour: str,
    mark: str,
    fill: str,
    label: str,
) -> None:
    if spots:
        axes.errorbar(
            [energy_j for _, energy_j, _ in spots],
            [place for place, _, _ in spots],
            xerr=([half_j[0] for *_, half_j in spots], [half_j[1] for *_, half_j in spots]),
            fmt=mark,
            color=colour,
            mfc=fill,
            ms=6,
            mew=1.3,
            capsize=3,
            lw=1.0,
            label=label,
            zorder=3,
        )
