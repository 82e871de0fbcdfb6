"""Quantities as people write them, and what each refusal says."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy import quantities
from pytest_energy.quantities import Count, Quantity, whole_number
from pytest_energy.units import ENERGY_UNITS, POWER_UNITS, TIME_UNITS

UNITS = [
    *((quantities.energy, unit, factor) for unit, factor in ENERGY_UNITS.items()),
    *((quantities.power, unit, factor) for unit, factor in POWER_UNITS.items()),
    *((quantities.time, unit, factor) for unit, factor in TIME_UNITS.items()),
]
KINDS = (
    quantities.energy,
    quantities.power,
    quantities.time,
    quantities.wait,
    quantities.share,
    quantities.chance,
)


@pytest.mark.parametrize(
    ("kind", "value", "number"),
    [
        (quantities.share, "5%", 0.05),
        (quantities.share, "5 %", 0.05),
        (quantities.share, "7%", 0.07),
        (quantities.share, "0.05", 0.05),
        (quantities.share, 0, 0.0),
        (quantities.share, 1, 1.0),
        (quantities.share, "100%", 1.0),
        (quantities.chance, "1 %", 0.01),
        (quantities.energy, "2 J", 2.0),
        (quantities.energy, "500mJ", 0.5),
        (quantities.energy, "1.2 kJ", 1200.0),
        (quantities.energy, "3 Wh", 10_800.0),
        (quantities.energy, "2 \N{MICRO SIGN}J", 2e-6),
        (quantities.energy, "1e3", 1000.0),
        (quantities.energy, "1e-3J", 0.001),
        (quantities.energy, ".5 J", 0.5),
        (quantities.energy, np.float32(2.0), 2.0),
        (quantities.energy, np.int64(2), 2.0),
        (quantities.energy, Fraction(1, 2), 0.5),
        (quantities.time, "5 s", 5.0),
        (quantities.time, " 2min ", 120.0),
        (quantities.time, "0.5 h", 1800.0),
        (quantities.wait, "0", 0.0),
        (quantities.power, "65W", 65.0),
    ],
)
def test_a_quantity_is_read_as_it_is_written(kind: Quantity, value: object, number: float) -> None:
    """A unit, a percent sign, or the bare number; blanks make no difference."""
    assert kind(value) == number


@given(st.floats(1e-9, 1e9), st.sampled_from(UNITS), st.sampled_from(["", " ", "  "]))
def test_a_unit_is_a_factor(number: float, unit: tuple[Quantity, str, float], blank: str) -> None:
    """The same number with and without its unit differs by what the unit is worth."""
    kind, symbol, factor = unit
    assert kind(f"{number!r}{blank}{symbol}") == pytest.approx(factor * kind(number), rel=1e-12)
    assert kind(repr(number)) == kind(number)


@given(st.floats(0, 100))
def test_percent_is_a_hundredth(percent: float) -> None:
    """`x%` is the share x / 100, to the last digit."""
    assert quantities.share(f"{percent!r}%") == percent / 100


@given(st.floats(1, 100, exclude_min=True))
def test_a_tolerance_above_one_was_meant_as_percent(number: float) -> None:
    """It is never taken; both ways to write it are named, and one of them is taken for what was meant."""
    with pytest.raises(ValueError, match="write") as caught:
        quantities.share(number)
    meant = str(caught.value).rpartition(" or ")[2].rstrip(".")
    assert quantities.share(meant) == pytest.approx(number / 100, rel=1e-4)


@given(st.text(max_size=20) | st.binary(max_size=5) | st.booleans() | st.none(), st.sampled_from(KINDS))
def test_a_value_is_a_number_in_range_or_refused(value: object, kind: Quantity) -> None:
    """Nothing else comes out, and a refusal says what the value must be."""
    try:
        number = kind(value)
    except ValueError as error:
        assert str(error).startswith(f"must be {kind.wanted}. Got ")  # noqa: PT017
    else:
        assert math.isfinite(number)
        assert number >= 0


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (quantities.share, 5, "Got 5. 5 is 500 %; for 5 % write 0.05 or 5%."),
        (quantities.share, "5", "Got '5'. 5 is 500 %; for 5 % write 0.05 or 5%."),
        (quantities.share, "150%", "from 0 to 100 %, such as 0.05 or '5%'. Got '150%'."),
        (quantities.share, 1000, "Got 1000."),
        (quantities.share, -0.1, "Got -0.1."),
        (quantities.share, "0,05", "Got '0,05'."),
        (quantities.share, "5 J", "Its unit must be %."),
        (quantities.chance, "50%", "above 0 and below 50 %"),
        (quantities.energy, -2, "above 0, such as '2 J', '500 mJ' or 2.0 (joules). Got -2."),
        (quantities.energy, "0 J", "Got '0 J'."),
        (quantities.energy, "3 W", "Its unit must be nJ, uJ, mJ, J, kJ, MJ, mWh, Wh or kWh."),
        (quantities.energy, "3 mj", "Its unit must be"),
        (quantities.energy, "1e999 J", "Got '1e999 J'."),
        (quantities.energy, 10**400, "Got 1000"),
        (quantities.energy, math.nan, "Got nan."),
        (quantities.energy, True, "Got True."),
        (quantities.energy, [2], "Got [2]."),
        (quantities.time, "2 sec", "Its unit must be us, ms, s, min or h."),
        (quantities.time, 0, "a time above 0"),
        (quantities.power, "65 J", "Its unit must be"),
        (quantities.age_days, "30 d", "Its unit must be left out."),
    ],
)
def test_a_refusal_says_what_to_write(kind: Quantity, value: object, text: str) -> None:
    """What it must be, the value, and where a unit is wrong, the right ones."""
    with pytest.raises(ValueError, match="must be") as caught:
        kind(value)
    assert text in str(caught.value)


def test_a_long_value_is_shortened() -> None:
    """A refusal stays one line."""
    with pytest.raises(ValueError, match="must be") as caught:
        quantities.energy("J" * 100_000)
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("value", [1, 8, np.int64(8), np.uint8(8)])
def test_any_integer_is_a_count(value: object) -> None:
    """Also numpy's, such as a length that numpy has worked out."""
    number = Count(1)(value)
    assert type(number) is int
    assert number == value


@pytest.mark.parametrize("value", [0, -1, 2.5, 2.0, "8", True, None, np.float64(2.0)])
def test_nothing_else_is_a_count(value: object) -> None:
    """A text and a number with a point are refused, and no truth is a 1."""
    with pytest.raises(ValueError, match=r"^must be a whole number of at least 1\. Got "):
        Count(1)(value)


def test_a_count_is_written_in_digits() -> None:
    """On a command line there is only text."""
    assert (whole_number(" 8 "), whole_number("0", 0)) == (8, 0)


@pytest.mark.parametrize("text", ["", "0", "-1", "2.5", "1e3", "many", "\N{SUPERSCRIPT TWO}", "9" * 5000])
def test_no_other_text_is_a_count(text: str) -> None:
    """Whatever it looks like."""
    with pytest.raises(ValueError, match="must be a whole number of at least 1"):
        whole_number(text)
