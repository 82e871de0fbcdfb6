"""The best setting of a sweep, and the excess of a default over it."""

from dataclasses import replace

import numpy as np
import pytest

from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.operating_point import OperatingPoint, SweptSetting, excess
from tests.builders import reading, rounds_of, steady_rounds


def setting(name: str, energy_j: float | None, *, latency_s: float = 1.0) -> SweptSetting:
    if energy_j is None:
        return SweptSetting(name=name, absent_because="void")
    return SweptSetting(name=name, rounds=steady_rounds(energy_j), durations_s=(latency_s / 2, latency_s))


def point(*settings: SweptSetting, default: str | None = "a", limit_s: float | None = None) -> OperatingPoint:
    return OperatingPoint(settings=settings, default=default, most_latency_s=limit_s)


def test_the_fewest_joules_are_best() -> None:
    """Of those that keep the limit in their slowest round; of equals the first."""
    swept = (setting("a", 3.0), setting("b", 1.0, latency_s=9.0), setting("c", 2.0), setting("d", 2.0))
    best, limited = point(*swept).best, point(*swept, limit_s=5.0).best
    assert best is not None
    assert best.name == "b"
    assert limited is not None
    assert limited.name == "c"
    assert point(*swept, limit_s=5.0).may_be_best == ("c", "d")


def test_the_excess_is_of_the_default_over_the_best() -> None:
    """Its interval holds the ratio; a default that is best has an excess of 1, never below."""
    far = point(setting("a", 3.0), setting("b", 2.0), setting("c", 4.0)).excess
    assert far is not None
    assert far.lower < 1.5 < far.upper
    assert far.value == pytest.approx(1.5)
    own = point(setting("a", 2.0), setting("b", 3.0)).excess
    assert own is not None
    assert (own.value, own.lower) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("swept", "because"),
    [
        (point(setting("a", None), setting("b", 1.0)), "a, the default: void"),
        (
            point(setting("a", 1.0), setting("b", 1.0), limit_s=0.5),
            "no setting keeps the latency limit of 0.5 s",
        ),
        (point(setting("a", 1.0), default=None), "no default is given"),
        (point(setting("a", 1.0), default="z"), "z is not in the sweep"),
    ],
)
def test_what_is_missing_has_its_reason(swept: OperatingPoint, because: str) -> None:
    """No excess, and the reason; never 0 and never 1."""
    assert swept.excess is None
    assert swept.absent_because == because


def test_a_setting_is_made_of_readings() -> None:
    """Joules per sample and seconds per call; a void round leaves its reason, and no joules."""
    rounds = [reading(80.0, duration_s=2.0, uncertainty_j=0.8)] * 3
    made = SweptSetting.of("4", rounds, samples=40, call_count=10)
    assert made.rounds == rounds_of(2.0, 2.0, 2.0, uncertainty_j=0.02)
    assert (made.samples, made.latency_s) == (4, 0.2)
    void = replace(rounds[0], channels={}, void_because="thermal slowdown")
    assert SweptSetting.of("4", [*rounds, void], samples=40).absent_because == "thermal slowdown"
    still = replace(rounds[0], channels={"gpu:0": 0.0})
    lost = SweptSetting.of("4", [*rounds, still], samples=40)
    assert lost.rounds is None
    assert "work that ran uses more than 0 J" in (lost.absent_because or "")


def test_more_settings_widen_the_interval() -> None:
    """Chance finds a best among many, so each is compared at a stricter confidence."""
    source = np.random.default_rng(1)

    def noisy(energy_j: float) -> RoundEnergies:
        return rounds_of(*source.normal(energy_j, 0.01 * energy_j, 5).tolist())

    default, best, others = noisy(2.0), noisy(1.0), [noisy(1.5) for _ in range(9)]
    few, many = excess(default, [best]), excess(default, [best, *others])
    assert few.value == many.value
    assert many.lower < few.lower < few.upper < many.upper


def test_equal_settings_are_seldom_called_far() -> None:
    """300 sweeps of six equal settings: the lower bound of the excess is above 1 in 5 % of them at most."""
    source = np.random.default_rng(2)
    false = 0
    for _ in range(300):
        drawn = source.normal(1.0, 0.01, (6, 5)).tolist()
        first, *others = (rounds_of(*rounds, uncertainty_j=0.002) for rounds in drawn)
        false += excess(first, others).lower > 1.0
    assert false <= 0.05 * 300
