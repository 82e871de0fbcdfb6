"""What makes a reading void, and what is noted."""

import pytest

from pytest_energy.meter import quality
from pytest_energy.meter.integrate import How, Integral


def integral(
    energy_j: float = 100.0,
    uncertainty_j: float = 1.0,
    how: How = How.ALIGNED,
    powers_w: tuple[float, float] | None = (120.0, 120.0),
) -> Integral:
    head_w, tail_w = (None, None) if powers_w is None else powers_w
    return Integral(
        energy_j=energy_j, uncertainty_j=uncertainty_j, how=how, head_power_w=head_w, tail_power_w=tail_w
    )


@pytest.mark.parametrize("energy_j", [0.0, -0.3])
def test_joules_that_are_not_positive_are_void(energy_j: float) -> None:
    """Zero or negative joules name the channel and the value seen."""
    reason = quality.why_joules_are_wrong({"gpu:0": integral(), "gpu:1": integral(energy_j)})
    assert reason is not None
    assert reason.startswith("gpu:1 reads")


def test_joules_known_to_half_of_them_are_the_limit() -> None:
    """More than 50 % uncertainty of the sum is void; of one small channel it isn't."""
    assert quality.why_joules_are_wrong({"gpu:0": integral(1.0, 0.6)}) is not None
    assert quality.why_joules_are_wrong({"gpu:0": integral(1.0, 0.6), "gpu:1": integral()}) is None


def test_uncertainties_add_in_squares() -> None:
    """Channels err independently."""
    both = {"gpu:0": integral(uncertainty_j=3.0), "gpu:1": integral(uncertainty_j=4.0)}
    assert quality.total_uncertainty_j(both) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("edges_s", "suspended_s", "is_wrong"),
    [
        ((1.0, 2.0), (5.0, 5.0001), False),
        ((1.0, 2.0), (None, None), False),
        ((1.0, 2.0), (5.0, 35.0), True),
        ((2.0, 1.0), (5.0, 5.0), True),
        ((2.0, 2.0), (None, 3.0), True),
    ],
)
def test_clocks_that_cannot_be_trusted(
    edges_s: tuple[float, float], suspended_s: tuple[float | None, float | None], *, is_wrong: bool
) -> None:
    """A window that went back, stood still or was slept through has a reason."""
    assert (quality.why_clock_is_wrong(*edges_s, *suspended_s) is not None) == is_wrong


def test_unequal_quiet_is_noted() -> None:
    """Quiet power that differs by more than 10 % before and after is worth a sentence."""
    assert quality.notes({"gpu:0": integral(powers_w=(120.0, 125.0))}) == ()
    (note,) = quality.notes({"gpu:0": integral(powers_w=(70.0, 120.0))})
    assert note == "gpu:0: 70 W before the window, 120 W after it: it wasn't equally quiet"


def test_interpolated_edges_are_noted() -> None:
    """Edges without a quiet tick never pass silently."""
    (note,) = quality.notes({"gpu:0": integral(how=How.INTERPOLATED, powers_w=None)})
    assert note.startswith("gpu:0: no whole quiet tick")


def test_only_interpolated_channels_are_named_in_a_phase() -> None:
    """A phase's note names the channels that tick."""
    both = {"gpu:0": integral(how=How.INTERPOLATED), "cpu:package-0": integral(how=How.EDGES)}
    assert quality.phase_notes(both) == (
        "gpu:0: interpolated between ticks, the power isn't quiet at its edges",
    )
    assert quality.phase_notes({"cpu:package-0": integral(how=How.EDGES)}) == ()
