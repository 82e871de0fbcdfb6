"""How NVML's energy counters respond to power, by model of GPU and driver.

Where a model is not here nothing is taken out of its joules, and what may be left open is in their
uncertainty. `pytest-energy doctor --calibrate` measures the response of the card at hand.
"""

import re

from pytest_energy.model import CounterResponse

# Two boards of a model each, bursts of 5 ms to 1.1 s. What is left open: how those of each board scatter if
# the response of the other is taken out. Judged on more boards (docs/results/meter-response.md).
_H100_80GB_HBM3 = CounterResponse(
    settle_s=0.06,
    edge_s=4.0e-03,
    edge_length_s=0.40,
    tick_s=0.1000015,
    waves=(
        (7.312e-04, 2.761e-04),
        (-5.218e-04, -4.851e-04),
        (-5.457e-04, 3.906e-04),
        (1.104e-04, 1.760e-04),
        (6.159e-04, 1.140e-03),
        (-1.967e-04, 8.201e-05),
        (-8.759e-05, 2.468e-05),
        (-1.091e-04, -2.871e-05),
    ),
    source="measured on two NVIDIA H100 80GB HBM3, driver 580, 2026-11-27",
)

_H200 = CounterResponse(
    settle_s=0.088,
    shortest_s=0.005,
    edge_s=2.0e-03,
    edge_length_s=0.032,
    tick_s=0.0999993,
    waves=(
        (4.250e-04, 8.645e-05),
        (-7.034e-04, -3.005e-04),
        (-3.436e-04, 6.741e-04),
        (1.258e-04, -1.476e-04),
        (6.803e-04, 1.001e-03),
        (-3.924e-05, 2.181e-04),
        (-4.731e-05, -1.349e-04),
        (-8.041e-05, 4.260e-05),
    ),
    source="measured on two NVIDIA H200, driver 580, 2026-11-28",
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

_KNOWN = (
    (re.compile(r"NVIDIA H100 80GB HBM3"), "580.", _H100_80GB_HBM3),
    (re.compile(r"NVIDIA H200"), "580.", _H200),
)


def response_of(model: str, driver: str) -> CounterResponse:
    """The response of the energy counter of a GPU model under a driver, as far as known.

    >>> response_of("NVIDIA H100 80GB HBM3", "580.159.04").settle_s
    0.06
    >>> response_of("NVIDIA H100 80GB HBM3", "535.1").waves
    ()
    """
    for pattern, driver_start, response in _KNOWN:
        if pattern.fullmatch(model) and driver.startswith(driver_start):
            return response
    return UNKNOWN
