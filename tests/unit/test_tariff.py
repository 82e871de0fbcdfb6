"""Carbon intensity and price as people write them, and what joules come to by them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.tariff import CARBON_UNIT, MOST_AMOUNT, PerKwh, Tariff, carbon, price, tariff_of


@pytest.mark.parametrize(
    ("text", "amount", "source"),
    [
        ("400", 400.0, ""),
        (" 400.5 ", 400.5, ""),
        ("0", 0.0, ""),
        ("400 (grid mean of 2025)", 400.0, "grid mean of 2025"),
        ("400(grid  mean\nof 2025)", 400.0, "grid mean of 2025"),
        ("400 (a grid (of islands))", 400.0, "a grid (of islands)"),
        ("400 ()", 400.0, ""),
    ],
)
def test_an_intensity_has_its_source_in_parentheses(text: str, amount: float, source: str) -> None:
    """The number in grams, and what is in the parentheses as one line."""
    assert carbon(text) == PerKwh(amount=amount, unit=CARBON_UNIT, source=source)


@pytest.mark.parametrize(
    ("text", "amount", "unit", "source"),
    [
        ("0.31 EUR", 0.31, "EUR", ""),
        ("0.31EUR", 0.31, "EUR", ""),
        ("31 JPY (contract of 2026)", 31.0, "JPY", "contract of 2026"),
        ("0 USD (own roof)", 0.0, "USD", "own roof"),
    ],
)
def test_a_price_has_its_currency(text: str, amount: float, unit: str, source: str) -> None:
    """Three capital letters behind the number."""
    assert price(text) == PerKwh(amount=amount, unit=unit, source=source)


@pytest.mark.parametrize(
    "text", ["", "much", "-1", "nan", "inf", "1e7", "400 g", "400 grid mean", "(grid)", "400 (grid"]
)
def test_what_is_no_intensity_is_refused(text: str) -> None:
    """With what it must be; a source outside of parentheses is no source."""
    with pytest.raises(ValueError, match=r"^must be grams of CO2e from 0 to a million.* Got "):
        carbon(text)


@pytest.mark.parametrize(
    "text", ["", "0.31", "0.31 eur", "EUR", "EUR 0.31", "-1 EUR", "0.31 €", "1e9 EUR", "0,31 EUR"]
)
def test_what_is_no_price_is_refused(text: str) -> None:
    """A price without its currency means nothing."""
    with pytest.raises(ValueError, match=r"^must be a price from 0 to a million with its currency.* Got "):
        price(text)


def test_a_kilowatt_hour_comes_to_what_was_given() -> None:
    """3.6 MJ are a kilowatt hour."""
    tariff = Tariff(carbon=carbon("400"), price=price("0.31 EUR"))
    assert tariff.carbon_g(3.6e6) == 400.0
    assert tariff.cost(3.6e6) == 0.31
    assert tariff.cost(1.8e6) == 0.155


@given(st.floats(0, MOST_AMOUNT), st.floats(0, 1e12), st.floats(0, 1e12))
def test_amounts_add_up(amount: float, first_j: float, second_j: float) -> None:
    """Joules of two tests come to the sum of theirs."""
    one = PerKwh(amount=amount, unit=CARBON_UNIT)
    assert math.isclose(one.of(first_j) + one.of(second_j), one.of(first_j + second_j), abs_tol=1e-300)


def test_what_was_not_given_is_absent() -> None:
    """Neither without a number for it nor without joules is there an amount, and none is 0."""
    assert tariff_of(None, None) is None
    only_price = Tariff(price=price("0.31 EUR"))
    assert only_price.carbon_g(100.0) is None
    assert only_price.cost(None) is None
    assert only_price.given == (price("0.31 EUR"),)


def test_a_number_stands_beside_its_source() -> None:
    """One without a source says so."""
    assert carbon("400 (grid mean)").text == "400 g CO2e/kWh (grid mean)"
    assert price("0.31 EUR").text == "0.31 EUR/kWh (source not given)"
