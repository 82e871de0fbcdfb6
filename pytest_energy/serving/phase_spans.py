"""What a load did in each span of its power trace: the rows that costs of prefill and decode are fitted to.

Rule 1: what a step did is spread evenly over the step, so that a span that cuts it has its share.
Rule 2: without an engine's steps, times of tokens as the client saw them take their place: a step writes to
each request that is being decoded, so a token among n such requests is 1 / n of a step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_energy.errors import Absent
from pytest_energy.lazy_module import LazyModule
from pytest_energy.model import Reading
from pytest_energy.serving.load_result import LoadResult, Served, percentile
from pytest_energy.serving.steps import Step, tokens_per_turn
from pytest_energy.stats.cost_fit import Spans

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
else:
    np = LazyModule("numpy")

LEAST_SPAN_S = 0.2
"""Two ticks of an H100. In one alone, a step's end that is known to a few milliseconds is a few percent."""

QUICK_SHARE = 0.1
"""Of the requests, whose first token came soonest for their length: they waited least before it."""

AMOUNTS = ("prompt tokens", "steps", "decoded tokens", "context tokens")
"""What has a cost of its own. A token that is decoded reads the keys and values of its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedSteps:
    """Steps of the part that counts that computed prompts and decoded as well."""

    durations_s: tuple[float, ...] = ()
    prompt_tokens: tuple[int, ...] = ()
    decoded_tokens: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What the part of a load that counts did.

    Attributes:
        prompt_tokens: Computed, without those from a cache.
        prefill_steps: Steps that decoded nothing.
        decode_steps: The others.
        decoded_tokens: Output tokens but the first of each answer.
        context_tokens: Tokens before each of those, summed.
        prefill_s: Seconds of steps that decoded nothing.
        decode_s: Seconds of steps that computed no prompt.
        mixed: The others.
    """

    prompt_tokens: float
    prefill_steps: float
    decode_steps: float
    decoded_tokens: float
    context_tokens: float
    prefill_s: float = 0.0
    decode_s: float = 0.0
    mixed: MixedSteps = MixedSteps()

    @property
    def row(self) -> tuple[float, ...]:
        """In the order of `AMOUNTS`."""
        steps = self.prefill_steps + self.decode_steps
        return self.prompt_tokens, steps, self.decoded_tokens, self.context_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One load, for the fit.

    Attributes:
        spans: Of the whole load.
        part: What the part that counts did.
        energy_j: Joules of the channels that tick, in the part that counts.
        duration_s: Seconds of that part.
        scale: From that part to all requests of the load.
        channels: Those that tick.
        has_steps: Whether the engine reported its steps.
        tokens_per_turn: Tokens that a step writes to each request, if known.
        whole_tokens: Prompt tokens computed and tokens decoded for all requests, by the engine's steps.
    """

    spans: Spans
    part: Totals
    energy_j: float
    duration_s: float
    scale: float
    channels: tuple[str, ...]
    has_steps: bool
    tokens_per_turn: float | None = None
    whole_tokens: tuple[float, float] = (0.0, 0.0)


def observed(
    reading: Reading, load: LoadResult, part: tuple[float, float] | None, counted: Reading
) -> Observed | Absent:
    """What *load* gives to a fit, or why nothing.

    Args:
        reading: Of the window around the load.
        load: The load.
        part: Start and stop of what counts, in seconds since the load began; `None`: the whole window.
        counted: The reading of that, scaled to what a round is.
    """
    if counted.void_because is not None:
        return Absent(counted.void_because)
    channels = tuple(name for name in reading.power_trace if name in counted.channels)
    if reading.trace is None or load.started_s is None or not channels:
        return Absent(_why_no_spans(reading))
    missing = [name for name in channels if name not in reading.quiet_power_w]
    if missing:
        return Absent(f"{', '.join(missing)}: the power before the load is not known")
    began_s = load.started_s - reading.trace.start_s
    edges_s = span_edges([time_s for time_s, _ in reading.power_trace[channels[0]]])
    joules = sum(_cumulative_j(reading.power_trace[name], edges_s) for name in channels)
    if part is None:
        part = -began_s, reading.duration_s - began_s
    scale, work = counted.duration_s / (part[1] - part[0]), Work.of(load)
    return Observed(
        spans=Spans(
            amounts=tuple(total.row for total in work.between(edges_s - began_s)),
            energies_j=tuple(map(float, np.diff(joules))),
            durations_s=tuple(map(float, np.diff(edges_s))),
            rest_w=sum(reading.quiet_power_w[name] for name in channels),
        ),
        part=work.whole(*part),
        energy_j=sum(counted.channels[name] for name in channels) / scale,
        duration_s=part[1] - part[0],
        scale=scale,
        channels=channels,
        has_steps=load.steps is not None,
        tokens_per_turn=tokens_per_turn(load.steps or ()),
        whole_tokens=_whole_tokens(load.steps or ()),
    )


def _whole_tokens(steps: Sequence[Step]) -> tuple[float, float]:
    return float(sum(one.prompt_tokens for one in steps)), float(sum(one.decoded_tokens for one in steps))


def _why_no_spans(reading: Reading) -> str:
    names = [name for name in reading.channels if name not in reading.power_trace]
    if names and not reading.power_trace:
        return f"{', '.join(sorted(names))}: read at the edges of a window only, so it has no short spans"
    return "the joules have no times, so there are no short spans"


def span_edges(times_s: Sequence[float]) -> "Floats":
    """Those of *times_s* that are at least a span apart."""
    edges_s = [times_s[0]]
    for time_s in times_s[1:]:
        if time_s - edges_s[-1] >= LEAST_SPAN_S:
            edges_s.append(time_s)
    return np.asarray(edges_s)


def _cumulative_j(pairs: Sequence[tuple[float, float]], at_s: "Floats") -> "Floats":
    """Joules since the first of *pairs*, of times and the watts from then on; flat outside."""
    times_s = np.asarray([time_s for time_s, _ in pairs])
    steps_j = [power_w * (after_s - time_s) for (time_s, power_w), (after_s, _) in pairwise(pairs)]
    joules: Floats = np.interp(at_s, times_s, np.concatenate([[0.0], np.cumsum(steps_j)]))
    return joules


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """What was at work when: pieces from start to stop with their amounts, and tokens at their times.

    Attributes:
        starts_s: Of each step, or of each prompt where the steps are not known.
        stops_s: Their ends.
        prompt_tokens: Computed in each.
        decoded_tokens: Decoded in each; 0 where the steps are not known.
        has_steps: Whether a piece is a step.
        token_times_s: When each token came that followed another, in order.
        contexts: Tokens before each of those.
        step_shares: Of a step, that each of those is.
    """

    starts_s: "Floats"
    stops_s: "Floats"
    prompt_tokens: "Floats"
    decoded_tokens: "Floats"
    has_steps: bool
    token_times_s: "Floats"
    contexts: "Floats"
    step_shares: "Floats"

    @classmethod
    def of(cls, load: LoadResult) -> "Work":
        decoding_s = _Decoding.of(load)
        tokens = sorted(
            (time_s, request.prompt_tokens + place, share)
            for request in load.served
            for place, (time_s, share) in enumerate(decoding_s.shares(request))
            if place
        )
        columns = np.asarray(tokens, dtype=float).reshape(-1, 3).T
        return (_of_times if load.steps is None else _of_steps)(load, columns)

    def between(self, edges_s: "Floats") -> list[Totals]:
        """What was done from each of *edges_s* to the next."""
        prompts = self._up_to(edges_s, self.prompt_tokens)
        if self.has_steps:
            decodes = self.decoded_tokens > 0
            prefills = self._up_to(edges_s, (~decodes).astype(float))
            decodings = self._up_to(edges_s, decodes.astype(float))
            tokens = self._up_to(edges_s, self.decoded_tokens)
        else:
            prefills = 0.0 * prompts
            decodings = self._came_before(edges_s, self.step_shares)
            tokens = self._came_before(edges_s, np.ones_like(self.token_times_s))
        contexts = self._came_before(edges_s, self.contexts)
        columns = (prompts, prefills, decodings, tokens, contexts)
        return [Totals(**dict(zip(_TOTALS, row, strict=True))) for row in np.diff(columns).T.tolist()]

    def whole(self, start_s: float, stop_s: float) -> Totals:
        """What was done from *start_s* to *stop_s*, with the seconds of each kind of step."""
        (totals,) = self.between(np.asarray([start_s, stop_s]))
        if not self.has_steps:
            return totals
        inside_s = np.minimum(self.stops_s, stop_s) - np.maximum(self.starts_s, start_s)
        held, durations_s = inside_s > 0, np.maximum(inside_s, 0.0)
        prefills, decodes = self.prompt_tokens > 0, self.decoded_tokens > 0
        mixed = held & prefills & decodes
        return Totals(
            **{name: getattr(totals, name) for name in _TOTALS},
            prefill_s=float(durations_s[held & ~decodes].sum()),
            decode_s=float(durations_s[held & decodes & ~prefills].sum()),
            mixed=MixedSteps(
                durations_s=tuple(durations_s[mixed].tolist()),
                prompt_tokens=tuple(map(int, self.prompt_tokens[mixed])),
                decoded_tokens=tuple(map(int, self.decoded_tokens[mixed])),
            ),
        )

    def _up_to(self, edges_s: "Floats", amounts: "Floats") -> "Floats":
        """*amounts* of the pieces, each spread over its time, before each of *edges_s*."""
        lengths_s = np.maximum(self.stops_s - self.starts_s, 1e-9)
        return np.asarray(
            [amounts @ np.clip((edge_s - self.starts_s) / lengths_s, 0.0, 1.0) for edge_s in edges_s]
        )

    def _came_before(self, edges_s: "Floats", amounts: "Floats") -> "Floats":
        """*amounts* of the tokens that came before each of *edges_s*."""
        places = np.searchsorted(self.token_times_s, edges_s, side="right")
        return np.concatenate([[0.0], np.cumsum(amounts)])[places]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Decoding:
    """When how many requests were being decoded.

    Attributes:
        firsts_s: Times of first tokens, in order.
        lasts_s: Times of last tokens, in order.
    """

    firsts_s: "Floats"
    lasts_s: "Floats"

    @classmethod
    def of(cls, load: LoadResult) -> "_Decoding":
        return cls(
            firsts_s=np.sort([request.first_token_s for request in load.served]),
            lasts_s=np.sort([request.finished_s for request in load.served]),
        )

    def shares(self, request: Served) -> list[tuple[float, float]]:
        """Time of each token of *request*, and which share of a step it is; tokens of one time share one."""
        times_s = np.asarray(request.token_times_s)
        begun = np.searchsorted(self.firsts_s, times_s, side="left")
        ended = np.searchsorted(self.lasts_s, times_s, side="left")
        _, places, counts = np.unique(times_s, return_inverse=True, return_counts=True)
        shares = 1 / np.maximum(begun - ended, 1) / counts[places]
        return list(zip(request.token_times_s, shares.tolist(), strict=True))


_TOTALS = ("prompt_tokens", "prefill_steps", "decode_steps", "decoded_tokens", "context_tokens")


def _of_steps(load: LoadResult, tokens: "Floats") -> Work:
    steps, stretches_s = load.steps or (), _busy_s(load)
    busy_s = np.asarray([start_s for start_s, _ in stretches_s])
    ends_s = np.asarray([step.time_s for step in steps])
    before_s = np.concatenate([[0.0], ends_s])[:-1]
    woken_s = busy_s[np.maximum(np.searchsorted(busy_s, ends_s, side="right") - 1, 0)]
    return Work(
        starts_s=np.minimum(np.maximum(before_s, woken_s), ends_s),
        stops_s=ends_s,
        prompt_tokens=np.asarray([float(step.prompt_tokens) for step in steps]),
        decoded_tokens=np.asarray([float(step.decoded_tokens) for step in steps]),
        has_steps=True,
        token_times_s=tokens[0],
        contexts=tokens[1],
        step_shares=tokens[2],
    )


def _of_times(load: LoadResult, tokens: "Floats") -> Work:
    """Prompts as if each had been computed right before its first token, as fast as the quickest were."""
    fresh_share = 1.0
    if load.cache is not None and load.cache.queried_tokens:
        fresh_share = 1.0 - load.cache.hit_tokens / load.cache.queried_tokens
    token_s = percentile([request.ttft_s / request.prompt_tokens for request in load.served], QUICK_SHARE)
    stops_s = np.asarray([request.first_token_s for request in load.served])
    lengths_s = np.asarray([min(r.ttft_s, token_s * r.prompt_tokens) for r in load.served])
    return Work(
        starts_s=stops_s - lengths_s,
        stops_s=stops_s,
        prompt_tokens=fresh_share * np.asarray([float(r.prompt_tokens) for r in load.served]),
        decoded_tokens=np.zeros(len(load.served)),
        has_steps=False,
        token_times_s=tokens[0],
        contexts=tokens[1],
        step_shares=tokens[2],
    )


def _busy_s(load: LoadResult) -> tuple[tuple[float, float], ...]:
    """Stretches of time in which a request was under way, in order."""
    joined: list[tuple[float, float]] = []
    for start_s, stop_s in sorted((request.submitted_s, request.finished_s) for request in load.served):
        if joined and start_s <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], stop_s)
        else:
            joined.append((start_s, stop_s))
    return tuple(joined)
