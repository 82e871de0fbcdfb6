"""The fixture `energy`: what one test measures, and the record that comes of it.

Rule 1: `measure` gives the rounds. Without it the outermost windows do: the i-th window of each name
belongs to round i, and a round's joules are the sum over the names.
Rule 2: a window inside another is a phase of its round; its joules are part of the round's, never added.
Rule 3: what describes the work (model statistics, metrics) stays outside every window.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, TypedDict, TypeVar

from pytest_energy.errors import EnergyError
from pytest_energy.model import Phase, Provenance, Reading, Record
from pytest_energy.plugin.device_lock import locked
from pytest_energy.plugin.mark import EnergyMark
from pytest_energy.plugin.run import Loads

if TYPE_CHECKING:
    from pytest_energy.meter.protocol import OpenWindow
    from pytest_energy.metrics.discriminative import ModelFacts
    from pytest_energy.plugin.rounds import RoundPlan
    from pytest_energy.plugin.run import EnergyRun
    from pytest_energy.profiling.layers import LayerEnergy
    from pytest_energy.sensors.replay import ReplayRound
    from pytest_energy.serving.engines.protocol import Engine
    from pytest_energy.serving.load import Prompts
    from pytest_energy.serving.load_result import LoadResult
    from pytest_energy.serving.prompts import PromptSet
    from pytest_energy.serving.rounds import LoadRounds
    from pytest_energy.serving.slo import Slo
    from pytest_energy.verdict import More

R = TypeVar("R")


class Around(Protocol):
    """Runs one round, its window and all: what it does before and after is in no joules."""

    def __call__(self, take: Callable[[], tuple[R, Reading]], /) -> tuple[R, Reading]: ...


def at_once(take: Callable[[], tuple[R, Reading]], /) -> tuple[R, Reading]:
    return take()


class _OfLoad(TypedDict, total=False):
    """Fields of a record that tell what its work was; most only of a request load."""

    output_tokens: int
    work: Mapping[str, str]
    tuning: Mapping[str, str]
    saturated_because: str | None


class Window:
    """A named stretch of a test.

    Attributes:
        name: What the stretch is called.
        samples: Samples that it works on, or `None`.
        reading: What it measured, once the block has ended. `None` if nothing measures, and for a phase,
            whose joules are known only when its round ends: they are in the round's reading.
    """

    def __init__(self, name: str, samples: int | None) -> None:
        self.name = name
        self.samples = samples
        self.reading: Reading | None = None


class Energy:
    """What one test measures."""

    def __init__(self, test_id: str, mark: EnergyMark, run: "EnergyRun") -> None:
        self._test_id = test_id
        self._mark = mark
        self._run = run
        self._samples = mark.samples
        self._rounds: tuple[Reading, ...] | None = None
        self._warmup_count = self._confirming_count = 0
        self._windows: list[Window] = []
        self._has_begun = False
        self._work: Mapping[str, str] = {}
        self._open: OpenWindow | None = None
        self._unmeasured_because: str | None = None
        self._facts: ModelFacts | None = None
        self._loads: LoadRounds | None = None
        self._slo: Slo | None = None
        self._metrics: dict[str, float | None] = {}
        self._absent: dict[str, str] = {}

    def measure(
        self, work: Callable[..., R], /, *args: object, samples: int | None = None, **kwargs: object
    ) -> R:
        """Run `work(*args, **kwargs)` in rounds and measure each; warm-up rounds come first and are dropped.

        A round holds as many calls as it takes for its joules to be known; they are given for one call.

        Args:
            work: The work under test; it must do the same work each time.
            *args: Passed to *work*.
            samples: Samples in one round; not passed on. Without it the marker's.
            **kwargs: Passed to *work*.

        Returns:
            What the last round returned.

        Raises:
            EnergyError: Rounds were measured already, or a window is open.
        """
        return self._measure_rounds(lambda _: work(*args, **kwargs), samples, may_repeat=True)

    def measure_again(
        self,
        work: Callable[[int], object],
        *,
        what: str,
        call_count: int | None = None,
        around: Around = at_once,
    ) -> None:
        """Measure rounds of work that has been done already, and do it no more where nothing measures.

        Args:
            work: The work under test; gets the number of its call.
            what: What was measured: records of something else in the same test are not comparable.
            call_count: Calls in each round; `None`: as many as it takes.
            around: Runs each round, its window and all.
        """
        if self._can_measure():
            self._work = {"measured": what}
            self._measure_rounds(
                work, None, may_repeat=call_count is None, call_count=call_count or 1, around=around
            )

    def give_up(self, because: str) -> None:
        """Remember why there are no rounds, unless there are some."""
        self._unmeasured_because = self._unmeasured_because or because

    def _measure_rounds(
        self,
        work: Callable[[int], R],
        samples: int | None,
        *,
        may_repeat: bool,
        call_count: int = 1,
        time_share: float = 1.0,
        loads: "LoadRounds | None" = None,
        around: Around = at_once,
    ) -> R:
        from pytest_energy.plugin.rounds import Sequential, take_rounds

        if self._has_begun or self._windows:
            raise EnergyError(
                f"{self._test_id}: rounds can be measured once in a test, and not beside outermost windows; "
                "name the parts of one round with energy.window inside the function that is measured"
            )
        self._has_begun = True
        self._samples = self._samples if samples is None else samples
        if not self._can_measure():
            return work(0)
        devices = self._run.meter.devices(self._mark.domains)
        plan = self._plan(self._test_id, may_repeat=may_repeat, time_share=time_share)
        with self._run.progress(self._test_id) as say:
            taken = take_rounds(
                work,
                measured=lambda calls: around(lambda: self._measured(calls, loads=loads)),
                plan=replace(plan, call_count=call_count),
                clock=self._run.clock,
                progress=say,
                scheduler=self._run.scheduler or Sequential(self._more_rounds),
                lock=lambda: locked(devices),
            )
        self._warmup_count, self._rounds = taken.warmup_count, taken.rounds
        self._confirming_count = taken.confirming_count
        return taken.result

    def _more_rounds(self, rounds: tuple[Reading, ...]) -> "More | None":
        return self._run.more_rounds(self._bare_record(rounds), self._mark)

    def _can_measure(self) -> bool:
        """Whether this run measures this test; if not, remembers why."""
        if self._run.settings.is_off:
            return False
        self._unmeasured_because = self._run.meter.why_unmeasured(self._test_id)
        return self._unmeasured_because is None

    def _plan(self, test_id: str, *, may_repeat: bool, time_share: float = 1.0) -> "RoundPlan":
        from pytest_energy.plugin.rounds import RoundPlan
        from pytest_energy.stats.rounds import precision_for

        settings, mark = self._run.settings, self._mark
        limit = self._run.meter.rounds_left(test_id)
        return RoundPlan(
            count=settings.round_count if mark.rounds is None else mark.rounds,
            limit=limit,
            precision=precision_for(self._run.tolerance(mark)),
            warmup_count=mark.warmup if limit is None else 0,  # replayed joules are warm already
            may_repeat=may_repeat and limit is None,
            max_time_s=time_share * (settings.max_time_s if mark.max_time_s is None else mark.max_time_s),
            void_retry_count=settings.void_retry_count,
        )

    def _measured(
        self,
        work: Callable[[], R],
        test_id: str | None = None,
        loads: "LoadRounds | None" = None,
    ) -> tuple[R, Reading]:
        """What *work* returns and what it used; *loads*, if it is one of them, say which of it counts."""
        test_id = self._test_id if test_id is None else test_id
        if loads is not None:
            loads.prepare()
        self._open = opened = self._run.meter.open(test_id, domains=self._mark.domains)
        try:
            result, reading = work(), opened.close()
        finally:
            self._open = None
        is_replayed = reading.provenance is Provenance.REPLAYED
        return result, reading if loads is None or is_replayed else loads.counted(reading)

    @contextmanager
    def window(self, name: str, samples: int | None = None) -> Iterator[Window]:
        """Measure the block as a window called *name*.

        Inside a measured round, or inside another window, it is a phase of that round.

        Args:
            name: What the stretch is called; outermost, the same name again is the next round's.
            samples: Samples that the block works on.

        Raises:
            EnergyError: The window is outside the rounds that `measure` has taken.
        """
        window = Window(name, samples)
        if self._open is not None:
            phase = self._open.phase(name, samples=samples)
            yield window
            phase.close()
            return
        if self._rounds is not None:
            raise EnergyError(
                f"{self._test_id}: the window {name!r} is outside the rounds that energy.measure has taken; "
                "open it inside the function that is measured"
            )
        if self._has_begun or not self._can_measure():  # a warm-up run, or nothing measures
            yield window
            return
        with locked(self._run.meter.devices(self._mark.domains)):
            self._open = opened = self._run.meter.open(self._test_id, domains=self._mark.domains)
            try:
                yield window
                window.reading = opened.close()
            finally:
                self._open = None
        self._windows.append(window)
        if len({window.name for window in self._windows}) == 1:
            self._samples = self._samples if samples is None else samples

    def requests(
        self,
        engine: "Engine",
        prompts: "Prompts | PromptSet",
        *,
        rate: float,
        output_tokens: "int | Sequence[int] | None" = None,
        duration_s: float | None = None,
        burstiness: float = 1.0,
        concurrency: int | None = None,
        seed: int = 0,
        slo: "Slo | None" = None,
    ) -> "LoadResult":
        """Send *prompts* to *engine* at a request rate, in rounds, and measure each.

        The schedule is open-loop (requests don't wait for answers) and the same in every round. Joules are
        those of the steady state of the load, scaled to all requests: joules a sample are joules a request.
        A load that the engine falls behind is `saturated`: reported, and held against nothing.

        Args:
            engine: Ready to serve.
            prompts: Token ids, one sequence a request; a set of them with the lengths of their answers; or a
                function from the round's number to token ids, of equal lengths in each round.
            rate: Requests a second; infinity sends all at once, as far as *concurrency* lets them.
            output_tokens: Length of every answer, or one for each prompt.
            duration_s: How long requests arrive, *rate* times that many of them; the prompts start over when
                they are used up. Without it each prompt is sent once.
            burstiness: 1 is a Poisson process, infinity a constant gap.
            concurrency: Most requests under way at once; with an infinite rate a closed loop.
            seed: Of the schedule.
            slo: Limits of latency, for the goodput.

        Returns:
            What the last round's load saw: latencies, tokens, cache hits.

        Raises:
            EnergyError: The engine failed, the arguments make no load, or rounds were measured already.
        """
        from pytest_energy.serving.arrivals import Schedule
        from pytest_energy.serving.rounds import LoadPlan, LoadRounds

        plan = LoadPlan(
            engine=engine,
            prompts=prompts,
            schedule=Schedule(rate=rate, burstiness=burstiness, concurrency=concurrency, seed=seed),
            output_tokens=output_tokens,
            duration_s=duration_s,
        )
        is_off = self._run.settings.is_off
        has_warm_up = not is_off and self._plan(self._test_id, may_repeat=False).warmup_count != 0
        self._loads = loads = LoadRounds(plan=plan, window=lambda: self._open, has_warm_up=has_warm_up)
        self._slo = slo
        if not is_off:
            self._run.meter.adopt(engine.worker_pids())
        return self._measure_rounds(loads.take, loads.request_count, may_repeat=False, loads=loads)

    def model(self, module: object, example_input: object) -> None:
        """Describe the model at work: parameters, MACs of one sample, size. Measures nothing.

        Args:
            module: A `torch.nn.Module`.
            example_input: What the module's forward takes, batch first; also a tuple of inputs.

        Raises:
            EnergyError: A window is open: the cost of looking at the model would be measured.
        """
        from pytest_energy.profiling.pytorch import model_facts

        if self._open is not None:
            raise EnergyError(
                f"{self._test_id}: energy.model inside a window would be measured itself; call it before"
            )
        if not self._run.settings.is_off:
            by_thop = self._run.settings.counts_macs_by_thop
            self._facts = model_facts(module, example_input, by_thop=by_thop)

    def layers(self, module: object, example_input: object, *, samples: int | None = None) -> "LayerEnergy":
        """Measure a forward pass in rounds, as `measure` does, and each type of its layers by itself.

        The rounds of the test are those of the whole pass, in eval mode; the figures of the types go into its
        metrics. All windows together have the time of one test.

        Args:
            module: A `torch.nn.Module`.
            example_input: What the module's forward takes; also a tuple of inputs, or a mapping of them.
            samples: Samples in the input. Without it the marker's.

        Returns:
            Joules and seconds of a pass by type, and the share of the whole that they explain; each `None`
            with its reason where it could not be measured.

        Raises:
            EnergyError: A window is open, rounds were measured already, or the forward pass fails.
            NotMeasurable: The inputs of all layers together don't fit in memory.
        """
        from pytest_energy.profiling.layers import measure_layers

        if self._open is not None:
            raise EnergyError(
                f"{self._test_id}: energy.layers opens windows of its own and can't be called inside one"
            )

        def take(
            part: str | None, work: Callable[[], None], *, time_share: float
        ) -> tuple[Reading, ...] | str:
            if part is not None:
                return self._rounds_of_part(part, work, time_share)
            self._measure_rounds(lambda _: work(), samples, may_repeat=True, time_share=time_share)
            return self._rounds or self._unmeasured_because or "this run measures nothing: --energy-off"

        found = measure_layers(module, example_input, take)
        self._metrics |= found.metrics
        self._absent |= found.absent
        return found

    def _rounds_of_part(
        self, part: str, work: Callable[[], None], time_share: float
    ) -> tuple[Reading, ...] | str:
        """Rounds that are none of the test's, or why there are none."""
        from pytest_energy.plugin.rounds import take_rounds

        test_id = f"{self._test_id}#{part}"
        because = self._run.meter.why_unmeasured(test_id)
        if because is not None:
            return because
        plan = self._plan(test_id, may_repeat=True, time_share=time_share)
        if plan.limit is None:  # a few layers may take microseconds: how many calls it takes must be found
            plan = replace(plan, warmup_count=None)
        devices = self._run.meter.devices(self._mark.domains)
        with self._run.progress(test_id) as say:
            return take_rounds(
                lambda _: work(),
                measured=lambda calls: self._measured(calls, test_id),
                plan=plan,
                clock=self._run.clock,
                progress=say,
                lock=lambda: locked(devices),
            ).rounds

    def record(self, **metrics: float | None) -> None:
        """Keep metrics of your own beside the joules; `accuracy`, a share, also feeds overall_efficiency.

        Raises:
            EnergyError: A value is neither a finite number nor `None`.
        """
        for name, value in metrics.items():
            if value is not None and not math.isfinite(value):
                raise EnergyError(f"{self._test_id}: energy.record({name}={value!r}): give a finite number")
            self._metrics[name] = None if value is None else float(value)
            if value is None:
                self._absent[name] = "recorded as None by the test"

    def replay_rounds(self) -> "tuple[ReplayRound, ...]":
        """The rounds that were measured, to be written down: a replay opens its windows in the same order.

        Raises:
            NotMeasurable: One of them is void.
        """
        from pytest_energy.sensors.replay import ReplayRound

        readings = self._rounds if self._rounds is not None else [w.reading for w in self._windows]
        return tuple(ReplayRound.from_reading(reading) for reading in readings if reading is not None)

    def to_record(self) -> Record | None:
        """What this test measured, or `None` if it is unmarked and measured nothing.

        Raises:
            EnergyError: A limit for each sample or token was set and their number is not known.
        """
        if self._mark.budget_per_sample_j is not None and self._samples is None:
            raise EnergyError(
                f"{self._test_id}: budget_per_sample_j={self._mark.budget_per_sample_j:g} needs the samples "
                "in a round: give samples= to the marker, energy.measure or energy.window"
            )
        if self._mark.budget_per_token_j is not None and self._loads is None:
            raise EnergyError(
                f"{self._test_id}: budget_per_token_j={self._mark.budget_per_token_j:g} needs tokens that an "
                "engine counts: measure the load with energy.requests"
            )
        rounds = self._rounds if self._rounds is not None else _rounds_of(self._windows)
        unmeasured_because = self._unmeasured_because
        if not rounds and unmeasured_because is None:
            if self._mark == EnergyMark():
                return None
            unmeasured_because = "the test uses the fixture energy, but called neither measure nor window"
        record = self._bare_record(rounds, self._confirming_count, unmeasured_because)
        served = self._served(len(rounds))
        record = replace(record, metrics=self._metrics, absent={**self._absent, **_untold(served)})
        return self._run.with_metrics(record, self._facts, served)

    def _served(self, round_count: int) -> Loads | None:
        """The loads of the rounds that count."""
        loads = self._loads
        if loads is None or not loads.loads:
            return None
        measured = loads.newest(round_count)
        return Loads(measured=measured, engine_facts=loads.plan.engine.facts, slo=self._slo)

    def _bare_record(
        self, rounds: tuple[Reading, ...], confirming_count: int = 0, unmeasured_because: str | None = None
    ) -> Record:
        """The record without metrics."""
        return Record(
            test_id=self._test_id,
            created=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            provenance=self._run.provenance,
            machine=self._run.machine,
            rounds=rounds,
            samples=self._samples,
            warmup_count=self._warmup_count,
            confirming_count=confirming_count,
            group=self._mark.group,
            model=self._mark.model,
            idle_power_w=self._run.meter.idle_power_w() if rounds else None,
            sensors=self._run.statuses,
            void_because=next((r.void_because for r in rounds if r.void_because is not None), None),
            unmeasured_because=None if rounds else unmeasured_because,
            **self._of_load(len(rounds)),
        )

    def _of_load(self, round_count: int) -> "_OfLoad":
        """What a record of so many rounds says of their requests; the warm-up's are not among them."""
        loads = self._loads
        if loads is None:
            return {"work": self._work}
        from pytest_energy.serving.rounds import saturation, tuning

        is_saturated, because = saturation(loads.newest(round_count))
        return {
            "output_tokens": loads.output_tokens,
            "work": loads.work,
            "tuning": tuning(loads.plan.engine.facts),
            "saturated_because": because if is_saturated else None,
        }


def _untold(served: Loads | None) -> dict[str, str]:
    """Why it isn't known whether a server kept up, if it isn't."""
    if served is None:
        return {}
    from pytest_energy.serving.rounds import saturation

    is_saturated, because = saturation(served.measured)
    return {"saturation": because} if is_saturated is None else {}


def _rounds_of(windows: Sequence[Window]) -> tuple[Reading, ...]:
    """Readings of the outermost windows as rounds (rule 1).

    Names that were opened unequally often don't pair up; then all windows together are one round.
    """
    by_name: dict[str, list[Window]] = {}
    for window in windows:
        by_name.setdefault(window.name, []).append(window)
    if len({len(named) for named in by_name.values()}) > 1:
        return (_joined(windows),)
    return tuple(_joined(parts) for parts in zip(*by_name.values(), strict=True))


def _phase(window: Window, reading: Reading) -> Phase:
    return Phase(
        name=window.name,
        energy_j=reading.energy_j,
        uncertainty_j=reading.uncertainty_j,
        duration_s=reading.duration_s,
        samples=window.samples,
        quality=reading.quality,
    )


def _joined(parts: Sequence[Window]) -> Reading:
    """One reading for *parts*, measured one after the other, each of them a phase of it."""
    readings = [part.reading for part in parts if part.reading is not None]
    if len(readings) == 1:
        return readings[0]
    channels: dict[str, float] = {}
    for reading in readings:
        for name, energy_j in reading.channels.items():
            channels[name] = channels.get(name, 0.0) + energy_j
    return Reading(
        channels=channels,
        duration_s=math.fsum(reading.duration_s for reading in readings),
        uncertainty_j=math.hypot(*(reading.uncertainty_j for reading in readings)),
        provenance=readings[0].provenance,
        quality=tuple(dict.fromkeys(sentence for reading in readings for sentence in reading.quality)),
        void_because=next((r.void_because for r in readings if r.void_because is not None), None),
        phases=tuple(_phase(part, part.reading) for part in parts if part.reading is not None),
    )
