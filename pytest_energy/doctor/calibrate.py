"""Calibration: the response of a GPU's energy counter, measured with bursts of work.

Rule 1: the counter is read as it is in a run, by the run's sampler: left alone around each burst. Only how
        late it is takes reads of each tick after a burst, which change little of that.
Rule 2: what can't be found is an error with its reason. No response is better than a wrong one.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from pytest_energy.documents import now_text
from pytest_energy.errors import NotMeasurable
from pytest_energy.meter.calibration import Burst, calibrated
from pytest_energy.meter.clock import Clock, SystemClock
from pytest_energy.meter.device_lock import DeviceBusy, Patience, owned
from pytest_energy.meter.even_shares import ThirdShares
from pytest_energy.meter.lag import Lag, SeenBurst, counted, lag
from pytest_energy.meter.quiet_power import Span
from pytest_energy.meter.response import least_even_length_s
from pytest_energy.meter.rest import FIND_S, at_rest
from pytest_energy.meter.sampler import Runner, Sampler, ThreadRunner
from pytest_energy.meter.tick_times import HEAD_TICKS
from pytest_energy.meter.waiting import (
    LEFT_S,
    slowest_tick_s,
    until_share_s,
    wait_for_ticks,
    why_not_followed,
)
from pytest_energy.model import Channel, CounterResponse
from pytest_energy.profiling.burst_load import BurstLoad, GpuBursts
from pytest_energy.sensors.nvml import NvmlSensor
from pytest_energy.sensors.protocol import Sensor

# Ticks at rest before the first burst: the sampler looks closely at twenty before it believes a beat.
_REST_TICKS = 40

# Lengths of bursts, in ticks. In the short ones the counter's moments show; in the long ones how even all
# else is.
_SHORT_TICKS = (0.06, 0.12, 0.25, 0.5)
_LONG_TICKS = (1.3, 2.4, 5.7)
_LAG_COUNT, _SHORT_COUNT, _LONG_COUNT = 40, 96, 24

# How late a counter of quick ticks is takes longer bursts: of 6 to 50 ms.
_LAG_LEAST_S = 0.1

# A device takes its time to hand over work: shorter bursts are not even.
_SHORTEST_S = 4e-3

# As long is waited for a run that measures the device at this moment.
_OTHERS_S = 10.0

# By when a counter has surely settled, where it isn't known yet.
_HOLD_S, _HOLD_TICKS = 1.0, 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredResponse:
    """The response of one counter, and from what it comes.

    Attributes:
        lag: How late it is.
        bursts: As they were counted; the response is from those.
    """

    channel: str
    response: CounterResponse
    lag: Lag
    bursts: tuple[Burst, ...]


def calibrate(
    sensor: Sensor,
    channel: Channel,
    load: BurstLoad,
    clock: Clock,
    *,
    source: str,
    runner: Runner | None = None,
) -> MeasuredResponse:
    """Measure how the counter of *channel* responds: 2 to 3 minutes for one of 0.1 s.

    Args:
        sensor: Nobody else may read it meanwhile.
        channel: One of the sensor's.
        load: Works on the channel's device, which has nothing else to do.
        clock: The clock of all times.
        source: Where the response is from, as it will be shown.
        runner: What runs the sampler; a thread by default.

    Raises:
        NotMeasurable: No load can be made, the counter doesn't tick, or its response can't be found.
    """
    load.prepare()
    sampler = Sampler([sensor], clock, ThreadRunner(clock) if runner is None else runner)
    sampler.start()
    try:
        series = _Series(sampler, channel, load, clock)
        hold_s = max(_HOLD_S, _HOLD_TICKS * series.tick_s)
        watched = series.bursts(_SHORT_TICKS, _LAG_COUNT, hold_s, least_s=_LAG_LEAST_S, is_left=False)
        found = lag(list(watched), hold_s=hold_s)
        short = series.bursts(_SHORT_TICKS, _SHORT_COUNT, found.settle_s)
        long = series.bursts(_LONG_TICKS, _LONG_COUNT, found.settle_s)
        seen = [*short, *long]
    except NotMeasurable as error:
        raise NotMeasurable(f"{channel.name}: {error}") from error
    finally:
        sampler.stop()
    if sampler.failure is not None:
        raise sampler.failure
    bursts = tuple(counted(seen, found.settle_s))
    known = CounterResponse(
        settle_s=found.settle_s,
        shortest_s=min((burst.length_s for burst in bursts), default=0.0),
        source=source,
    )
    response = calibrated(bursts, tick_s=series.tick_s, known=known)
    response = _with_lag(response, found)
    response = replace(response, shortest_s=least_even_length_s(response))
    return MeasuredResponse(channel=channel.name, response=response, lag=found, bursts=bursts)


def _with_lag(response: CounterResponse, found: Lag) -> CounterResponse:
    """What may still come later than the lag is left open too: all of it of work as long as the settling."""
    is_most = found.left_s > response.edge_s
    return replace(
        response,
        edge_s=math.hypot(response.edge_s, found.left_s),
        edge_length_s=min(response.edge_length_s, found.settle_s) if is_most else response.edge_length_s,
    )


def calibrate_models(
    sensor: NvmlSensor,
    say: Callable[[str], None],
    *,
    clock: Clock | None = None,
    runner: Runner | None = None,
    make_load: Callable[[str, Clock], BurstLoad] = GpuBursts,
) -> Iterator[tuple[str, MeasuredResponse]]:
    """Measure the response of the first GPU of each model.

    Args:
        sensor: Nobody else may read it meanwhile.
        say: Is given what goes on, and what was not found, in lines for a screen.
        clock: The machine's by default.
        runner: As for `calibrate`.
        make_load: Of a device of torch and a clock.

    Yields:
        A model and what was found, as it is found.
    """
    clock = SystemClock() if clock is None else clock
    patience = Patience(limit_s=_OTHERS_S, now_s=clock.now_s, tell=lambda *_: None)
    first = {model: name for name, model in reversed(sensor.models.items())}
    for channel in sensor.channels:
        model = sensor.models[channel.name]
        if first[model] != channel.name:
            continue
        say(f"{channel.name}: {model}, driver {sensor.driver}: bursts of work for 2 to 3 min")
        if sensor.state(channel.name).is_busy:
            say("  not measured: it is at work; stop what works there, and try again")
            continue
        try:
            with owned([channel.device], patience):
                load = make_load(f"cuda:{channel.name.rpartition(':')[2]}", clock)
                source = f"measured here, {now_text()}"
                found = calibrate(sensor, channel, load, clock, source=source, runner=runner)
        except DeviceBusy as error:
            say(f"  not measured: {error}")
        except NotMeasurable as error:
            say(f"  not found: {error}")
        else:
            yield model, found


class _Series:
    """Bursts one after the other, at moments that are spread evenly over the tick.

    Raises:
        NotMeasurable: The counter doesn't tick.
    """

    def __init__(self, sampler: Sampler, channel: Channel, load: BurstLoad, clock: Clock) -> None:
        self._sampler, self._channel, self._load, self._clock = sampler, channel, load, clock
        self._delays = ThirdShares()
        since_s = clock.now_s()
        at_rest(sampler, [channel], clock, FIND_S)
        because = why_not_followed(sampler, [channel])
        if because is not None:
            raise NotMeasurable(because)
        self.tick_s = slowest_tick_s(sampler, [channel]) or 0.0
        clock.sleep_s(max(0.0, _REST_TICKS * self.tick_s - FIND_S))
        self._quiet_s: list[Span] = [(since_s, clock.now_s())]

    def bursts(
        self,
        lengths_ticks: Sequence[float],
        count: int,
        hold_s: float,
        *,
        least_s: float = 0.0,
        is_left: bool = True,
    ) -> Iterator[SeenBurst]:
        """So many, of these lengths in turns, each watched until two ticks after it had settled.

        The lengths are in ticks of at least *least_s*. The counter is left alone as in a run's windows, or
        each of its ticks is seen.
        """
        for number in range(count):
            tick_s = max(self.tick_s, least_s)
            length_s = max(_SHORTEST_S, lengths_ticks[number % len(lengths_ticks)] * tick_s)
            share, now_s = self._delays.take(), self._clock.now_s()
            delay_s = until_share_s(self._sampler, [self._channel], share, now_s)
            if is_left:
                self._leave_until(now_s + delay_s + LEFT_S)
            self._clock.sleep_s(delay_s)
            self._sampler.mark()
            start_s = self._clock.now_s()
            self._quiet_s[-1] = self._quiet_s[-1][0], start_s
            self._load.run(length_s)
            stop_s = self._clock.now_s()
            if is_left:
                self._leave_until(stop_s + hold_s)
            self._wait(start_s, stop_s + hold_s)
            yield self._seen(start_s, stop_s)
            self._quiet_s.append((stop_s + hold_s, self._clock.now_s()))

    def _leave_until(self, time_s: float) -> None:
        self._sampler.leave_until([self._channel.name], time_s)

    def _wait(self, since_s: float, until_s: float) -> None:
        name = self._channel.name

        def why_stop() -> str | None:
            return self._sampler.why_dead() or self._sampler.fault_since(name, since_s)

        because = wait_for_ticks(self._sampler, self._clock, {self._channel: until_s}, why_stop)
        if because is not None:
            raise NotMeasurable(because)

    def _seen(self, start_s: float, stop_s: float) -> SeenBurst:
        ticks = self._sampler.ticks(self._channel.name)
        first = bisect_right(ticks, start_s, key=lambda tick: tick.time_s)
        around = ticks[max(0, first - HEAD_TICKS) :]
        edges_s = {start_s, stop_s}.union(*self._quiet_s)
        return SeenBurst(
            start_s=start_s,
            stop_s=stop_s,
            ticks=tuple(t.tick for t in around if not any(t.straddles(edge_s) for edge_s in edges_s)),
            quiet_s=tuple(self._quiet_s),
        )
