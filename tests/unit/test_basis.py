"""Which joules of a record are compared, and their two parts."""

import math
from dataclasses import replace

import pytest

from pytest_energy.basis import ESTIMATE_CROWD_SHARE, ESTIMATE_SWING_SHARE, Basis
from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Provenance, Record
from pytest_energy.ready import ReadyPower
from pytest_energy.usage import Usage
from tests.builders import reading, record

# 40 J active in 0.5 s and in 0.6 s, at a ready power of 100 W and, 10 K warmer, of 106 W.
_COLD, _WARM = 40.0 + 100.0 * 0.5, 40.0 + 106.0 * 0.6
_LINE = ReadyPower(power_w=100.0, temperature_c=40.0, slope_w_per_k=0.6, uncertainty_w=2.0)


def _record(**changes: object) -> Record:
    rounds = [
        replace(reading(_COLD, duration_s=0.5, uncertainty_j=1.0), temperatures_c={"gpu:0": 40.0}),
        replace(reading(_WARM, duration_s=0.6, uncertainty_j=1.0), temperatures_c={"gpu:0": 50.0}),
    ]
    one = replace(record(rounds=rounds, samples=4), ready_power={"gpu:0": _LINE})
    return replace(one, **changes)  # type: ignore[arg-type]


def test_active_joules_are_what_is_above_ready_power() -> None:
    """E = A + q t, with q at the temperature of each round."""
    parts = Basis().parts(_record())
    assert parts.active.energies_j == pytest.approx((40.0, 40.0))
    assert parts.durations_s == (0.5, 0.6)
    assert parts.waiting_powers_w == pytest.approx((100.0, 106.0))


def test_uncertainty_of_ready_power_is_in_active_joules() -> None:
    """1 J of the reading and 2 W for 0.5 s leave the root of 2 J^2."""
    assert Basis().parts(_record()).active.uncertainties_j[0] == pytest.approx(2**0.5)


def test_parts_of_a_sample() -> None:
    """Of four samples each has a fourth."""
    parts = Basis(is_per_sample=True).parts(_record())
    assert parts.active.energies_j == pytest.approx((10.0, 10.0))
    assert parts.waiting_powers_w == pytest.approx((25.0, 26.5))


def test_waiting_of_net_joules_costs_less() -> None:
    """Net joules leave out idle power: work is the same, a second of waiting costs ready less idle power."""
    parts = Basis(is_net=True).parts(_record(idle_power_w={"gpu:0": 70.0}))
    assert parts.active.energies_j == pytest.approx((40.0, 40.0))
    assert parts.waiting_powers_w == pytest.approx((30.0, 36.0))


def test_no_parts_without_ready_power() -> None:
    """A channel without ready power has no parts, and is named."""
    with pytest.raises(NotMeasurable, match="ready power of gpu:0 is not known"):
        Basis().parts(_record(ready_power={}))


def test_no_parts_where_ready_power_is_all() -> None:
    """Joules that ready power explains alone have no active part."""
    with pytest.raises(NotMeasurable, match="above ready power"):
        Basis().parts(_record(ready_power={"gpu:0": replace(_LINE, power_w=200.0)}))


def test_net_joules_hold_the_uncertainty_of_idle_power() -> None:
    """70 W of idle power for 0.5 s, known to 5 %, are 1.75 J beside the reading's own 1 J."""
    rounds = Basis(is_net=True).round_energies(_record(idle_power_w={"gpu:0": 70.0}))
    assert rounds.uncertainties_j[0] == pytest.approx((1.0 + 1.75**2) ** 0.5)


def test_a_record_s_active_joules_are_the_mean_of_its_parts() -> None:
    """What a report shows is what the gate compares."""
    one = _record()
    assert one.active_energy_j == pytest.approx(40.0)
    assert replace(one, ready_power={}).active_energy_j is None
    assert replace(one, void_because="thermal slowdown").active_energy_j is None


@pytest.mark.parametrize(
    ("usage", "share"),
    [
        (Usage(other_cpu_share=0.0), ESTIMATE_SWING_SHARE),
        (Usage(other_cpu_share=1.0), math.hypot(ESTIMATE_SWING_SHARE, ESTIMATE_CROWD_SHARE)),
        (Usage(), math.hypot(ESTIMATE_SWING_SHARE, ESTIMATE_CROWD_SHARE)),
        (None, math.hypot(ESTIMATE_SWING_SHARE, ESTIMATE_CROWD_SHARE)),
    ],
    ids=["alone", "crowded", "others not known", "nothing known"],
)
def test_an_estimate_holds_the_swing_of_equal_work(usage: Usage | None, share: float) -> None:
    """CPU time of equal work differs between processes, and more so the more of the machine others use."""
    one = replace(reading(100.0, uncertainty_j=3.0, provenance=Provenance.ESTIMATED), usage=usage)
    estimated = record(rounds=[one], provenance=Provenance.ESTIMATED)
    (uncertainty_j,) = Basis().round_energies(estimated).uncertainties_j
    assert uncertainty_j == pytest.approx(math.hypot(3.0, 100 * share))


def test_measured_joules_have_no_such_swing() -> None:
    """A counter doesn't estimate."""
    assert Basis().round_energies(record(rounds=[reading(100.0, uncertainty_j=3.0)])).uncertainties_j == (
        3.0,
    )
