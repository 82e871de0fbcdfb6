"""Trainings to an accuracy: the curves of each model, and what is the cheapest way to each accuracy. Pure.

Rule 1: models are beside one another if their tests have one group, machine, provenance and way to evaluate.
Rule 2: the front is, at each accuracy, the least mean of the models all of whose trainings have reached it.
Rule 3: a model is dearer than the cheapest one only beyond both intervals. One training has no interval, and
    is never called dearer.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance, Record
from pytest_energy.report.cells import energy
from pytest_energy.report.text import listed, sentence, short
from pytest_energy.report.view import View
from pytest_energy.stats.to_accuracy import ToAccuracy, Training, targets_of, to_accuracy, trainings_of
from pytest_energy.units import to_text

_STEP = 0.01  # of accuracy, between two points of the front


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """The trainings of one test.

    Attributes:
        targets: What it took to reach each accuracy, in ascending order.
    """

    name: str
    trainings: tuple[Training, ...]
    targets: tuple[ToAccuracy, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Learners:
    """Models whose trainings are beside one another.

    Attributes:
        judgements: All that it is made of.
    """

    group: str
    provenance: Provenance
    evaluation: str
    learners: tuple[Learner, ...]
    judgements: tuple[Judgement, ...] = field(repr=False)

    @property
    def model(self) -> str:
        """What its figures are called."""
        return self.group

    @property
    def targets(self) -> tuple[float, ...]:
        """The accuracies that any of the tests has asked for."""
        return tuple(sorted({one.target for learner in self.learners for one in learner.targets}))

    def front(self) -> tuple[tuple[float, float], ...]:
        """(joules, accuracy) of the cheapest model, by rule 2; in steps of 1 %."""
        seen = [epoch.accuracy for one in self.learners for run in one.trainings for epoch in run]
        places = []
        for number in range(math.ceil(min(seen) / _STEP), math.floor(max(seen) / _STEP) + 1):
            reached = [to_accuracy(one.trainings, number * _STEP).energy_j for one in self.learners]
            energies_j = [energy_j for energy_j in reached if energy_j is not None]
            if energies_j:
                places.append((min(energies_j), number * _STEP))
        return tuple(places)


def learners(run: View) -> tuple[Learners, ...]:
    """Models with joules of their trainings, by rule 1, in the order met."""
    members: dict[tuple[object, ...], list[Judgement]] = {}
    for judgement in run.judgements:
        record = judgement.record
        if targets_of(record) and record.is_measured and _has_joules(record):
            facts = (record.group, record.provenance, record.machine.key, record.workload.get("evaluation"))
            members.setdefault(facts, []).append(judgement)
    return tuple(map(_beside, members.values()))


def _has_joules(record: Record) -> bool:
    return any(epoch.energy_j for training in trainings_of(record.usable_rounds) for epoch in training)


def _beside(judgements: Sequence[Judgement]) -> Learners:
    first = judgements[0].record
    return Learners(
        group=first.group or "trainings",
        provenance=first.provenance,
        evaluation=first.workload.get("evaluation", ""),
        learners=tuple(_learner(one.record) for one in judgements),
        judgements=tuple(judgements),
    )


def _learner(record: Record) -> Learner:
    trainings = trainings_of(record.usable_rounds)
    return Learner(
        name=_name(record),
        trainings=trainings,
        targets=tuple(to_accuracy(trainings, target) for target in targets_of(record)),
    )


def _name(record: Record) -> str:
    return record.model or record.test_id.rpartition("::")[2]


# ---- in words ----


def lines(run: View) -> list[str]:
    """A line for each test, and one for each accuracy that several models of a group were to reach."""
    beside = learners(run)
    tests = [_line(group.provenance, one) for group in beside for one in group.learners]
    return [*tests, *(text for group in beside for text in cheapest(group))]


def _line(provenance: Provenance, one: Learner) -> str:
    """Such as `resnet18: 26.7 J [20.1, 33.3] to 90 %, 20 J [20, 20] to 80 %; 3 trainings`."""
    count = len(one.trainings)
    reached = ", ".join(_text(provenance, target) for target in reversed(one.targets))
    return f"{short(one.name)}: {reached}; {count} {'training' if count == 1 else 'trainings'}"


def _text(provenance: Provenance, target: ToAccuracy) -> str:
    if target.energy_j is None:
        return f"no joules to {percent(target.target)} ({sentence(target.absent_because)})"
    ends = "" if target.interval_j is None else f" [{interval(target)}]"
    return f"{energy(provenance, target.energy_j)}{ends} to {percent(target.target)}"


def interval(target: ToAccuracy) -> str:
    """The ends of its interval."""
    return ", ".join(to_text(end_j, "J") for end_j in target.interval_j or ())


def percent(accuracy: float) -> str:
    """An accuracy, such as `92.5 %`."""
    return f"{100 * accuracy:.6g} %"


def cheapest(beside: Learners) -> Iterator[str]:
    """For each accuracy the cheapest model, and those that are clearly dearer, by rule 3."""
    for accuracy in beside.targets:
        reached = [
            (target, learner.name)
            for learner in beside.learners
            for target in learner.targets
            if target.target == accuracy and target.energy_j is not None
        ]
        if len(reached) < 2:
            continue
        best, name = min(reached, key=lambda one: one[0].energy_j or 0.0)
        dearer = [other for target, other in reached if _is_clearly_dearer(target, best)]
        same = [other for target, other in reached if other not in (name, *dearer)]
        parts = [f"{short(name)} uses the least"]
        parts += [f"clearly more: {listed(dearer)}"] if dearer else []
        parts += [f"not clearly more: {listed(same)}"] if same else []
        yield f"{short(beside.group)} to {percent(accuracy)}: {'; '.join(parts)}"


def _is_clearly_dearer(target: ToAccuracy, best: ToAccuracy) -> bool:
    if target.interval_j is None or best.interval_j is None:
        return False
    return target.interval_j[0] > best.interval_j[1]
