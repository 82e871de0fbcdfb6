"""How NVML's energy counters respond to power, by model of GPU and driver.

Where a model is not here nothing is taken out of its joules, and what may be left open is in their
uncertainty. `pytest-energy doctor --calibrate` measures the response of the card at hand.
"""

import re
from dataclasses import replace

from pytest_energy.model import CounterResponse

# Two H100s and eight H200s, 1,680 bursts of 8 ms to 1 s, left alone until the counter had settled. What is
# left open: how those of each board scatter if the response of the others is taken out. Power is at rest
# later than the joules are counted: after 9 ms of matrix products four H100s drew up to 1.8 W more for 0.16 s
# (docs/results/meter-response.md).
_HOPPER = CounterResponse(
    settle_s=0.09,
    rest_s=0.16,
    shortest_s=0.008,
    edge_s=4.2e-03,
    edge_length_s=0.56,
    tick_s=0.1000003,
    waves=(
        (-2.810e-04, 2.854e-04),
        (-3.307e-04, 8.106e-05),
        (-2.879e-04, 6.202e-05),
        (-2.530e-04, -1.338e-05),
        (7.984e-05, 1.434e-03),
        (-1.145e-04, -2.813e-05),
        (-1.345e-04, -3.142e-05),
        (-8.052e-05, -5.750e-05),
        (-8.904e-05, -3.871e-05),
        (-1.152e-04, 3.499e-04),
    ),
    source="measured on two NVIDIA H100 80GB HBM3 and eight NVIDIA H200, driver 580, 2026-11-28",
)

# Six H100s and six H200s, each tick read.
_HOPPER_FOLLOWED = replace(
    _HOPPER,
    edge_s=3.8e-03,
    edge_length_s=0.35,
    waves=(
        (7.062e-04, 2.684e-04),
        (-5.515e-04, -5.642e-04),
        (-5.301e-04, 4.489e-04),
        (1.749e-04, -2.087e-05),
        (-9.424e-05, 1.264e-03),
        (-1.610e-04, 1.928e-04),
        (7.412e-05, -1.387e-04),
        (-1.757e-04, -1.205e-04),
        (-1.850e-05, 2.765e-05),
        (-3.694e-05, 2.142e-04),
    ),
    source="measured on six NVIDIA H100 80GB HBM3 and six NVIDIA H200, driver 580, 2026-11-28",
)

UNKNOWN = CounterResponse(
    shortest_s=0.025,
    shortest_ticks=0.97,
    edge_s=3.3e-3,
    edge_ticks=0.24,
    edge_length_s=0.01,
    source="not measured on this model",
)
"""Where a model's is not known. Bursts on H100s scatter by 3.3 ms of their power if nothing is taken out.
There are counters that see a quarter of each tick (arXiv 2312.02741): work that is shorter than the rest may
go unseen, and of even work of any length they are off by a quarter of a tick, or twice that
(docs/results/meter-simulated.md). Where a whole tick inside the window shows its power, less is left."""

# Models, the start of the driver's version, and the responses left alone and with each tick read.
_KNOWN = ((re.compile(r"NVIDIA (H100 80GB HBM3|H200)"), "580.", _HOPPER, _HOPPER_FOLLOWED),)


def _responses_of(model: str, driver: str) -> tuple[CounterResponse, CounterResponse | None]:
    for pattern, driver_start, response, followed in _KNOWN:
        if pattern.fullmatch(model) and driver.startswith(driver_start):
            return response, followed
    return UNKNOWN, None


def response_of(model: str, driver: str) -> CounterResponse:
    """The response of the energy counter of a GPU model under a driver, as far as known.

    >>> response_of("NVIDIA H100 80GB HBM3", "580.159.04").settle_s
    0.09
    >>> response_of("NVIDIA H100 80GB HBM3", "535.1").waves
    ()
    """
    return _responses_of(model, driver)[0]


def followed_response_of(model: str, driver: str) -> CounterResponse | None:
    """The same while each tick of the counter is read; `None` if that isn't known."""
    return _responses_of(model, driver)[1]


def is_read_at_end(model: str, driver: str) -> bool:
    """Whether a read is known to give what the counter has at the read's end.

    Of those whose response is known it is: on 26 runs of H100s and H200s a steady beat passed between the
    ends of the reads around each of 100 ticks and more, and on none between their starts.
    """
    return response_of(model, driver) is not UNKNOWN
