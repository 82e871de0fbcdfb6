"""Trainings to an accuracy: accuracy by epoch, and accuracy against joules with the front of all models.

Rule 1: each training is a line by itself. A mean over trainings that end at different epochs would be that of
    those that learn slowly.
Rule 2: joules to an accuracy, with their interval, are marks at that accuracy.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import get_args

from pytest_energy.report.cells import energy
from pytest_energy.report.charts.axes import axis_of, linear_axis
from pytest_energy.report.charts.spec import Chart, Colour, Dash, Form, Layer, Line, Marks, Place, Sheet
from pytest_energy.report.learning import Learner, Learners, cheapest, interval, percent
from pytest_energy.report.text import ORIGINS, heading, sentence, short
from pytest_energy.stats.to_accuracy import Epoch

_COLOURS: tuple[Colour, ...] = ("first", "second", "third")
_FORMS: tuple[Form, ...] = ("circle", "square", "diamond", "triangle")
_DASHES: tuple[Dash, ...] = get_args(Dash)


def sheet(beside: Learners) -> Sheet:
    """Both charts of one group as a page."""
    return Sheet(
        title=f"{short(beside.group)}: accuracy and energy",
        heading=heading(beside.judgements),
        charts=(by_epoch(beside), by_energy(beside)),
        notes=notes(beside),
        columns=2,
        width_in=9.0,
        height_in=3.8,
    )


def by_epoch(beside: Learners) -> Chart:
    """Accuracy after each epoch."""
    return Chart(
        title="Accuracy by epoch",
        x=linear_axis(_values(beside, _number), label="epoch"),
        y=linear_axis(_values(beside, _accuracy), label="accuracy"),
        layers=tuple(_curves(beside, _number)),
    )


def by_energy(beside: Learners) -> Chart:
    """Accuracy against the joules so far, the joules to each target, and the front."""
    marks = tuple(_marks(beside))
    ends_j = [end_j for layer in marks for end in layer.bars for end_j in end if end_j > 0]
    energies_j = [value for value in (*_values(beside, _energy_j), *ends_j) if value > 0]
    return Chart(
        title="Accuracy against energy",
        x=axis_of(energies_j, "J", label=f"{ORIGINS[beside.provenance]}energy of the training so far"),
        y=linear_axis([*_values(beside, _accuracy), *beside.targets], label="accuracy"),
        layers=(
            *_curves(beside, _energy_j),
            *_front(beside),
            *marks,
        ),
    )


def _front(beside: Learners) -> Iterator[Layer]:
    """The least energy at each accuracy; of one model it would be that model's own curve."""
    points = beside.front() if len(beside.learners) > 1 else ()
    if len(points) > 1:
        yield Line(points=points, colour="ink", dash="dashed", key="least energy of all models")


def _number(number: int, _epoch: Epoch) -> float | None:
    return float(number)


def _energy_j(_number: int, epoch: Epoch) -> float | None:
    return epoch.energy_j or None


def _accuracy(_number: int, epoch: Epoch) -> float | None:
    return epoch.accuracy


Value = Callable[[int, Epoch], float | None]


def _values(beside: Learners, value: Value) -> list[float]:
    found = (
        value(number, epoch)
        for learner in beside.learners
        for training in learner.trainings
        for number, epoch in enumerate(training, 1)
    )
    return [one for one in found if one is not None]


def _curves(beside: Learners, value: Value) -> Iterator[Layer]:
    for index, learner in enumerate(beside.learners):
        for number, places in enumerate(_places(learner, value)):
            yield Line(
                points=places,
                colour=_COLOURS[index % len(_COLOURS)],
                dash=_DASHES[index // len(_COLOURS) % len(_DASHES)],
                is_thin=True,
                key=short(learner.name) if number == 0 else "",
            )


def _places(learner: Learner, value: Value) -> Iterable[tuple[Place, ...]]:
    for training in learner.trainings:
        found = [(value(number, epoch), epoch.accuracy) for number, epoch in enumerate(training, 1)]
        yield tuple((x, accuracy) for x, accuracy in found if x is not None)


def _marks(beside: Learners) -> Iterator[Marks]:
    for index, learner in enumerate(beside.learners):
        known = [(one, one.energy_j) for one in learner.targets if one.energy_j]
        if known:
            yield Marks(
                points=tuple((energy_j, one.target) for one, energy_j in known),
                form=_FORMS[index % len(_FORMS)],
                colour=_COLOURS[index % len(_COLOURS)],
                bars=tuple(one.interval_j or (energy_j, energy_j) for one, energy_j in known),
                is_lying=True,
                titles=tuple(
                    f"{short(learner.name)}: {energy(beside.provenance, energy_j)} to {percent(one.target)}"
                    + (f" [{interval(one)}]" if one.interval_j else "")
                    for one, energy_j in known
                ),
            )


def notes(beside: Learners) -> tuple[str, ...]:
    """What the figure says, in words, and what it lacks."""
    missed = [
        f"{short(learner.name)}: {sentence(one.absent_because)}."
        for learner in beside.learners
        for one in learner.targets
        if one.energy_j is None
    ]
    return (
        *(f"{text}." for text in cheapest(beside)),
        *missed,
        "Lines: one for each training. Marks: mean joules to an accuracy; bars: 95 % intervals.",
        "Joules to an accuracy are those up to the end of the epoch that reaches it: an upper bound.",
        f"Evaluation is {beside.evaluation}.",
    )
