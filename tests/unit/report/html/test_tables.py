"""The page's own tables."""

from pytest_energy.report import view
from pytest_energy.report.html import tables
from tests.fakes.sessions import gpu_session


def test_the_heat_map_has_every_group_and_the_paper() -> None:
    """Groups side by side, each with the paper's hardware; a shade repeats the number's sign and size."""
    table = tables.heat_map(view.of(gpu_session()))
    assert table is not None
    assert table.spans == (("", 1), ("training", 4), ("requests", 2))
    assert table.heads[:3] == ("metric", "this run", "paper HC-1")
    first = table.rows[0]
    assert first[1].text == "+1.000"
    assert first[1].shade == "p5"
    assert table.notes == (
        "the paper's hardware: HC-1: RTX 3080, HC-2: RTX 3090, HC-3: RTX A2000, HC-4: 2 x H100",
    )


def test_one_group_has_no_map_beside_its_table() -> None:
    """A map of one group would be its table again."""
    run = [judged for judged in gpu_session() if judged.record.group == "training"]
    assert tables.heat_map(view.of(run)) is None


def test_a_missing_rho_has_no_shade() -> None:
    """No number, no colour."""
    row = next(
        row
        for row in tables.correlations(view.of(gpu_session()).groups[0]).rows
        if row[0].text == "overall_efficiency"
    )
    assert (row[1].text, row[1].shade) == ("-", "")
