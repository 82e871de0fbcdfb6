"""Joules of a device without an energy counter: its power, integrated.

Rule 1: what is summed is the power of the moment, never a mean over the last second, which puts the
        joules of a burst into the next one.
Rule 2: where power wasn't sampled for too long, joules are missing, and the read says so.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pytest_energy.errors import SensorError
from pytest_energy.model import Channel, CounterResponse
from pytest_energy.units import WATTS_PER_MILLIWATT

# Power is shown about 100 ms late and changes about every 100 ms (seen on an H100).
# Samples twice as often miss no value, and a step twice as long is past the delay.
_SAMPLE_S = 0.05
_STEP_S = 0.2
_UPDATE_S = 0.1

# Of a step in which hardware that may be switched off drew nothing: without it no step would be seen, and the
# counter be taken for a broken one. It is far below what any monitor resolves.
_LEAST_STEP_J = 1e-9

# Two steps after the work the delay is surely over.
_RESPONSE = CounterResponse(settle_s=2 * _STEP_S)

# Reads closer than this see the same power.
_SAME_SAMPLE_S = 0.02

# Samples further apart than this leave a gap that nobody can fill.
_LONGEST_GAP_S = 1.0


class IntegratedPower:
    """Joules of a device without a counter: its power, integrated.

    They move in steps of 200 ms, like a counter that ticks, so that windows are aligned to them as to any
    other. Power is shown with a delay, and that is over one step after the work.
    """

    def __init__(
        self,
        channel: str,
        ask_w: Callable[[], float],
        *,
        limit_w: float,
        now_s: Callable[[], float],
        update_s: float = _UPDATE_S,
        may_be_off: bool = False,
    ) -> None:
        self._channel, self._ask_w, self._now_s = channel, ask_w, now_s
        self._resolution_j = limit_w * update_s
        self._least_step_j = _LEAST_STEP_J if may_be_off else 0.0
        self._sampled_s: float | None = None
        self._step = 0
        self._joules = self._shown_j = 0.0

    def of(self, channel: Channel) -> Channel:
        """*channel*, marked as one whose power is integrated.

        At an edge of the work the power that is shown is up to one update old, and off by up to all power:
        that is the step to which its joules are known.
        """
        return replace(
            channel,
            sampled_s=_SAMPLE_S,
            response=_RESPONSE,
            followed_response=None,
            is_read_at_end=False,
            resolution_j=self._resolution_j,
        )

    def read_j(self) -> float:
        """Joules since the first read.

        Raises:
            SensorError: It wasn't read for too long; from now on it counts again.
        """
        now_s = self._now_s()
        last_s, step = self._sampled_s, math.floor(now_s / _STEP_S)
        if last_s is not None and step == self._step and 0 <= now_s - last_s < _SAME_SAMPLE_S:
            return self._shown_j
        power_w = self._ask_w()
        before, self._sampled_s, self._step = self._step, now_s, step
        if last_s is None:
            return self._shown_j
        if not 0 <= now_s - last_s <= _LONGEST_GAP_S:
            raise SensorError(
                f"{self._channel}: its power wasn't sampled for {now_s - last_s:.3g} s: joules are missing"
            )
        if step != before:
            shown_j = self._joules + power_w * (step * _STEP_S - last_s)
            self._shown_j = max(shown_j, self._shown_j + self._least_step_j)
        self._joules += power_w * (now_s - last_s)
        return self._shown_j


def integrated_power(
    nvml: Any, channel: str, handle: object, now_s: Callable[[], float]
) -> IntegratedPower | str:
    """The integral of a GPU's power, or why there can't be one."""
    ask_w = _power_source(nvml, channel, handle)
    if ask_w is None:
        return "NVML doesn't report its present power, at best a mean over one second"
    try:
        limit_w = power_limit_w(nvml, handle)
    except nvml.NVMLError as error:
        return f"the uncertainty of integrated power needs its power limit: {error}"
    return IntegratedPower(channel, ask_w, limit_w=limit_w, now_s=now_s)


def _power_source(nvml: Any, channel: str, handle: object) -> Callable[[], float] | None:
    """What gives the power of a moment, in watts; `None` if NVML has a mean over a second at best.

    Source:
        NVML API reference, nvmlDeviceGetPowerUsage: a mean over 1 s on Ampere (except GA100) and newer.
    """
    power_w = instant_power_w
    try:
        instant_power_w(nvml, handle)
    except nvml.NVMLError:
        power_w = _power_usage_w
        try:
            _power_usage_w(nvml, handle)
            if nvml.nvmlDeviceGetArchitecture(handle) >= nvml.NVML_DEVICE_ARCH_AMPERE:
                return None
        except nvml.NVMLError:
            return None

    def ask_w() -> float:
        try:
            return power_w(nvml, handle)
        except nvml.NVMLError as error:
            raise SensorError(f"{channel}: NVML can't read its power: {error}") from error

    return ask_w


def _power_usage_w(nvml: Any, handle: object) -> float:
    return float(nvml.nvmlDeviceGetPowerUsage(handle) * WATTS_PER_MILLIWATT)


def power_limit_w(nvml: Any, handle: object) -> float:
    return int(nvml.nvmlDeviceGetEnforcedPowerLimit(handle)) * WATTS_PER_MILLIWATT


def instant_power_w(nvml: Any, handle: object) -> float:
    (field,) = nvml.nvmlDeviceGetFieldValues(handle, [nvml.NVML_FI_DEV_POWER_INSTANT])
    if field.nvmlReturn != nvml.NVML_SUCCESS:
        raise nvml.NVMLError(field.nvmlReturn)
    return float(field.value.uiVal * WATTS_PER_MILLIWATT)
