"""Which part of an open-loop load counts as steady, and whether the engine kept up.

Rule 1: the steady part starts three p95 latencies after the start, when the queue has its usual length, and
stops at the last arrival, before the load drains.
Rule 2: an engine is saturated when it answers less than 0.98 of what is asked of it in the steady part, by
more than chance allows, or when latency grows from each quarter of the load to the next. A figure above
saturation is not comparable with one below.
Rule 3: a load too short to tell is said to be so; it is never called unsaturated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from pytest_energy.serving.load import LoadResult, Served, percentile

LATENCIES_TO_SETTLE = 3.0  # p95 latencies until the number in flight no longer remembers the empty start
LEAST_ACHIEVED_SHARE = 0.98  # of the asked rate; the next 2 % are a queue that grows without end
LEAST_ARRIVALS = (
    8  # in the steady part; with fewer, one request at an edge is more than an eighth of the rate
)
CHANCE_DEVIATIONS = 3.0  # standard deviations of the backlog's change that chance may explain: 1 in 700
GROWTH_RATIO = 2.0  # last quarter's latency over the first quarter's from which a queue is called growing
LEAST_IN_QUARTER = 8  # requests whose median is not moved by one slow step of the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class SteadyPart:
    """The part of a load that counts. Times are seconds since the load began.

    Attributes:
        start_s: Where it starts.
        stop_s: Where it stops.
        arrivals: Requests sent in it.
        answers: Requests finished in it.
        output_tokens: Tokens produced in it.
        requests_worth: Those tokens in whole answers: the divisor for joules a request in this part.
        mean_in_flight: Requests under way, averaged over its time.
    """

    start_s: float
    stop_s: float
    arrivals: int
    answers: int
    output_tokens: int
    requests_worth: float
    mean_in_flight: float

    @property
    def achieved_rate(self) -> float:
        """Answered requests a second."""
        return self.answers / (self.stop_s - self.start_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """What is known of a load's steady state.

    Attributes:
        part: The steady part, or `None` where the load has none.
        is_saturated: Whether the engine fell behind; `None` where this load can't tell.
        because: Why `part` or `is_saturated` is what it is, for people.
    """

    part: SteadyPart | None
    is_saturated: bool | None
    because: str


def steadiness(result: LoadResult) -> Steadiness:
    """Steady part and saturation of one load.

    Source:
        Counting only a settled part: the ML.ENERGY benchmark. The two saturation rules are this project's.
    """
    if math.isinf(result.rate):
        return Steadiness(part=None, is_saturated=None, because="all requests at once: no rate was asked")
    growth = _latency_growth(result.served)
    if growth is not None and growth > GROWTH_RATIO:
        because = f"latency grew through the load, {growth:.1f} times from its first to its last quarter"
        return Steadiness(part=None, is_saturated=True, because=because)
    start_s = LATENCIES_TO_SETTLE * percentile([request.e2e_s for request in result.served], 0.95)
    stop_s = result.served[-1].submitted_s
    part = _part(result.served, start_s, stop_s) if stop_s > start_s else None
    if part is None or part.arrivals < LEAST_ARRIVALS:
        arrivals = 0 if part is None else part.arrivals
        because = (
            f"too short: it settles after {start_s:.2f} s (three p95 latencies) and its last request left at "
            f"{stop_s:.2f} s; {arrivals} requests lie between, {LEAST_ARRIVALS} are needed"
        )
        return Steadiness(part=part, is_saturated=None, because=because)
    return _judged(part)


def _judged(part: SteadyPart) -> Steadiness:
    """Whether the backlog grew more than 2 % of the arrivals and more than chance.

    The number in flight of an unsaturated queue is about Poisson with its mean as variance, so its change
    between two far instants has twice that variance.

    Source:
        Little's law and the M/G/infinity queue: Kleinrock, Queueing Systems, volume 1, 1975, chapter 3.
    """
    backlog = part.arrivals - part.answers
    chance = CHANCE_DEVIATIONS * math.sqrt(2.0 * part.mean_in_flight)
    is_saturated = part.answers < LEAST_ACHIEVED_SHARE * part.arrivals and backlog > chance
    because = (
        f"{part.answers} answers to {part.arrivals} requests in the steady part; "
        f"chance explains a backlog of {chance:.1f}"
    )
    return Steadiness(part=part, is_saturated=is_saturated, because=because)


def _latency_growth(served: Sequence[Served]) -> float | None:
    """Median latency of the last quarter over the first's, if it grows throughout and the load is long.

    A load shorter than the settling time shows growth also below saturation, since it starts empty.
    """
    quarter = len(served) // 4
    if quarter < LEAST_IN_QUARTER:
        return None
    starts = (0, quarter, 2 * quarter, len(served) - quarter)
    medians_s = [median(request.e2e_s for request in served[start : start + quarter]) for start in starts]
    is_long = served[-1].submitted_s >= LATENCIES_TO_SETTLE * medians_s[0] > 0
    is_growing = all(earlier < later for earlier, later in pairwise(medians_s))
    return medians_s[-1] / medians_s[0] if is_long and is_growing else None


def _part(served: Sequence[Served], start_s: float, stop_s: float) -> SteadyPart:
    # The request that ends the part is left out of it: it is in flight by choice, not by chance.
    tokens = sum(sum(start_s < time_s <= stop_s for time_s in request.token_times_s) for request in served)
    in_flight_s = math.fsum(
        max(0.0, min(request.finished_s, stop_s) - max(request.submitted_s, start_s)) for request in served
    )
    return SteadyPart(
        start_s=start_s,
        stop_s=stop_s,
        arrivals=sum(start_s < request.submitted_s < stop_s for request in served),
        answers=sum(start_s < request.finished_s <= stop_s for request in served),
        output_tokens=tokens,
        requests_worth=math.fsum(
            sum(start_s < time_s <= stop_s for time_s in request.token_times_s) / request.output_tokens
            for request in served
        ),
        mean_in_flight=in_flight_s / (stop_s - start_s),
    )
