"""How NVML's energy counters respond to power, by model of GPU and driver.

Where a model is not here nothing is taken out of its joules, and what may be left open is in their
uncertainty. `pytest-energy doctor --calibrate` measures the response of the card at hand.
"""

import re
from dataclasses import replace

from pytest_energy.model import CounterResponse

# Four H200s, 672 bursts of 8 ms to 1 s, left alone until the counter had settled. What is left open: how
# those of each board scatter if the response of the others is taken out (docs/results/meter-response.md).
_HOPPER = CounterResponse(
    settle_s=0.09,
    shortest_s=0.008,
    edge_s=3.6e-03,
    edge_length_s=0.45,
    tick_s=0.1000000,
    waves=(
        (-3.568e-04, 3.992e-04),
        (-3.182e-04, 1.286e-04),
        (-2.363e-04, 1.251e-04),
        (-2.170e-04, 1.027e-04),
        (6.505e-04, 1.291e-03),
        (-8.292e-05, 1.445e-05),
        (-1.237e-04, 3.667e-05),
        (-5.816e-05, -1.923e-05),
        (-1.339e-04, 1.182e-05),
        (7.653e-05, 2.469e-04),
    ),
    source="measured on four NVIDIA H200, driver 580, 2026-11-28",
)

# Six H100s and six H200s, read once a tick.
_HOPPER_FOLLOWED = replace(
    _HOPPER,
    edge_s=3.8e-03,
    edge_length_s=0.35,
    waves=(
        (7.256e-04, 2.104e-04),
        (-6.353e-04, -4.678e-04),
        (-4.065e-04, 5.633e-04),
        (1.591e-04, -7.549e-05),
        (4.118e-04, 1.199e-03),
        (-5.220e-05, 2.457e-04),
        (-1.203e-05, -1.568e-04),
        (-2.128e-04, 1.013e-05),
        (4.638e-06, 3.294e-05),
        (1.297e-04, 1.744e-04),
    ),
    source="measured on six NVIDIA H100 80GB HBM3 and six NVIDIA H200, driver 580, 2026-11-28",
)

UNKNOWN = CounterResponse(
    shortest_s=0.025,
    shortest_ticks=0.75,
    edge_s=3.3e-3,
    edge_ticks=0.15,
    edge_length_s=0.01,
    source="not measured on this model",
)
"""Where a model's is not known. Bursts on H100s scatter by 3.3 ms of their power if nothing is taken out.
Simulated samples each quarter of a tick, at moments that vary, scatter by 13 % of a tick
(docs/results/meter-simulated.md). And there are counters that see a quarter of each tick (arXiv 2312.02741):
work that is shorter than the rest may go unseen."""

_KNOWN = ((re.compile(r"NVIDIA (H100 80GB HBM3|H200)"), "580.", _HOPPER, _HOPPER_FOLLOWED),)


def response_of(model: str, driver: str) -> CounterResponse:
    """The response of the energy counter of a GPU model under a driver, as far as known.

    >>> response_of("NVIDIA H100 80GB HBM3", "580.159.04").settle_s
    0.09
    >>> response_of("NVIDIA H100 80GB HBM3", "535.1").waves
    ()
    """
    for pattern, driver_start, response, _ in _KNOWN:
        if pattern.fullmatch(model) and driver.startswith(driver_start):
            return response
    return UNKNOWN


def followed_response_of(model: str, driver: str) -> CounterResponse | None:
    """The same while each tick of the counter is read; `None` if that isn't known."""
    for pattern, driver_start, _, response in _KNOWN:
        if pattern.fullmatch(model) and driver.startswith(driver_start):
            return response
    return None
