"""The charts of trainings to an accuracy."""

from pytest_energy.model import Provenance
from pytest_energy.report.charts.learning_curves import by_energy, by_epoch, notes, sheet
from pytest_energy.report.charts.spec import Line, Marks
from pytest_energy.report.learning import Learners, learners
from tests.unit.report.test_learning import run, trained


def beside() -> Learners:
    (found,) = learners(run(trained("a"), trained("b", (0.4, 0.6), (0.5, 0.7, 0.95), epoch_j=30.0)))
    return found


def test_each_training_is_a_line() -> None:
    """Accuracy after each of its epochs; the model is in the key once."""
    lines = [layer for layer in by_epoch(beside()).layers if isinstance(layer, Line)]
    assert [line.points for line in lines][::2] == [((1.0, 0.5), (2.0, 0.9)), ((1.0, 0.4), (2.0, 0.6))]
    assert [line.key for line in lines] == ["a", "", "b", ""]


def test_models_differ_by_more_than_colour() -> None:
    """Those of the same colour have other dashes."""
    (found,) = learners(run(*(trained(name) for name in "abcde")))
    lines = [layer for layer in by_epoch(found).layers if isinstance(layer, Line) and layer.key]
    assert len({(line.colour, line.dash) for line in lines}) == 5


def test_joules_to_a_target_are_marks() -> None:
    """At its accuracy, with the interval along the joules; a target that was missed has no mark."""
    first, second = (layer for layer in by_energy(beside()).layers if isinstance(layer, Marks))
    assert first.points == ((10.0, 0.5), (20.0, 0.9))
    assert first.is_lying
    assert all(lower <= 20.0 for lower, _ in first.bars)
    assert [accuracy for _, accuracy in second.points] == [0.5]


def test_the_front_needs_two_models() -> None:
    """Of one model it would be that model's own curve."""
    keys = [layer.key for layer in by_energy(beside()).layers if isinstance(layer, Line)]
    assert "least energy of all models" in keys
    (alone,) = learners(run(trained("a")))
    keys = [layer.key for layer in by_energy(alone).layers if isinstance(layer, Line)]
    assert keys == ["a", ""]


def test_notes() -> None:
    """What is cheapest, what was missed, and how to read it."""
    text = " ".join(notes(beside()))
    assert "accuracy to 50 %: a uses the least" in text
    assert "b: 1 of 2 trainings ended below 0.9" in text
    assert "an upper bound" in text
    assert "Evaluation is outside the joules." in text


def test_estimates_are_called_so() -> None:
    """On the axis of joules."""
    (found,) = learners(run(trained("a", provenance=Provenance.ESTIMATED)))
    assert by_energy(found).x.label.startswith("estimated energy of the training so far")
    assert sheet(found).title == "accuracy: accuracy and energy"
