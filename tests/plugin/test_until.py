"""`energy.until`: trainings to an accuracy as the rounds of a test."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.plugin.conftest import TEST_FILE, Project, Run

SOURCE = """
LEARNING = {learning}

class Model:
    def __init__(self, seed):
        self.learning = LEARNING[seed]
        self.epoch = 0

    def train(self):
        self.epoch += 1

    def evaluate(self):
        return self.learning[self.epoch - 1]

@pytest.mark.energy({marker})
def test_work(energy):
    result = energy.until(
        accuracy={accuracy}, start=Model, train=Model.train, evaluate=Model.evaluate, most_epochs=4,
        {arguments}
    )
    {check}
"""
LEARNING = [[0.5, 0.8, 0.9], [0.5, 0.9], [0.6, 0.8, 0.92]]
EPOCHS_J = [[10.0, 10.0, 10.0], [10.0, 10.0], [10.0, 10.0, 10.0]]
MISSED = [[0.5, 0.8, 0.9], [0.5, 0.6, 0.7, 0.7], [0.6, 0.8, 0.92]]
MISSED_J = [EPOCHS_J[0], [10.0] * 4, EPOCHS_J[2]]


def written(
    project: Project,
    *,
    learning: Sequence[Sequence[float]] = LEARNING,
    epochs_j: Sequence[Sequence[float]] = EPOCHS_J,
    marker: str = "",
    accuracy: object = (0.8, 0.9),
    arguments: str = "",
    check: str = "",
) -> None:
    project.write(
        SOURCE.format(
            learning=[*learning], marker=marker, accuracy=accuracy, arguments=arguments, check=check or "pass"
        )
    )
    rounds = [
        {
            "energy_j": sum(one),
            "duration_s": float(len(one)),
            "channels": {"gpu:0": sum(one)},
            "phases": [
                {"name": "epoch", "energy_j": energy_j, "uncertainty_j": 0.1, "duration_s": 1.0}
                for energy_j in one
            ],
        }
        for one in epochs_j
    ]
    tests = {f"{TEST_FILE}::test_work": {"rounds": rounds}}
    (project.path / "replay.json").write_text(json.dumps({"format": 1, "tests": tests}), encoding="utf-8")


def passed(run: Run) -> dict[str, Any]:
    run.result.assert_outcomes(passed=1)
    return run.test()


def test_joules_to_each_accuracy(project: Project) -> None:
    """A training is a round; the record has its epochs with their accuracy, and the joules to each target."""
    written(project, check="assert result.energy_j == pytest.approx(80 / 3)")
    entry = passed(project.run())
    assert [one["energy_j"] for one in entry["rounds"]] == [30.0, 20.0, 30.0]
    assert [[phase["accuracy"] for phase in one["phases"]] for one in entry["rounds"]] == LEARNING
    metrics = entry["metrics"]
    assert metrics["energy_to_80_percent"] == pytest.approx(20.0)
    assert metrics["energy_to_90_percent"] == pytest.approx(80 / 3)
    assert metrics["energy_to_90_percent_lower"] < 80 / 3 < metrics["energy_to_90_percent_upper"]
    assert metrics["accuracy"] == pytest.approx(0.9 + 0.02 / 3)
    assert entry["work"]["accuracy_targets"] == "0.8, 0.9"


def test_a_missed_target(project: Project) -> None:
    """Joules to it are absent with the reason; the test itself passes."""
    written(project, learning=MISSED, epochs_j=MISSED_J, check="assert not result.is_reached")
    entry = passed(project.run())
    assert entry["metrics"]["energy_to_90_percent"] is None
    assert entry["absent"]["energy_to_90_percent"] == (
        "1 of 3 trainings ended below 0.9, the best of them at 0.7; the mean is at least 33.33 J"
    )


@pytest.mark.parametrize(
    ("budget_j", "verdict"), [(5.0, "over-budget"), (27.0, "inconclusive"), (99.0, "pass")]
)
def test_a_budget_to_the_highest_accuracy(project: Project, budget_j: float, verdict: str) -> None:
    """Over it only where the whole interval is; kept only where none of it is."""
    written(project, marker=f"budget_j_to_accuracy={budget_j}")
    run = project.run("--energy-report")
    assert run.verdict() == verdict, run.test()["reason"]
    run.result.assert_outcomes(**{"failed" if verdict == "over-budget" else "passed": 1})
    assert run.test()["budget_j_to_accuracy"] == budget_j
    if verdict == "over-budget":
        assert "26.67 J (replayed), allowed 5 J to the highest accuracy" in run.test()["reason"]


@pytest.mark.parametrize(("budget_j", "verdict"), [(5.0, "over-budget"), (99.0, "inconclusive")])
def test_a_missed_target_never_keeps_its_budget(project: Project, budget_j: float, verdict: str) -> None:
    """What was spent may be over it; below it nothing is proven, and the reason is said."""
    written(project, learning=MISSED, epochs_j=MISSED_J, marker=f"budget_j_to_accuracy={budget_j}")
    run = project.run()
    assert run.verdict() == verdict, run.test()["reason"]
    expected = "at least 33.33 J" if verdict == "over-budget" else "1 of 3 trainings ended below 0.9"
    assert expected in run.test()["reason"]


def test_a_budget_without_a_training_is_refused(project: Project) -> None:
    """The limit has nothing to limit; the method that it belongs to is named."""
    project.write(
        "@pytest.mark.energy(budget_j_to_accuracy=5)\ndef test_work(energy):\n    energy.measure(sum, [1])\n"
    )
    project.replay({"test_work": [1.0] * 5})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "budget_j_to_accuracy=5 needs a training to an accuracy." in run.text


def test_repeats_are_the_rounds(project: Project) -> None:
    """So many trainings, whatever the marker's rounds= says; one has no interval."""
    written(
        project,
        marker="rounds=3",
        arguments="repeats=1",
        check="assert (result.energy_j, result.interval_j) == (30.0, None)",
    )
    assert len(passed(project.run())["rounds"]) == 1


def test_its_joules_have_a_baseline(project: Project) -> None:
    """Trainings to the same accuracy are compared as any rounds are."""
    written(project)
    passed(project.run("--energy-baseline=add"))
    dearer = [[2 * energy_j for energy_j in one] for one in EPOCHS_J]
    written(project, epochs_j=dearer)
    run = project.run()
    assert run.test()["baseline"]["ratio"] == pytest.approx(2.0)
    written(project, learning=MISSED, epochs_j=MISSED_J)
    assert project.run().verdict() == "not-comparable"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"accuracy": 90}, "accuracy= as a share above 0 and up to 1"),
        ({"accuracy": "()"}, "Got ()."),
        ({"accuracy": [0.8, 80]}, "Got [0.8, 80]."),
        ({"arguments": "repeats=0"}, "energy.until: repeats must be a whole number of at least 1"),
        ({"arguments": "evaluation='both'"}, "energy.until: evaluation"),
        ({"arguments": "epoch=3"}, "epoch"),
    ],
)
def test_mistakes(project: Project, arguments: dict[str, Any], message: str) -> None:
    """What is wrong, and the value."""
    written(project, **arguments)
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert message in run.text.replace("\nE   ", " ")


def test_it_needs_no_measurement(project: Project) -> None:
    """With --energy-off the training runs once, and its accuracies are known."""
    written(
        project, check="assert (result.energy_j, len(result.trainings), result.accuracy) == (None, 1, 0.9)"
    )
    project.run("--energy-off").result.assert_outcomes(passed=1)
