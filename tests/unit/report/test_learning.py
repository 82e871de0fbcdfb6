"""Trainings to an accuracy in reports: which are beside one another, what is cheapest, and the words."""

from collections.abc import Sequence
from dataclasses import replace

from pytest_energy.judgement import Judgement
from pytest_energy.model import Phase, Provenance, Reading
from pytest_energy.report import view
from pytest_energy.report.learning import cheapest, learners, lines
from pytest_energy.report.view import View
from tests.builders import judgement, reading


def training(
    accuracies: Sequence[float], epoch_j: float, *, provenance: Provenance = Provenance.MEASURED
) -> Reading:
    epochs = tuple(
        Phase(name="epoch", energy_j=epoch_j, uncertainty_j=0.01, duration_s=1.0, accuracy=accuracy)
        for accuracy in accuracies
    )
    whole = reading(epoch_j * len(epochs), duration_s=float(len(epochs)), provenance=provenance)
    return replace(whole, phases=epochs)


def trained(
    name: str = "resnet",
    *trainings: Sequence[float],
    epoch_j: float = 10.0,
    group: str | None = "accuracy",
    provenance: Provenance = Provenance.MEASURED,
    evaluation: str = "outside the joules",
) -> Judgement:
    """A test of *trainings*, by default two equal ones that reach 90 % after two epochs."""
    runs = trainings or ((0.5, 0.9), (0.5, 0.9))
    made = judgement(model=name, group=group)
    facts = {"accuracy_targets": "0.5, 0.9", "most_epochs": "9", "evaluation": evaluation}
    return replace(
        made,
        record=replace(
            made.record,
            test_id=f"test_a.py::test_until[{name}]",
            rounds=tuple(training(one, epoch_j, provenance=provenance) for one in runs),
            provenance=provenance,
            workload=facts,
        ),
    )


def run(*judgements: Judgement) -> View:
    return view.of(judgements)


def test_what_is_beside_what() -> None:
    """One group, machine, provenance and way of evaluating; other work is not there."""
    others = (
        trained("b", group=None),
        trained("c", provenance=Provenance.REPLAYED),
        trained("d", evaluation="inside the joules"),
        judgement(group="accuracy"),
    )
    found = learners(run(trained("a"), *others, trained("e")))
    assert [[one.name for one in beside.learners] for beside in found] == [["a", "e"], ["b"], ["c"], ["d"]]


def test_the_front_is_the_least_mean() -> None:
    """A model that stops at 60 % is the cheapest up to there, and the other one above it."""
    (beside,) = learners(run(trained("small", (0.6,), (0.6,), epoch_j=1.0), trained("large", epoch_j=10.0)))
    front = {round(accuracy, 2): energy_j for energy_j, accuracy in beside.front()}
    assert (front[0.5], front[0.6], front[0.61], front[0.9]) == (1.0, 1.0, 20.0, 20.0)
    assert (min(front), max(front)) == (0.5, 0.9)


def test_the_front_leaves_out_what_some_trainings_missed() -> None:
    """A mean of those that reached it would be too small."""
    (beside,) = learners(run(trained("a", (0.9,), (0.5,), epoch_j=1.0), trained("b")))
    front = {round(accuracy, 2): energy_j for energy_j, accuracy in beside.front()}
    assert (front[0.5], front[0.51]) == (1.0, 20.0)


def test_only_beyond_both_intervals_is_clearly_more() -> None:
    """Trainings that spread are not clearly dearer; one that has no interval never is."""
    judgements = (
        trained("a"),
        trained("b", epoch_j=30.0),
        trained("c", (0.9,), (0.5, 0.6, 0.7, 0.9)),
        trained("d", (0.5, 0.9), epoch_j=99.0),
    )
    (beside,) = learners(run(*judgements))
    assert [*cheapest(beside)][-1] == (
        "accuracy to 90 %: a uses the least; clearly more: b; not clearly more: c, d"
    )


def test_a_line_for_each_test() -> None:
    """The highest accuracy first; joules with their interval, or why there are none."""
    text, missed, *_ = lines(run(trained("a"), trained("b", (0.5, 0.6), (0.5, 0.9))))
    assert text.startswith("a: 20 J [")
    assert text.endswith("to 50 %; 2 trainings")
    assert missed.startswith("b: no joules to 90 % (1 of 2 trainings ended below 0.9, ")


def test_what_is_not_measured_is_called_so() -> None:
    """Replayed joules have their mark."""
    (text,) = lines(run(trained("a", (0.9,), provenance=Provenance.REPLAYED)))
    assert text == "a: r10 J to 90 %, r10 J to 50 %; 1 training"


def test_other_runs_have_no_lines() -> None:
    """Nothing is said of tests that train to no accuracy."""
    assert lines(run(judgement())) == []
