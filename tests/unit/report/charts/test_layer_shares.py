"""The chart of shares by type of layer."""

from pytest_energy.model import Provenance
from pytest_energy.report import view
from pytest_energy.report.charts.layer_shares import MOST_ROWS, chart, notes, sheet
from pytest_energy.report.charts.spec import Marks
from pytest_energy.report.work_parts import LayersOfTests, layers_of_tests
from tests.unit.report.test_work_parts import FORWARD, split


def beside(*names: str, provenance: Provenance = Provenance.MEASURED) -> LayersOfTests:
    judgements = [split(FORWARD, name, provenance=provenance) for name in names]
    (found,) = layers_of_tests(view.of(judgements))
    return found


def test_a_row_for_each_test() -> None:
    """A mark for each type at its share."""
    drawn = chart(beside("a", "b"))
    first, second = (layer for layer in drawn.layers if isinstance(layer, Marks))
    assert (first.key, first.points) == ("convolution", ((0.7, 0.0), (0.7, 1.0)))
    assert (second.key, second.titles[1]) == ("normalisation", "b: normalisation 30.0 %")
    assert [text for _, text in drawn.y.ticks] == ["a", "b"]


def test_estimates_are_called_so() -> None:
    """On the axis."""
    assert "estimated joules" in chart(beside("a", provenance=Provenance.ESTIMATED)).x.label


def test_what_is_beyond_is_counted() -> None:
    """Very many tests are not drawn, and said so."""
    many = beside(*(f"model{number}" for number in range(MOST_ROWS + 2)))
    assert len(chart(many).y.ticks) == MOST_ROWS
    assert notes(many)[-1] == "2 more tests are in the run's JSON."
    assert sheet(many).title == "layers, forward pass"
    assert "explain 96 to 96 %" in " ".join(notes(many))
