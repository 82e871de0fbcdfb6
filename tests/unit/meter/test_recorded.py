"""Integration over counters that were recorded on real GPUs around one second of load."""

import json
import math
from itertools import pairwise, product
from pathlib import Path
from statistics import fmean, pstdev

import pytest

from pytest_energy.meter.integrate import Integral, integrate
from pytest_energy.model import Tick

DATA = Path(__file__).parents[2] / "data" / "nvml"

# The load began about 1.0 s into each series and lasted 1.014 s; it is surely over at 2.05 s.
LOAD_START_S, LOAD_STOP_S = 0.95, 2.05


def recorded(name: str) -> list[Tick]:
    """Ticks with their times' uncertainty: each change lies between two polls about 6.5 ms apart."""
    samples = json.loads((DATA / name).read_text(encoding="utf-8"))["samples"]
    changes = [(a[0], b[0], b[1] * 1e-3) for a, b in pairwise(samples) if a[1] != b[1]]
    return [Tick((a + b) / 2, joules, (b - a) / math.sqrt(12)) for a, b, joules in changes]


def window(name: str, start_s: float, stop_s: float) -> Integral:
    """A window over a series that ends, as a live one does, with the second tick after the stop."""
    ticks = recorded(name)
    count = next(index for index, tick in enumerate(ticks) if tick.time_s > stop_s) + 2
    return integrate(
        ticks[:count],
        start_s,
        stop_s,
        quiet_s=((0.0, start_s),),
        resolution_j=1e-3,
    )


@pytest.mark.parametrize("name", ["step_h100-80gb-hbm3.json", "step_h200.json"])
def test_the_phase_of_the_edges_does_not_matter(name: str) -> None:
    """The load's joules above quiet are the same within 0.1 %, wherever its window starts and stops."""
    starts = [LOAD_START_S - 0.4 + 0.02 * number for number in range(21)]
    stops = [LOAD_STOP_S + 0.01 + 0.04 * number for number in range(20)]
    net_j, quiet_w = [], 0.0
    for start_s, stop_s in product(starts, stops):
        integral = window(name, start_s, stop_s)
        quiet_w = quiet_w or integral.head_power_w or 0.0
        net_j.append(integral.energy_j - quiet_w * (stop_s - start_s))
    assert pstdev(net_j) / fmean(net_j) < 1e-3
    assert max(net_j) - min(net_j) < 0.005 * fmean(net_j)


@pytest.mark.parametrize("name", ["step_h100-80gb-hbm3.json", "step_h200.json"])
def test_the_uncertainty_is_of_the_size_of_the_spread(name: str) -> None:
    """What the ticks leave open is a few tenths of a joule, as is the spread over the windows."""
    integral = window(name, 0.9, 2.3)
    assert 0.05 < integral.uncertainty_j < 0.6
    assert integral.energy_j > 600.0


def test_a_quiet_window_reads_quiet_power() -> None:
    """A window with no work in it is quiet power times its length."""
    integral = window("step_h200.json", 0.43, 0.71)
    assert integral.energy_j / 0.28 == pytest.approx(120.2, rel=0.005)
