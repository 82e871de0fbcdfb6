"""What a burst of products uses, weighed with a counter that moves by ticks."""

import pytest

from benchmarks.cnn.products import Scale
from pytest_energy.errors import SensorUnavailable

TICK_S = 0.1


class Card:
    """Draws 120 W at rest; its counter shows the joules of the last tick."""

    def __init__(self, *, tick_s: float = TICK_S) -> None:
        self._tick_s = tick_s
        self._now_s = 0.037  # between two ticks
        self._extra_j: list[tuple[float, float]] = []

    def now_s(self) -> float:
        return self._now_s

    def pause(self, duration_s: float) -> None:
        self._now_s += duration_s

    def burn(self, energy_j: float) -> None:
        """Use *energy_j* at once, beside the power at rest."""
        self._extra_j.append((self._now_s, energy_j))
        self._now_s += 0.0002

    def energy_j(self) -> float:
        shown_s = self._now_s // self._tick_s * self._tick_s
        return 120.0 * shown_s + sum(extra_j for when_s, extra_j in self._extra_j if when_s <= shown_s)


def test_only_what_the_burst_adds_counts() -> None:
    """0.08 J of each burst are found beside 120 W at rest, to half a percent."""
    card = Card()
    scale = Scale(energy_j=card.energy_j, now_s=card.now_s, pause=card.pause)
    assert scale.active_j(lambda: card.burn(0.08)) == pytest.approx(0.08, rel=0.005)


def test_a_counter_that_stands_still_is_an_error() -> None:
    """A counter without updates weighs nothing: it is not waited for without end."""
    card = Card(tick_s=1e9)
    scale = Scale(energy_j=card.energy_j, now_s=card.now_s, pause=card.pause)
    with pytest.raises(SensorUnavailable, match="did not change for 2 s"):
        scale.active_j(lambda: card.burn(0.08))
