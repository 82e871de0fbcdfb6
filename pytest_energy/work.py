"""The interface of work that a test measures: rounds, samples and description.

Rule 1: the core repeats, measures and judges any `Work` and knows none by name; a new kind of work is a file
that makes one, and a method of the fixture that hands it over.
Rule 2: only `run` is inside the window. What comes before (`prepare`) and after (`conclude`) is in no joules.
"""

import inspect
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field, replace
from typing import Generic, Protocol, TypeVar

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, EnergyError
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.metrics.evaluation import Metrics
from pytest_energy.model import Reading, Record, StepCost

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDescription:
    """Description of the work in a record; empty by default.

    Attributes:
        samples: Samples (images, requests) in one round, or `None`: then those of the marker.
        output_tokens: Tokens that a model wrote in one round, or `None` if it writes none.
        workload: Further facts of the work, name to value: records of other work are not comparable.
        engine_settings: How the work is done, name to value: a difference may explain a change of the joules.
        saturated_because: Why a server did not keep up with its load, or `None`.
        slo_missed_because: Why too few answers were within the test's limits of latency, or `None`.
        step_cost: Joules that one more step of a model server adds, if the rounds have steps.
        roles: Channel name to what its device did, as far as the work has found out.
        metrics: What can be computed from a record that has no metrics of the work yet.
    """

    samples: int | None = None
    output_tokens: int | None = None
    workload: Mapping[str, str] = field(default_factory=dict)
    engine_settings: Mapping[str, str] = field(default_factory=dict)
    saturated_because: str | None = None
    slo_missed_because: str | None = None
    step_cost: StepCost | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    metrics: Callable[[Record], Metrics] = lambda _: Metrics()


class Trace(Protocol):
    """Counts what a call does."""

    def __call__(
        self, call: Callable[[], object], /, *, may_repeat: bool = True, is_whole: bool = True
    ) -> Counts | Absent:
        """What *call* did, or why that can't be counted.

        Args:
            call: Is called once; twice where there is time to see whether it repeats.
            may_repeat: It may be called twice.
            is_whole: It is a call as those of the rounds, and takes as long.
        """
        ...


class Work(Protocol[R_co]):
    """What one test measures, in rounds."""

    @property
    def call_count(self) -> int:
        """Calls of `run` in one round; the least, if it may repeat."""
        ...

    @property
    def may_repeat(self) -> bool:
        """A round may hold more calls, as many as it takes for its joules to be known."""
        ...

    def prepare(self) -> None:
        """Get ready for one round, before its window opens."""
        ...

    def run(self, call_index: int, window: OpenWindow | None, /) -> R_co:
        """One call of the work.

        Args:
            call_index: Calls before this one, warm-up included.
            window: The round's, in which phases can be begun; `None` if nothing measures.
        """
        ...

    def conclude(self, reading: Reading) -> Reading:
        """End one round, after its window was closed.

        Args:
            reading: Of all its calls together.

        Returns:
            What of it counts; *reading* itself where all of it does.
        """
        ...

    def description(self, round_count: int, /) -> WorkDescription:
        """What a record of the newest *round_count* rounds says of the work; 0 if nothing measures."""
        ...

    def counts(self, trace: Trace, /) -> Counts | Absent:
        """What one more call does, or why that can't be counted; asked after all rounds, outside a window."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CallWork(Generic[R]):
    """Calls of a function that does the same work each time, and of which nothing else is known.

    Attributes:
        traced: Is counted in place of *call*: a smaller piece of the same kind, or `None`.
        engine_settings: How it is done, name to value.
    """

    call: Callable[[], R]
    samples: int | None = None
    traced: Callable[[], object] | None = None
    call_count: int = 1
    may_repeat: bool = True
    engine_settings: Mapping[str, str] = field(default_factory=dict)

    def prepare(self) -> None:
        """Nothing: the function is ready."""

    def run(self, index: int, _window: OpenWindow | None, /) -> R:
        result = self.call()
        if index == 0:
            _check_done(result)
        return result

    def conclude(self, reading: Reading) -> Reading:
        return reading

    def description(self, _round_count: int, /) -> WorkDescription:
        return WorkDescription(samples=self.samples, engine_settings=self.engine_settings)

    def counts(self, trace: Trace, /) -> Counts | Absent:
        if self.traced is None:
            return trace(self.call)
        counts = trace(_checked(self.traced), is_whole=False)
        return replace(counts, is_piece=True) if isinstance(counts, Counts) else counts


def runner_of(value: object) -> str | None:
    """What runs *value*, which does nothing by itself, or `None`; it is closed, so that Python doesn't warn.

    Who calls a coroutine function or a generator function makes an object, and runs nothing of its body.
    """
    if isinstance(value, Coroutine | Generator):
        value.close()
    if inspect.isawaitable(value) or inspect.isasyncgen(value):
        return "asyncio.run(work())"
    return "list(work())" if isinstance(value, Generator | map | filter) else None


def why_not_done(result: object) -> str | None:
    """Why a call that returned *result* has left its work undone, or `None`."""
    runner = runner_of(result)
    if runner is None:
        return None
    name = type(result).__name__.replace("_", " ")
    article = "an" if name[0] == "a" else "a"
    return f"nothing ran: the call returned {article} {name}.\nPass a function that runs it: lambda: {runner}"


def _checked(call: Callable[[], object]) -> Callable[[], object]:
    """*call*, which nothing has called before, as a function that refuses to leave its work undone."""

    def checked() -> None:
        _check_done(call())

    return checked


def _check_done(result: object) -> None:
    because = why_not_done(result)
    if because is not None:
        raise EnergyError(because)
