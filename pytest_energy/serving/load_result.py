"""The result of one load: the times of every request, and the figures derived from them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_energy.errors import NotMeasurable
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import CacheCounters, DraftCounters
from pytest_energy.serving.slo import Slo
from pytest_energy.serving.steps import Step

# A decode step of a served model takes 5 ms and more, and a request waits for the next one anyway.
HARMLESS_LATENESS_S = 0.005
HARMLESS_GAP_SHARE = 0.05  # of the mean gap: moves a request by a twentieth of the way to the next


def percentile(values: Sequence[float], share: float) -> float:
    """Value below which *share* of *values* lies, linear between neighbours.

    Raises:
        NotMeasurable: There are no values.

    Source:
        Hyndman, Fan: Sample quantiles in statistical packages, 1996, definition 7.
    """
    if not values:
        raise NotMeasurable("a percentile of no values")
    ordered = sorted(values)
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Percentiles of a time over the requests, and the longest, in seconds."""

    p50_s: float
    p90_s: float
    p99_s: float
    max_s: float

    @classmethod
    def of(cls, values_s: Sequence[float]) -> "Percentiles":
        """Percentiles, linear between neighbours.

        Raises:
            NotMeasurable: There are no values.

        >>> Percentiles.of([1.0, 2.0, 3.0]).p50_s
        2.0
        """
        return cls(
            p50_s=percentile(values_s, 0.50),
            p90_s=percentile(values_s, 0.90),
            p99_s=percentile(values_s, 0.99),
            max_s=max(values_s),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSample:
    """How many requests waited in the engine at one time, in seconds since the load began."""

    time_s: float
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One answered request. Times are seconds since the load began.

    Attributes:
        request_id: Position in the load, as text.
        due_s: When the schedule sent it.
        submitted_s: When it was really handed to the engine.
        token_times_s: When each output token arrived; tokens of one event share a time.
        prompt_tokens: Length of the prompt.
        freed_s: Under a cap of concurrency, when its place among those under way came free; else `None`.
    """

    request_id: str
    due_s: float
    submitted_s: float
    token_times_s: tuple[float, ...]
    prompt_tokens: int
    freed_s: float | None = None

    @property
    def first_token_s(self) -> float:
        return self.token_times_s[0]

    @property
    def finished_s(self) -> float:
        return self.token_times_s[-1]

    @property
    def output_tokens(self) -> int:
        return len(self.token_times_s)

    @property
    def late_s(self) -> float:
        """Time from when it should have left; waiting for a place under a cap is not late."""
        return self.submitted_s - (self.due_s if self.freed_s is None else max(self.due_s, self.freed_s))

    @property
    def ttft_s(self) -> float:
        """Time to first token, from sending."""
        return self.first_token_s - self.submitted_s

    @property
    def e2e_s(self) -> float:
        """Latency: from sending to the last token."""
        return self.finished_s - self.submitted_s

    @property
    def tpot_s(self) -> float | None:
        """Time per output token after the first; `None` for an answer of one token."""
        if self.output_tokens == 1:
            return None
        return (self.e2e_s - self.ttft_s) / (self.output_tokens - 1)

    @property
    def itl_s(self) -> tuple[float, ...]:
        """Times between successive tokens."""
        return tuple(later - earlier for earlier, later in pairwise(self.token_times_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """The result of one load.

    Attributes:
        engine: Name of the engine.
        schedule: When its requests were to leave.
        served: Every request, in the order of sending. None is missing: a load that loses one fails.
        cache: The prefix cache's counters over this load, or `None` if the engine reports none.
        drafts: What speculative decoding did in this load; `None` if the engine does none, or reports none.
        started_s: When the load began, on its event loop's clock; the default loop's is `time.monotonic`,
            which is the meter's too. `None` in a result that no load made.
        queue: Requests that waited in the engine, about once a second; empty if it doesn't report that.
        steps: The engine's steps, or `None` if it doesn't report them.
    """

    engine: str
    schedule: Schedule
    served: tuple[Served, ...]
    cache: CacheCounters | None = None
    drafts: DraftCounters | None = None
    started_s: float | None = None
    queue: tuple[QueueSample, ...] = ()
    steps: tuple[Step, ...] | None = None

    @property
    def duration_s(self) -> float:
        """From the start of the schedule to the last token of all."""
        return max(request.finished_s for request in self.served)

    @property
    def achieved_rate(self) -> float:
        """Answered requests a second over the whole load, its empty start and its tail included."""
        return self._per_second(len(self.served))

    @property
    def prompt_tokens(self) -> int:
        return sum(request.prompt_tokens for request in self.served)

    @property
    def output_tokens(self) -> int:
        return sum(request.output_tokens for request in self.served)

    @property
    def output_token_rate(self) -> float:
        """Output tokens a second over the whole load."""
        return self._per_second(self.output_tokens)

    @property
    def total_token_rate(self) -> float:
        """Prompt and output tokens a second over the whole load."""
        return self._per_second(self.prompt_tokens + self.output_tokens)

    def goodput(self, slo: Slo) -> float:
        """Answers a second that keep *slo*, over the whole load.

        Source:
            `vllm bench serve --goodput`: good answers / duration of the load.
        """
        return self._per_second(self.kept_count(slo))

    def kept_count(self, slo: Slo) -> int:
        """Answers that keep *slo*."""
        return sum(
            slo.is_kept(ttft_s=request.ttft_s, tpot_s=request.tpot_s, e2e_s=request.e2e_s)
            for request in self.served
        )

    @property
    def max_queue_depth(self) -> int | None:
        """Largest number of requests waiting in the engine; `None` if it doesn't report them."""
        return max((sample.depth for sample in self.queue), default=None)

    @property
    def lateness(self) -> Percentiles:
        """How long after they should have left requests did leave."""
        return Percentiles.of([request.late_s for request in self.served])

    @property
    def harmless_lateness_s(self) -> float:
        """How late requests may leave without making another load of it."""
        if not math.isinf(self.schedule.rate):
            return max(HARMLESS_LATENESS_S, HARMLESS_GAP_SHARE / self.schedule.rate)
        # All at once there is no pattern in time to be kept.
        return HARMLESS_LATENESS_S if self.schedule.is_closed_loop else math.inf

    @property
    def is_late(self) -> bool:
        """Whether this is not the requested load: more than one request in a hundred left too late."""
        return self.lateness.p99_s > self.harmless_lateness_s

    @property
    def ttft(self) -> Percentiles:
        return Percentiles.of([request.ttft_s for request in self.served])

    @property
    def e2e(self) -> Percentiles:
        return Percentiles.of([request.e2e_s for request in self.served])

    @property
    def tpot(self) -> Percentiles | None:
        """Over the requests; `None` when every answer has one token."""
        times_s = [time_s for request in self.served if (time_s := request.tpot_s) is not None]
        return Percentiles.of(times_s) if times_s else None

    @property
    def itl(self) -> Percentiles | None:
        """Over all tokens but the first of each answer; `None` when every answer has one token."""
        times_s = [time_s for request in self.served for time_s in request.itl_s]
        return Percentiles.of(times_s) if times_s else None

    def _per_second(self, count: int) -> float:
        if self.duration_s <= 0:
            raise NotMeasurable(
                f"engine {self.engine}: {len(self.served)} answers took no time; the clock did not advance"
            )
        return count / self.duration_s
