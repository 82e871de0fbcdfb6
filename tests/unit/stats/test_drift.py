import math
import random

import pytest

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.compare import PRIOR_BETWEEN_SD
from pytest_energy.stats.drift import cusum, deviations, ewma


def median_run_length(shift: float, chart: str) -> int:
    """Median number of sessions until the chart finds a shift of *shift* sigma."""
    rng = random.Random(1)  # noqa: S311  # noise that repeats
    lengths = []
    for _ in range(300):
        values = [rng.gauss(shift, 1) for _ in range(200)]
        drift = cusum(values) if chart == "cusum" else ewma(values)
        lengths.append(200 if drift.first_alarm is None else drift.first_alarm + 1)
    return sorted(lengths)[150]


def test_cusum_adds_what_is_above_the_slack() -> None:
    """S = max(0, S + z - k)."""
    assert cusum([1.0, 2.0, -5.0, 1.5]).heights == pytest.approx((0.5, 2.0, 0.0, 1.0))


def test_cusum_alarms_above_its_limit_only() -> None:
    """At the limit there is no alarm yet."""
    assert cusum([5.5]).first_alarm is None
    assert cusum([0.0, 5.6]).first_alarm == 1


def test_ewma_forgets() -> None:
    """z = z + lambda (x - z), with limits that widen to L sqrt(lambda / (2 - lambda))."""
    drift = ewma([1.0, 0.0] + [0.0] * 60)
    assert drift.heights[:2] == pytest.approx((0.2, 0.16))
    assert drift.limits[0] == pytest.approx(2.86 * 0.2)
    assert drift.limits[-1] == pytest.approx(2.86 * math.sqrt(0.2 / 1.8))


def test_a_fall_does_not_alarm() -> None:
    """Energy that falls is welcome."""
    assert cusum([-10.0] * 20).first_alarm is None
    assert ewma([-10.0] * 20).first_alarm is None


def test_no_session_is_no_alarm() -> None:
    """A chart without sessions is empty."""
    assert cusum([]).first_alarm is None
    assert ewma([]).heights == ()


@pytest.mark.parametrize(
    ("chart", "shift", "longest"),
    [("cusum", 1, 11), ("cusum", 2, 4), ("cusum", 3, 3), ("ewma", 1, 8), ("ewma", 2, 3), ("ewma", 3, 2)],
)
def test_shifts_are_found_soon(chart: str, shift: float, longest: int) -> None:
    """1, 2 and 3 sigma are found after about 10, 4, 3 (CUSUM) and 7, 3, 1 sessions (EWMA)."""
    assert median_run_length(shift, chart) <= longest


def test_a_creep_is_found_that_no_single_step_shows() -> None:
    """+0.3 % a session passes the chart long before it is +10 %."""
    energies_j = [100.0] * 5 + [100 * 1.003**step for step in range(1, 33)]
    alarm = cusum(deviations(energies_j, pinned_count=5)).first_alarm
    assert alarm is not None
    assert 1.003**alarm < 1.05


def test_deviations_are_in_sigma_of_the_pinned_sessions() -> None:
    """One pinned session: the prior's 1 %, times sqrt 2 for the reference's own chance."""
    values = deviations([100.0, 100 * math.exp(0.01)], pinned_count=1)
    assert values == pytest.approx((0.01 / (PRIOR_BETWEEN_SD * math.sqrt(2)),))


@pytest.mark.parametrize("pinned_count", [0, 3])
def test_the_pinned_sessions_must_be_there(pinned_count: int) -> None:
    """No reference, no chart."""
    with pytest.raises(NotMeasurable, match=f"{pinned_count} sessions to pin of 2"):
        deviations([100.0, 100.0], pinned_count=pinned_count)


@pytest.mark.parametrize("energy_j", [0.0, math.nan])
def test_a_session_without_joules_is_refused(energy_j: float) -> None:
    """A session of 0 J is not a fall in energy."""
    with pytest.raises(NotMeasurable, match="without joules"):
        deviations([100.0, energy_j], pinned_count=1)
