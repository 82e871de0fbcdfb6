"""How NVML's energy counters respond to power, by model of GPU and driver.

Where a model is not here nothing is taken out of its joules, and what may be left open is in their
uncertainty. `pytest-energy doctor --calibrate` measures the response of the card at hand.
"""

import re

from pytest_energy.model import CounterResponse

# Six H100s and two H200s, 1,251 bursts of 8 ms to 1 s, read as in a run. What is left open: how those of each
# board scatter if the response of the seven others is taken out (docs/results/meter-response.md).
_HOPPER = CounterResponse(
    settle_s=0.09,
    shortest_s=0.008,
    edge_s=3.5e-03,
    edge_length_s=0.25,
    tick_s=0.1000007,
    waves=(
        (7.913e-04, 1.710e-04),
        (-6.355e-04, -5.032e-04),
        (-4.147e-04, 6.380e-04),
        (2.082e-04, -1.042e-04),
        (4.228e-04, 1.133e-03),
        (-1.815e-05, 3.016e-04),
        (-2.441e-05, -1.573e-04),
        (-2.626e-04, 7.234e-05),
    ),
    source="measured on six NVIDIA H100 80GB HBM3 and two NVIDIA H200, driver 580, 2026-11-28",
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

_KNOWN = ((re.compile(r"NVIDIA (H100 80GB HBM3|H200)"), "580.", _HOPPER),)


def response_of(model: str, driver: str) -> CounterResponse:
    """The response of the energy counter of a GPU model under a driver, as far as known.

    >>> response_of("NVIDIA H100 80GB HBM3", "580.159.04").settle_s
    0.09
    >>> response_of("NVIDIA H100 80GB HBM3", "535.1").waves
    ()
    """
    for pattern, driver_start, response in _KNOWN:
        if pattern.fullmatch(model) and driver.startswith(driver_start):
            return response
    return UNKNOWN
