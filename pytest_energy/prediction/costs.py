"""The cost of each feature on a GPU: seconds of the host and of the device, and active joules. Pure.

    seconds = max(host, device)
    joules  = ready power x seconds + active joules

The host gives the device its work ahead of time, so the slower of the two sets the pace. Host, device and
active joules are each a sum over features, cost x amount, with no cost below 0 and nothing fixed: work that
is done twice costs twice. Ready power is that of the card with its device open and nothing at work.

Source:
    The max of two rates: Williams et al. 2009, Communications of the ACM 52, the roofline. A constant power
    beside joules for each operation and each byte: Choi et al. 2013, A roofline model of energy, IPDPS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule
from pytest_energy.prediction.features import (
    BACKWARD_BYTES,
    BYTES,
    CALLS,
    COPIED,
    NODES,
    OPERATORS,
    WAITS,
    Features,
    is_flops,
)
from pytest_energy.prediction.least_squares import fitted, non_negative
from pytest_energy.prediction.observations import Observation

if TYPE_CHECKING:
    import numpy as np

    from pytest_energy.prediction.least_squares import Floats
else:
    np = LazyModule("numpy")

_OF_HOST = (OPERATORS, NODES, WAITS)
_OF_DEVICE = (BYTES, BACKWARD_BYTES, COPIED)
_ACTIVE = (*_OF_DEVICE, CALLS)
"""Calls cost the host time and the device joules. A kernel's least seconds are left out: in a fit they can't
be told from the host's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """Costs by feature.

    Attributes:
        host_s: Seconds of the host for one of each.
        device_s: Seconds of the device.
        active_j: Joules above ready power.
        ready_power_w: Power with the device open and nothing at work.
    """

    host_s: Mapping[str, float]
    device_s: Mapping[str, float]
    active_j: Mapping[str, float]
    ready_power_w: float

    def duration_s(self, features: Features) -> float:
        return max(_sum(self.host_s, features), _sum(self.device_s, features))

    def energy_j(self, features: Features) -> float:
        return self.ready_power_w * self.duration_s(features) + _sum(self.active_j, features)


def _sum(costs: Mapping[str, float], features: Features) -> float:
    return sum(cost * features.get(name, 0.0) for name, cost in costs.items())


def fit_costs(observations: Sequence[Observation]) -> Costs:
    """The costs that explain seconds and active joules of *observations*, of one machine, best."""
    features = [one.features for one in observations]
    names = sorted({name for one in features for name in one})
    of_host = [name for name in _OF_HOST if name in names]
    of_device = [name for name in names if is_flops(name) or name in _OF_DEVICE]
    active = [name for name in names if is_flops(name) or name in _ACTIVE]
    host, device, at_work = (_columns(features, some) for some in (of_host, of_device, active))
    durations_s = np.array([one.duration_s for one in observations])
    active_j = np.array([one.active_energy_j for one in observations])
    seconds = fitted(_slower(host, device), durations_s, _start(host, device, durations_s))
    joules = fitted(lambda _: at_work, active_j, _relative(at_work, active_j))
    return Costs(
        host_s=dict(zip(of_host, seconds[: len(of_host)].tolist(), strict=True)),
        device_s=dict(zip(of_device, seconds[len(of_host) :].tolist(), strict=True)),
        active_j=dict(zip(active, joules.tolist(), strict=True)),
        ready_power_w=median(one.ready_power_w for one in observations),
    )


def _columns(features: Sequence[Features], names: Sequence[str]) -> "Floats":
    return np.array([[one.get(name, 0.0) for name in names] for one in features])


def _slower(host: "Floats", device: "Floats") -> "Callable[[Floats], Floats]":
    """The rows of the slower of host and device, at given costs."""
    count = host.shape[1]

    def rows_at(costs: "Floats") -> "Floats":
        is_host = (host @ costs[:count] >= device @ costs[count:])[:, None]
        return np.hstack([np.where(is_host, host, 0.0), np.where(is_host, 0.0, device)])

    return rows_at


def _start(host: "Floats", device: "Floats", durations_s: "Floats") -> "Floats":
    """The host as slow as no observation forbids, the device as if it alone took the time."""
    slowest_s = float(np.min(durations_s / host.sum(axis=1)))
    return np.concatenate([np.full(host.shape[1], slowest_s), _relative(device, durations_s)])


def _relative(rows: "Floats", targets: "Floats") -> "Floats":
    return non_negative(rows / targets[:, None], np.ones_like(targets))
