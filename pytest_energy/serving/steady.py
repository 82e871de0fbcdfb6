"""When a load is in its steady state, and whether the engine kept up.

Rule 1: the steady state of an open loop lies between three p95 latencies after the start, when the queue has
its usual length, and the last arrival, before the load drains. In there it is the longest span in which
answers come at the asked rate: the arrivals of a short load are uneven, and power at rest, which the answers
share, would count for too few of them or too many. That of a closed loop is a span of requests.
Rule 2: an engine is saturated when it answers less than 0.98 of what arrives, and the requests it has not
answered grow by more than chance allows. A figure above saturation is not comparable with one below.
Rule 3: an engine is called unsaturated when one that is asked for 1.3 times its capacity would have been seen
to fall behind; a load too short to tell is said to be so.
Rule 4: a span that is decided on one load may be cut out of another: what is counted does not depend on it.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import fmean, pvariance

from pytest_energy.errors import Absent, NotMeasurable
from pytest_energy.serving.load_result import LoadResult, Served, percentile

LATENCIES_TO_SETTLE = 3.0  # p95 latencies until the number in flight no longer remembers the empty start
LEAST_ACHIEVED_SHARE = 0.98  # of the asked rate; the next 2 % are a queue that grows without end
# In the steady state; with fewer, one request at an edge is more than an eighth of the rate.
LEAST_ARRIVALS = 8
LEAST_SPAN_SHARE = 0.5  # of the settled time: a shorter span at the asked rate is one of too few arrivals
SPAN_STEPS = 100  # in which the ends of a span are moved
RATE_PRECISION = 0.01  # of the asked rate
INSTANTS = 65  # at which requests in flight are counted: 17 in each quarter, both edges included
QUARTER = 17
GROWTH_SHARE = 5 / 8  # of the time between them: from the middle of the first quarter to the last's start
FIRST = 8  # requests that find the engine as good as empty
LEAST_QUEUE_SAMPLES = 3  # in a quarter; the lowest of fewer is too often low by chance

# What chance may do, in requests. The numbers are set by simulation (tests/unit/serving/test_steady.py): no
# false call at 0.8 of the capacity in 500 seeds of any load there.
IN_SERVICE_DEVIATIONS = 3.0  # standard deviations of the requests in service
QUEUE_ALLOWANCE = 8.0  # for each unit of squared variation of gaps and of service times
LEAST_ALLOWANCE = 3.0  # with constant gaps and answers: requests at the edges of the quarters
OVERLOAD = 1.3  # of the capacity: what a load must be able to show before an engine is called unsaturated
OVERLOAD_DEVIATIONS = 2.5  # of what such an overload leaves unanswered: 1 in 160 is taken for less
# A schedule's length is fixed, so arrivals in 5/8 of it vary by 3/8 of their usual variance.
BRIDGE_SHARE = 3 / 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """The steady part of a load, and whether the engine kept up.

    Attributes:
        span: Start and stop of the steady state, in seconds since the load began; `None` if it has none.
        is_saturated: Whether the engine fell behind; `None` if this load can't decide it.
        because: Why `span` or `is_saturated` is what it is, for people.
    """

    span: tuple[float, float] | None
    is_saturated: bool | None
    because: str


def steadiness(result: LoadResult) -> Steadiness:
    """Steady state and saturation of one load.

    Source:
        Counting only settled time: the ML.ENERGY benchmark. The rules of saturation are this project's.
    """
    is_saturated, because = None, "no request rate was set, so the engine can't fall behind one"
    if math.isfinite(result.schedule.rate):
        is_saturated, because = _saturation(result)
    span = Absent("an engine that falls behind is never steady") if is_saturated else steady_span(result)
    if isinstance(span, Absent):
        because = span.because if is_saturated is None else f"{because}; {span.because}"
        return Steadiness(span=None, is_saturated=is_saturated, because=because)
    return Steadiness(span=span, is_saturated=is_saturated, because=because)


def steady_span(result: LoadResult) -> tuple[float, float] | Absent:
    """Start and stop of the steady state, in seconds since the load began, or why there is none.

    Decided on a warm-up load, the span of an open loop may be cut out of every load with the same schedule,
    whatever its latencies are. That of a closed loop is to be asked of each load: it is a span of requests,
    and a faster load has done with them earlier.

    Source:
        Closed loop: the ML.ENERGY benchmark, from the moment that as many requests as its cap have a first
        token to the moment that all but the cap and one have finished.
    """
    if result.schedule.is_closed_loop:
        return _closed_span(result)
    if math.isinf(result.schedule.rate):
        return Absent("all requests at once: the load only fills and drains")
    start_s = LATENCIES_TO_SETTLE * percentile([_response_s(request) for request in result.served], 0.95)
    stop_s = result.served[-1].due_s
    arrivals = sum(start_s < request.due_s < stop_s for request in result.served)
    if arrivals < LEAST_ARRIVALS:
        return Absent(
            f"too short: it settles after {start_s:.2f} s (three p95 latencies) and its last request left at "
            f"{stop_s:.2f} s; {arrivals} requests lie between, {LEAST_ARRIVALS} are needed"
        )
    return _at_asked_rate(result, start_s, stop_s)


def _at_asked_rate(result: LoadResult, start_s: float, stop_s: float) -> tuple[float, float]:
    """The longest span within *start_s* to *stop_s* in which answers come at the asked rate.

    Where none comes within 1 % of it, the one that comes nearest. Ends are tried on a grid.
    """
    tokens = sorted(
        (time_s, 1 / request.output_tokens) for request in result.served for time_s in request.token_times_s
    )
    times_s = [time_s for time_s, _ in tokens]
    answers = [0.0, *accumulate(share for _, share in tokens)]
    step_s = (stop_s - start_s) * (1 - LEAST_SPAN_SHARE) / SPAN_STEPS

    def deviation(first_s: float, last_s: float) -> float:
        worth = answers[bisect_right(times_s, last_s)] - answers[bisect_right(times_s, first_s)]
        return abs(worth / ((last_s - first_s) * result.schedule.rate) - 1)

    spans = [
        (start_s + head * step_s, stop_s - (cut - head) * step_s)
        for cut in range(SPAN_STEPS + 1)
        for head in range(cut + 1)
    ]
    longest = next((span for span in spans if deviation(*span) <= RATE_PRECISION), None)
    return longest or min(spans, key=lambda span: deviation(*span))


def answers_between(result: LoadResult, start_s: float, stop_s: float) -> float:
    """Tokens that came from *start_s* to *stop_s*, in whole answers: the divisor for joules a request.

    Raises:
        NotMeasurable: The span is empty.
    """
    if not start_s < stop_s:
        raise NotMeasurable(f"a stretch of a load from {start_s:.3f} s to {stop_s:.3f} s holds no time")
    return math.fsum(
        (bisect_right(request.token_times_s, stop_s) - bisect_right(request.token_times_s, start_s))
        / request.output_tokens
        for request in result.served
    )


def tokens_between(result: LoadResult, start_s: float, stop_s: float) -> int:
    """Tokens that came from *start_s* to *stop_s*: the divisor where the length of answers is free.

    Raises:
        NotMeasurable: The span is empty.
    """
    if not start_s < stop_s:
        raise NotMeasurable(f"a stretch of a load from {start_s:.3f} s to {stop_s:.3f} s holds no time")
    return sum(
        bisect_right(request.token_times_s, stop_s) - bisect_right(request.token_times_s, start_s)
        for request in result.served
    )


def _closed_span(result: LoadResult) -> tuple[float, float] | Absent:
    cap, count = result.schedule.concurrency or 0, len(result.served)
    first_s = sorted(request.first_token_s for request in result.served)
    finished_s = sorted(request.finished_s for request in result.served)
    last = count - cap - 1
    start_s, stop_s = first_s[min(cap, count) - 1], finished_s[last - 1] if last > 0 else 0.0
    answers = last - bisect_right(finished_s, start_s)
    if answers < LEAST_ARRIVALS:
        return Absent(
            f"too short: {max(0, answers)} of {count} requests end from the first token of {cap} requests "
            f"to the end of all but {cap + 1}; {LEAST_ARRIVALS} are needed, so send {3 * cap + 9} or more"
        )
    return start_s, stop_s


def _response_s(request: Served) -> float:
    """From when the schedule sent it to its last token: under a cap, the wait for a place belongs to it."""
    return request.finished_s - request.due_s


def _saturation(result: LoadResult) -> tuple[bool | None, str]:
    """Whether what is unanswered grows through the load, and why that is the answer.

    Asked for r times its capacity, an engine leaves the share 1 - 1/r of all arrivals unanswered. So in its
    last quarter a load never comes back to what it had under way in its first. Below saturation it does, but
    for chance.
    """
    served = result.served
    stop_s = served[-1].due_s
    filled_s = _filled_s(served, stop_s)
    arrivals = GROWTH_SHARE * result.schedule.rate * (stop_s - filled_s)
    if arrivals <= 0:
        return (
            None,
            f"too short: first answers took {filled_s:.2f} s, and the last request left at {stop_s:.2f} s",
        )
    variations = 1.0 / result.schedule.burstiness, _service_variation(served)
    growth, usual = _growth(_in_flight(served, filled_s, stop_s), QUARTER)
    lost = (1.0 - LEAST_ACHIEVED_SHARE) * arrivals
    waiting_chance = max(LEAST_ALLOWANCE, QUEUE_ALLOWANCE * sum(variations))
    chance = waiting_chance + IN_SERVICE_DEVIATIONS * math.sqrt(usual * max(variations))
    because = (
        f"requests under way grew by {growth:.0f} of {arrivals:.0f} arrivals; chance explains {chance:.0f}"
    )
    if growth > max(lost, chance):
        return True, because
    waiting_growth = _waiting_growth(result, filled_s, stop_s)
    if waiting_growth is not None and waiting_growth > max(lost, waiting_chance):
        return True, (
            f"requests waiting in the engine grew by {waiting_growth:.0f} of {arrivals:.0f} arrivals; chance "
            f"explains {waiting_chance:.0f}"
        )
    overload = _least_overload(arrivals, usual, *variations)
    if overload <= 0 or growth >= overload:
        needed = (
            f"falling behind would leave {overload:.0f} or more"
            if overload > 0
            else "an engine that falls behind may leave as many"
        )
        return None, f"too short for a decision: {because}; {needed}"
    return False, because


def _filled_s(served: Sequence[Served], stop_s: float) -> float:
    """When an engine that keeps up has what it usually has under way: after one latency.

    That of the first eighth of the requests, which wait least. Far above the capacity those too wait for
    long; then half of the load, if it holds the latency of the very first.
    """
    first_s = [_response_s(request) for request in served[: max(FIRST, len(served) // 8)]]
    latency_s = percentile(first_s, 0.95)
    return latency_s if latency_s <= stop_s / 2 else min(latency_s, max(stop_s / 2, *first_s[:FIRST]))


def _growth(counts: Sequence[int], quarter: int) -> tuple[float, float]:
    """From the mean of the first *quarter* counts to the least of the last, and that mean."""
    usual = fmean(counts[:quarter])
    return min(counts[-quarter:]) - usual, usual


def _least_overload(arrivals: float, usual: float, gap_variation: float, service_variation: float) -> float:
    """Requests that an engine asked for 1.3 times its capacity leaves unanswered, less what chance may take.

    Chance has the arrivals, the services, and the requests in service: answers of one length repeat the
    pattern of the arrivals one service time later.
    """
    in_service = usual * max(gap_variation, service_variation)
    variance = arrivals * (BRIDGE_SHARE * gap_variation + service_variation) + in_service
    return (1.0 - 1.0 / OVERLOAD) * arrivals - OVERLOAD_DEVIATIONS * math.sqrt(variance)


def _in_flight(served: Sequence[Served], start_s: float, stop_s: float) -> list[int]:
    """Requests that were due and not finished, at even instants."""
    due_s = [request.due_s for request in served]
    finished_s = sorted(request.finished_s for request in served)
    times_s = [start_s + (stop_s - start_s) * step / (INSTANTS - 1) for step in range(INSTANTS)]
    return [bisect_left(due_s, time_s) - bisect_right(finished_s, time_s) for time_s in times_s]


def _service_variation(served: Sequence[Served]) -> float:
    """Squared coefficient of variation of the service time, as decoding shows it; 1 where nothing shows it.

    A queue of squared variations c_a (gaps) and c_s (service) has an exponential tail of scale c_a + c_s.

    Source:
        Kingman: The single server queue in heavy traffic, 1961; heavy-traffic tail as in Kleinrock, Queueing
        Systems, volume 2, 1976, section 2.1.
    """
    decode_s = [request.finished_s - request.first_token_s for request in served]
    mean_s = fmean(decode_s)
    return pvariance(decode_s, mean_s) / mean_s**2 if mean_s > 0 else 1.0


def _waiting_growth(result: LoadResult, start_s: float, stop_s: float) -> float | None:
    """Growth of what waits in the engine, which knows no chance of service; `None` with too few samples."""
    quarter_s = (stop_s - start_s) / 4
    first = [s.depth for s in result.queue if start_s <= s.time_s <= start_s + quarter_s]
    last = [s.depth for s in result.queue if stop_s - quarter_s <= s.time_s <= stop_s]
    quarter = min(len(first), len(last))
    return None if quarter < LEAST_QUEUE_SAMPLES else _growth(first[:quarter] + last[-quarter:], quarter)[0]
