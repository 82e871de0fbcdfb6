"""What one run of either client read, under the same names and in the same units. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from pytest_energy.errors import NotMeasurable
from pytest_energy.serving.load_result import LoadResult, percentile

Figures = Mapping[str, float]

# Name here, name in their result file, and how many of theirs make one of ours.
NAMES: tuple[tuple[str, str, float], ...] = (
    ("ttft_mean_s", "mean_ttft_ms", 1e-3),
    ("ttft_p50_s", "median_ttft_ms", 1e-3),
    ("ttft_p99_s", "p99_ttft_ms", 1e-3),
    ("tpot_mean_s", "mean_tpot_ms", 1e-3),
    ("tpot_p50_s", "median_tpot_ms", 1e-3),
    ("tpot_p99_s", "p99_tpot_ms", 1e-3),
    ("achieved_rate", "request_throughput", 1.0),
    ("output_token_rate", "output_throughput", 1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one client saw in one run.

    Attributes:
        figures: By the names of `NAMES`.
        prompt_tokens: Of all requests together, as the server counted.
        output_tokens: Likewise.
        late_p99_s: See `lateness_p99_s`; `None` where the client drew its own arrivals.
        foreign_cores: Cores that neither client nor server was busy on, but other processes, on average.
        server_cpu_s: Processor time that the server took from the first request to the last token; `None`
            where it runs elsewhere.
    """

    figures: Figures
    prompt_tokens: int
    output_tokens: int
    late_p99_s: float | None
    foreign_cores: float
    server_cpu_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """One run of either client, with the same seed."""

    seed: int
    is_ours_first: bool
    theirs: Run
    ours: Run

    @property
    def foreign_cores(self) -> float:
        """Of the run that had more."""
        return max(self.theirs.foreign_cores, self.ours.foreign_cores)


def their_figures(told: Mapping[str, Any], count: int) -> Figures:
    """The figures in a result file of `vllm bench serve`, in our units.

    Raises:
        NotMeasurable: Not all of *count* requests were answered.
    """
    if told["completed"] != count:
        answered = f"{told['completed']} of {count} requests were answered"
        error = next(filter(None, told.get("errors", ())), "none reported")
        raise NotMeasurable(f"vllm bench serve: {answered}; the first error: {error}")
    return {ours: float(told[theirs]) * scale for ours, theirs, scale in NAMES}


def their_span_s(told: Mapping[str, Any]) -> tuple[float, float]:
    """When their first request was sent and their last token came, by `time.perf_counter`.

    >>> their_span_s({"start_times": [5.0, 6.0], "latencies": [3.5, 1.25]})
    (5.0, 8.5)
    """
    ends_s = (
        start_s + took_s for start_s, took_s in zip(told["start_times"], told["latencies"], strict=True)
    )
    return min(told["start_times"]), max(ends_s)


def our_span_s(result: LoadResult) -> tuple[float, float]:
    """The same of *result*, by `time.monotonic`."""
    assert result.started_s is not None, "a load that was run has its time"
    return (
        result.started_s + min(request.submitted_s for request in result.served),
        result.started_s + max(request.finished_s for request in result.served),
    )


def our_figures(result: LoadResult) -> Figures:
    """The figures of *result*, under the same names.

    Raises:
        NotMeasurable: No answer has a second token.
    """
    tpots_s = [time_s for request in result.served if (time_s := request.tpot_s) is not None]
    if not tpots_s:
        raise NotMeasurable("no answer has a second token, so there is no time per token")
    ttft, tpot = result.ttft, result.tpot
    assert tpot is not None
    return {
        "ttft_mean_s": fmean(request.ttft_s for request in result.served),
        "ttft_p50_s": ttft.p50_s,
        "ttft_p99_s": ttft.p99_s,
        "tpot_mean_s": fmean(tpots_s),
        "tpot_p50_s": tpot.p50_s,
        "tpot_p99_s": tpot.p99_s,
        "achieved_rate": result.achieved_rate,
        "output_token_rate": result.output_token_rate,
    }


def lateness_p99_s(started_s: Sequence[float], due_s: Sequence[float]) -> float:
    """How much later than the most punctual request 99 of 100 left, at most.

    Only so can both clients be told alike: the other one doesn't say when its schedule began.

    >>> lateness_p99_s([10.0, 12.0], [0.0, 2.0])
    0.0
    """
    late_s = [start_s - when_s for start_s, when_s in zip(started_s, due_s, strict=True)]
    return percentile([time_s - min(late_s) for time_s in late_s], 0.99)


def check_same_work(theirs: Run, ours: Run) -> None:
    """Rule 1.

    Raises:
        NotMeasurable: One had more tokens than the other.
    """
    for what in ("prompt_tokens", "output_tokens"):
        counts = getattr(theirs, what), getattr(ours, what)
        if counts[0] != counts[1]:
            raise NotMeasurable(
                f"{what} of vllm bench serve: {counts[0]}, of ours: {counts[1]}; not the same work"
            )
