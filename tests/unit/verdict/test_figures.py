import math

import pytest

from pytest_energy.model import Provenance
from pytest_energy.stats.centre import Spread
from pytest_energy.verdict.figures import (
    change_text,
    count_text,
    energy_text,
    joules_beside,
    ln_text,
    spread_notes,
)
from pytest_energy.verdict.rules import summary_of
from tests.builders import record


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (1.2, "+20.0 %"),
        (0.8, "-20.0 %"),
        (1.0 + 1e-14, "0 %"),
        (100.0, "x 100"),
        (50_001.0, "x 50000"),
        (1e-6, "x 0.000001"),
        (0.01, "-99.0 %"),
    ],
)
def test_a_change_is_percent_or_a_factor(ratio: float, text: str) -> None:
    """Ten times the energy is x 10, a millionth is not -100.0 %, rounding is no change; no power of ten."""
    assert change_text(ratio) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [(1.05 + 1e-7, "+5.00001 %"), (1.05 - 1e-7, "+4.99999 %"), (0.95 - 1e-7, "-5.00001 %"), (1.04, "+4.0 %")],
)
def test_a_change_stays_on_its_side_of_the_tolerance(ratio: float, text: str) -> None:
    """A regression never shows the tolerance itself, nor does a pass."""
    assert change_text(ratio, 0.05) == text


@pytest.mark.parametrize(
    ("value_j", "limit_j", "text"),
    [
        (500.0 * (1 + 1e-7), 500.0, "500.0001 J"),
        (500.0 * (1 - 1e-7), 500.0, "499.99995 J"),
        (500.0, 500.0, "500 J"),
        (math.nextafter(0.1, 1), 0.1, "100.00000000000001 mJ"),
    ],
)
def test_joules_stay_on_their_side_of_a_budget(value_j: float, limit_j: float, text: str) -> None:
    """Even the next float above a budget is shown above it; what equals it needs no more digits."""
    assert joules_beside(value_j, limit_j) == text


def test_what_did_not_change_is_zero_in_logarithms() -> None:
    """The rounding of floats is no change."""
    assert (ln_text(1.0 + 1e-14), ln_text(1.2)) == ("+0", "+0.182")


def test_one_is_singular() -> None:
    """A count is a sentence's part."""
    assert (count_text(1, "round"), count_text(2, "round")) == ("1 round", "2 rounds")


def test_joules_show_their_uncertainty_and_where_they_are_from() -> None:
    """Provenance stands beside joules that were not measured."""
    measured, estimated = record(), record(provenance=Provenance.ESTIMATED)
    assert energy_text(measured, summary_of(measured)) == "100.00 +- 0.40 J per round (5 rounds)"
    assert energy_text(estimated, summary_of(estimated)) == "100 +- 20 J per round (estimated, 5 rounds)"


def test_a_spread_of_the_values_themselves_needs_no_note() -> None:
    """What was assumed, borrowed or left out is noted; nothing else."""
    assert spread_notes(Spread(source="own", count=5), "none", "rounds") == ()
    assert len(spread_notes(Spread(source="baseline", count=9, trimmed_count=1), "none", "rounds")) == 2
