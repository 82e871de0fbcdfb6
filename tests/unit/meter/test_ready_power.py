"""Ready power of a session: pooled over its rounds, robust, over temperature."""

import random

import pytest

from pytest_energy.meter.ready_power import IDLE_UNCERTAINTY_SHARE, ready_power_of
from pytest_energy.model import Reading
from tests.builders import reading


def _round(temperature_c: float | None, power_w: float, *, void_because: str | None = None) -> Reading:
    temperatures_c = {} if temperature_c is None else {"gpu:0": temperature_c}
    one = reading(10.0, channels={} if void_because else {"gpu:0": 10.0}, void_because=void_because)
    return Reading(
        channels=one.channels,
        duration_s=1.0,
        uncertainty_j=0.0,
        provenance=one.provenance,
        void_because=void_because,
        quiet_power_w={"gpu:0": power_w},
        temperatures_c=temperatures_c,
    )


def test_a_line_over_temperature() -> None:
    """Power that rises by 0.6 W/K is read at every temperature."""
    line = ready_power_of([_round(c, 100.0 + 0.6 * (c - 40)) for c in range(36, 56)])["gpu:0"]
    assert line.slope_w_per_k == pytest.approx(0.6)
    assert line.at(40.0) == pytest.approx(100.0)
    assert line.at(60.0) == pytest.approx(112.0)


def test_readings_far_off_have_no_say() -> None:
    """Two of twenty rounds with a quiet 10 W off move the line by nothing."""
    rng = random.Random(3)  # noqa: S311
    rounds = [_round(c, 100.0 + 0.6 * (c - 40) + rng.gauss(0, 0.5)) for c in range(36, 56)]
    clean = ready_power_of(rounds)["gpu:0"]
    line = ready_power_of([*rounds, _round(41.0, 112.0), _round(52.0, 97.0)])["gpu:0"]
    assert line.at(45.0) == pytest.approx(clean.at(45.0), abs=0.2)
    assert line.at(45.0) == pytest.approx(103.0, abs=0.5)


def test_uncertainty_is_that_of_the_mean() -> None:
    """Scatter of 1 W over 100 readings leaves 0.1 W."""
    rng = random.Random(5)  # noqa: S311
    rounds = [_round(rng.uniform(36, 56), 100.0 + rng.gauss(0, 1.0)) for _ in range(100)]
    assert ready_power_of(rounds)["gpu:0"].uncertainty_w == pytest.approx(0.1, rel=0.25)


def test_temperatures_that_hardly_differ_give_a_level() -> None:
    """Within 3 K a slope would be made up: the median, and no slope."""
    line = ready_power_of([_round(40.0 + n % 3, power_w) for n, power_w in enumerate([99, 100, 101] * 4)])
    assert line["gpu:0"].slope_w_per_k == 0
    assert line["gpu:0"].at(80.0) == pytest.approx(100.0)


def test_without_temperatures_a_level() -> None:
    """A sensor that tells no temperature still has a ready power."""
    line = ready_power_of([_round(None, 100.0), _round(None, 102.0)])["gpu:0"]
    assert (line.power_w, line.temperature_c, line.at(None)) == (101.0, None, 101.0)


def test_void_rounds_have_no_say() -> None:
    """A reading that must not be used tells no ready power either."""
    assert ready_power_of([_round(40.0, 100.0, void_because="a neighbour")]) == {}


def test_idle_power_stands_in() -> None:
    """A channel without ticks has its power at rest, known to a share of it."""
    line = ready_power_of(
        [reading(10.0, channels={"cpu:package-0": 10.0})], {"cpu:package-0": 30.0, "gpu:1": 50}
    )
    assert set(line) == {"cpu:package-0"}
    assert line["cpu:package-0"].power_w == 30.0
    assert line["cpu:package-0"].uncertainty_w == pytest.approx(IDLE_UNCERTAINTY_SHARE * 30.0)
