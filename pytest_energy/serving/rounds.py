"""A request load in measured rounds: the same work in each, and which part of it counts.

Rule 1: every round sends as many requests, of the same lengths, on the same schedule, or the test stops.
Rule 2: the warm-up's load decides which part counts (serving/steady.py); every round then counts the same
stretch of time, so that neither start nor tail is in its joules. A load too short for that counts whole.
Rule 3: joules of the counted part are scaled from the answers' worth of tokens in it to all requests of the
round, so that a round is always the same work.
Rule 4: where the length of answers is free, rounds are compared at equal lengths: joules are scaled from the
tokens in the counted part to the tokens of the first load. Shorter answers are thus no saving.
"""

import math
from asyncio import AbstractEventLoop
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, SettingsError
from pytest_energy.meter.protocol import OpenPhase, OpenWindow
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Channel, Provenance, Reading, Record
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.channels import of_channels
from pytest_energy.serving.engines.protocol import Engine, Stop
from pytest_energy.serving.load import Milestone, Prompt, Prompts, serve
from pytest_energy.serving.load_counts import load_counts
from pytest_energy.serving.load_metrics import (
    draft_metrics,
    generative_metrics,
    timing_metrics,
    token_metrics,
    why_slo_missed,
)
from pytest_energy.serving.load_result import LoadResult
from pytest_energy.serving.pair_metrics import reference_metrics
from pytest_energy.serving.phase_fit import PhaseFit, phase_fit, phase_metrics, with_amounts
from pytest_energy.serving.phase_spans import Observed, observed
from pytest_energy.serving.prompts import PromptSet, prompts_digest
from pytest_energy.serving.slo import Slo
from pytest_energy.serving.steady import answers_between, steadiness, steady_span, tokens_between
from pytest_energy.units import to_text
from pytest_energy.work import Trace, WorkDescription

PART = "steady part"

Batch = tuple[list[Prompt], list[int]]
"""Prompts of one round, and the lengths of their answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """The load that an engine serves in every round.

    Attributes:
        engine: Ready to serve.
        prompts: Token ids, a set of them with the lengths of their answers, or a function from the round's
            number to token ids.
        schedule: When requests leave.
        output_tokens: Length of every answer, or one for each; `None` if the set says it.
        duration_s: How long requests arrive; `None` sends each prompt once.
        stop: What may end an answer before that length; `None` leaves lengths fixed.

    Raises:
        SettingsError: Nothing says how long the answers are, or how many requests *duration_s* makes.
    """

    engine: Engine
    prompts: Prompts | PromptSet
    schedule: Schedule
    output_tokens: int | Sequence[int] | None = None
    duration_s: float | None = None
    stop: Stop | None = None

    def __post_init__(self) -> None:
        if self._lengths is None:
            raise SettingsError("energy.requests: the length of the answers is missing; give output_tokens=")
        if self.duration_s is not None:
            if not self.duration_s > 0:
                raise SettingsError(f"energy.requests: duration_s is {self.duration_s}; it must be above 0")
            if math.isinf(self.schedule.rate):
                raise SettingsError(
                    "energy.requests: duration_s needs a finite rate; requests sent all at once have no "
                    "duration"
                )

    @property
    def _lengths(self) -> int | Sequence[int] | None:
        if self.output_tokens is None and isinstance(self.prompts, PromptSet):
            return self.prompts.output_tokens
        return self.output_tokens

    def requests(self, round_index: int) -> Batch:
        """Prompts and lengths of one round; a list that is too short for *duration_s* starts over.

        Raises:
            SettingsError: There are no prompts, or not one length for each.
        """
        prompts: Sequence[Prompt]
        if isinstance(self.prompts, PromptSet):
            prompts = self.prompts.prompts
        else:
            prompts = self.prompts(round_index) if callable(self.prompts) else self.prompts
        lengths = self._lengths or ()
        if isinstance(lengths, int):
            lengths = [lengths] * len(prompts)
        if not prompts or len(lengths) != len(prompts):
            raise SettingsError(
                f"energy.requests: {len(prompts)} prompts and {len(lengths)} lengths of answers; give at "
                "least one prompt, and one length for all or for each"
            )
        count = (
            len(prompts) if self.duration_s is None else max(1, round(self.schedule.rate * self.duration_s))
        )
        return list(islice(cycle(prompts), count)), list(islice(cycle(lengths), count))

    def workload(self, prompts: Sequence[Prompt], output_tokens: Sequence[int]) -> dict[str, str]:
        """What makes two loads the same work, beside the number of requests."""
        facts, schedule = self.engine.facts, self.schedule
        return {
            **facts.flags,  # first: none of them may hide what follows
            "engine": self.engine.name,
            "served_model": facts.model,
            "rate": "all at once" if math.isinf(schedule.rate) else f"{schedule.rate:g}/s",
            "burstiness": f"{schedule.burstiness:g}",
            "concurrency": "no limit" if schedule.concurrency is None else str(schedule.concurrency),
            "schedule_seed": str(schedule.seed),
            "prompt_tokens": str(sum(map(len, prompts))),
            "output_tokens": f"{'' if self.stop is None else 'at most '}{_lengths_text(output_tokens)}",
            **({} if self.stop is None else {"stop": str(self.stop)}),
            "prompts": prompts_digest(prompts),
            **({} if facts.parameters is None else {"parameters": str(facts.parameters)}),
        }


def _lengths_text(output_tokens: Sequence[int]) -> str:
    """The tokens of all answers, and where these differ in length a name for how they do."""
    lengths = "" if len({*output_tokens}) == 1 else f", lengths {prompts_digest([output_tokens])}"
    return f"{sum(output_tokens)}{lengths}"


def saturation(loads: Sequence[LoadResult]) -> tuple[bool | None, str]:
    """Whether the engine fell behind in one of *loads*, and the reason; `None` if it is unknown."""
    states = [steadiness(load) for load in loads]
    for is_saturated in (True, None, False):
        alike = [state for state in states if state.is_saturated is is_saturated]
        if alike:
            return is_saturated, f"{alike[0].because} ({len(alike)} of {len(states)} rounds)"
    return None, "no load was run"


def lateness_note(load: LoadResult) -> str:
    """For people: how late the requests of *load* left, what would have been harmless, and what to do."""
    p99, longest, limit = (
        to_text(time_s, "s", digits=2)
        for time_s in (load.lateness.p99_s, load.lateness.max_s, load.harmless_lateness_s)
    )
    return (
        f"requests were sent late: {p99} at p99, {longest} at most; up to {limit} has no effect. The event "
        f"loop or the CPU is busy: end other programs, or lower the rate"
    )


def _steady_phase(window: OpenWindow, start_s: float, stop_s: float) -> tuple[Milestone, Milestone]:
    """What is to be done at both ends of a load's steady state, to have it as a phase of *window*."""
    phases: list[OpenPhase] = []

    def begin() -> None:
        phases.append(window.phase(PART, waits_for_gpu=False))

    def end() -> None:
        phases.pop().close()

    return (start_s, begin), (stop_s, end)


@dataclass(slots=True, kw_only=True)
class LoadWork:
    """The loads of one test, one a round.

    Attributes:
        plan: What is asked.
        has_warm_up: The first load isn't measured, and decides which part counts.
        first_index: Rounds that an earlier run of the test has had; their prompts may be in a cache.
        slo: Limits of latency, for the goodput, and the share of answers that must keep them.
        loop_factory: Makes the event loop of each load; see `serve`.
        loads: Those so far, warm-up included.
        part: Which part of a load counts, in seconds since its start; `None`: all of it.
    """

    plan: LoadPlan
    has_warm_up: bool
    first_index: int = 0
    slo: Slo | None = None
    loop_factory: Callable[[], AbstractEventLoop] | None = None
    loads: list[LoadResult] = field(default_factory=list)
    part: tuple[float, float] | None = None
    _whole_because: str = "no warm-up load determined which part is steady"
    _observed: list[Observed | Absent] = field(default_factory=list)
    _fit: tuple[tuple[int, int], PhaseFit | Absent] | None = None
    _first: Batch | None = None
    _next: Batch | None = None

    @property
    def call_count(self) -> int:
        return 1

    @property
    def may_repeat(self) -> bool:
        return False

    @property
    def _first_requests(self) -> Batch:
        if self._first is None:
            self._first = self.plan.requests(0)
        return self._first

    def why_unmeasured(self, measured: Collection[str], *, is_estimated: bool = False) -> str | None:
        """Why nothing here measures the engine, or `None`.

        Args:
            measured: Names of the channels whose joules count in this run.
            is_estimated: Their joules are of the CPU time of processes that can be seen.

        Raises:
            SettingsError: The engine names a channel that this machine lacks among its like.
        """
        facts = self.plan.engine.facts
        if is_estimated and facts.unmeasured_because is None and facts.unseen_because is not None:
            return f"an estimate doesn't include the server: {facts.unseen_because}"
        lacking = [name for name in facts.channels if name not in measured]
        if facts.unmeasured_because is not None or not (measured and lacking):
            return facts.unmeasured_because
        names, domains = ", ".join(lacking), {Channel.domain_of(name) for name in measured}
        if any(Channel.domain_of(name) in domains for name in lacking):
            raise SettingsError(
                f"{self.plan.engine.name}: channels names {names}; this run measures "
                f"{', '.join(sorted(measured))}"
            )
        return f"this run does not measure {names}, the channels of the engine"

    def newest(self, round_count: int) -> tuple[LoadResult, ...]:
        """The loads of the newest rounds; all where no round was measured."""
        return tuple(self.loads[-round_count:])

    def prepare(self) -> None:
        """Make the next round's prompts.

        Raises:
            SettingsError: The round is not the work of the first one.
        """
        round_index = self.first_index + len(self.loads)
        self._next = self._first_requests if round_index == 0 else self.plan.requests(round_index)
        first, now = (
            f"{len(prompts)} prompts of {sum(map(len, prompts))} tokens, {sum(lengths)} to be answered"
            for prompts, lengths in (self._first_requests, self._next)
        )
        if first != now:
            raise SettingsError(
                f"energy.requests: round {round_index} has {now}, the first had {first}; rounds of "
                "different work are not comparable"
            )

    def run(self, call_index: int, window: OpenWindow | None) -> LoadResult:
        """Run the load of one round.

        Raises:
            EngineError: The engine failed.
        """
        prompts, lengths = self._next or self._first_requests
        milestones = () if window is None or self.part is None else _steady_phase(window, *self.part)
        load = serve(
            self.plan.engine,
            prompts,
            self.plan.schedule,
            output_tokens=lengths,
            stop=self.plan.stop,
            milestones=milestones,
            loop_factory=self.loop_factory,
        )
        self.loads.append(load)
        if call_index == 0 and self.has_warm_up:
            self._decide(load)
        return load

    def conclude(self, reading: Reading) -> Reading:
        """*reading* of the newest load, as all its requests would have cost in the part that counts.

        A replayed one is that already.

        Raises:
            NotMeasurable: The load is one of which a part counts, and its window does not hold that part.
        """
        if reading.provenance is Provenance.REPLAYED:
            return reading
        facts = self.plan.engine.facts
        if facts.note is not None:
            reading = replace(reading, quality=(*reading.quality, facts.note))
        reading = of_channels(reading, facts.channels) if facts.channels else reading
        counted = self._counted(reading)
        seen = observed(reading, self.loads[-1], self.part, counted)
        self._observed.append(seen)
        if isinstance(seen, Observed) and seen.has_steps and self._comes_at_a_rate:
            counted = with_amounts(counted, seen, has_tokens=self.plan.stop is None)
        return counted

    @property
    def _comes_at_a_rate(self) -> bool:
        """Whether the rate sets the work of a second, so that steps follow the pace of the host.

        In a closed loop, or behind a cap, the steps are the work.
        """
        schedule = self.plan.schedule
        return math.isfinite(schedule.rate) and schedule.concurrency is None

    def _phases(self, round_count: int) -> PhaseFit | Absent:
        """The fit to the newest rounds, made once."""
        key = len(self._observed), round_count
        if self._fit is None or self._fit[0] != key:
            self._fit = key, phase_fit(self._observed[-round_count:] if round_count else ())
        return self._fit[1]

    def _counted(self, reading: Reading) -> Reading:
        load, first = self.loads[-1], self.loads[0]
        if load.is_late:
            reading = replace(reading, quality=(*reading.quality, lateness_note(load)))
        if self.has_warm_up and load is first:
            return reading
        if self.plan.stop is not None and not self._has_ended_answers(load):
            note = f"no answer ended before its limit: nothing was generated that ends one ({self.plan.stop})"
            reading = replace(reading, quality=(*reading.quality, note))
        if self.part is None:
            note = f"the whole load counts, its start and its tail included: {self._whole_because}"
            reading = replace(reading, quality=(*reading.quality, note))
            return reading if self.plan.stop is None else _whole_at_length_of(reading, load, first)
        return _scaled(reading, load, self.part, None if self.plan.stop is None else first)

    def _has_ended_answers(self, load: LoadResult) -> bool:
        return load.output_tokens < sum(self._first_requests[1])

    @property
    def _output_tokens(self) -> int | None:
        """Of one round: those asked, or those of the first load where the length is free (rule 4)."""
        if self.plan.stop is None:
            return sum(self._first_requests[1])
        return self.loads[0].output_tokens if self.loads else None

    def description(self, round_count: int) -> WorkDescription:
        is_saturated, because = saturation(self.newest(round_count))
        phases = self._phases(round_count)
        prompts, output_tokens = self._first_requests
        facts = self.plan.engine.facts
        versions = {f"{name} (engine)": version for name, version in facts.versions.items()}
        counted = "whole load" if self.part is None else PART
        return WorkDescription(
            samples=len(prompts),
            output_tokens=self._output_tokens,
            workload={**self.plan.workload(prompts, output_tokens), "counted": counted},
            engine_settings={**facts.tuning, **versions},
            saturated_because=because if is_saturated else None,
            slo_missed_because=why_slo_missed(self.newest(round_count), self.slo),
            step_cost=phases.step_cost() if isinstance(phases, PhaseFit) and self._comes_at_a_rate else None,
            metrics=self.metrics,
        )

    @property
    def as_setting(self) -> Mapping[str, str]:
        return {**self.plan.engine.facts.flags, **self.plan.engine.facts.tuning}

    @property
    def model(self) -> str:
        return self.plan.engine.facts.model

    def as_reference(self, round_count: int) -> Metrics:
        return reference_metrics(self.newest(round_count), self.slo)

    def why_no_ratio(self, round_count: int) -> str | None:
        """Why joules of the newest rounds are at other terms than those of another setting, or `None`."""
        loads = self.newest(round_count)
        is_saturated, because = saturation(loads)
        if is_saturated:
            return f"is saturated: {because}"
        missed = why_slo_missed(loads, self.slo)
        return missed and f"did not keep the latency limits: {missed.partition('; ')[0]}"

    def counts(self, _trace: Trace, /) -> Counts | Absent:
        """Of the loads that were run: no other one is."""
        if self.has_warm_up and len(self.loads) == 1 and self.loads[0].cache is not None:
            return Absent(
                "only one load was run, on a cache filled before it; loads repeat from the second on"
            )
        return load_counts(self.loads[1:] or self.loads, has_free_lengths=self.plan.stop is not None)

    def metrics(self, record: Record) -> Metrics:
        """Times, rates and tokens of the loads whose rounds count; why saturation is unknown, if it is."""
        loads, facts = self.newest(len(record.rounds)), self.plan.engine.facts
        if not loads:
            return Metrics()
        is_saturated, because = saturation(loads)
        return (
            timing_metrics(loads, slo=self.slo)
            | token_metrics(record, loads)
            | draft_metrics(loads)
            | generative_metrics(loads, energy_j=record.energy_j, engine_facts=facts)
            | phase_metrics(self._phases(len(record.rounds)))
            | Metrics({}, {"saturation": because} if is_saturated is None else {})
        )

    def _decide(self, load: LoadResult) -> None:
        if load.schedule.is_closed_loop:
            self._whole_because = "in a closed loop the steady part of the load differs from round to round"
            return
        part = steady_span(load)
        if isinstance(part, Absent):
            self._whole_because = part.because
        else:
            self.part = part


def _whole_at_length_of(reading: Reading, load: LoadResult, first: LoadResult) -> Reading:
    """*reading* of all of *load*, as it would be with as many tokens as *first* wrote (rule 4)."""
    factor = first.output_tokens / load.output_tokens
    return replace(
        reading,
        channels={name: energy_j * factor for name, energy_j in reading.channels.items()},
        duration_s=reading.duration_s * factor,
        uncertainty_j=reading.uncertainty_j * factor,
    )


def _scaled(
    reading: Reading, load: LoadResult, part: tuple[float, float], first: LoadResult | None
) -> Reading:
    """*reading* of the *part* of *load* that counts, scaled to all its requests (rule 3).

    Where lengths are free, *first* is the load whose number of tokens is that of every round (rule 4).
    """
    span = f"from {part[0]:.2f} s to {part[1]:.2f} s of each load, without its start and its tail"
    if first is None:
        worth, whole, of = answers_between(load, *part), len(load.served), "requests"
    else:
        worth, whole, of = tokens_between(load, *part), first.output_tokens, "tokens of the first load"
    if worth <= 0:
        because = f"no token was generated in the part that counts, {span}"
        return replace(reading, channels={}, void_because=because, phases=())
    counted = reading.counting(PART, whole / worth)
    if counted.void_because is not None:
        return counted
    note = f"counted {span}; joules are scaled to all {whole} {of}"
    return replace(counted, quality=(*counted.quality, note))
