"""Measures tests of pytest-benchmark and pytest-codspeed unchanged: `--energy-benchmark`.

Rule 1: their plugin has done all its work, its statistics included, before the first round of ours begins;
what `benchmark` returns is what theirs returned.
Rule 2: rounds are taken where `benchmark` was called, not after the test: what the test has set up around the
call (an inference mode, an open connection) is part of the work.
Rule 3: a `setup` runs before each round and its `teardown` after, both outside the window. Then a round is as
many calls as between a setup and a teardown of theirs, usually one.
Rule 4: work that can't be done again, or that a call doesn't do (a coroutine), leaves the test unmeasured,
with the reason, and fails nothing.
Rule 5: a test with the fixture `energy` says itself what is measured; `benchmark` in it is none of ours.
"""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from importlib import metadata
from typing import Any, TypeVar

import pytest

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, SettingsError, described
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import Reading
from pytest_energy.plugin.mark import uses_fixture
from pytest_energy.plugin.measurement import Measurement
from pytest_energy.plugin.stash import IS_BENCHMARK, IS_REPEATED, JUDGEMENT, MEASUREMENT
from pytest_energy.work import Trace, WorkDescription, why_not_done

R = TypeVar("R")

_COMMON, _CODSPEED = "benchmark", "codspeed_benchmark"  # fixtures and markers have the same names
_MEASURED = "_energy_of_test"  # set on the class of a fixture that is measured
_PACKAGES = {"pytest_benchmark": "pytest-benchmark", "pytest_codspeed": "pytest-codspeed"}  # by module
# Tried: pytest-benchmark 4.0.0 (runs with pytest 8 only), 5.3.1; pytest-codspeed 4.5.0, 5.0.4.
_KNOWN_MAJORS = ("4", "5")
_EXPLANATION = (
    "--energy-benchmark called the benchmarked function again, in its own rounds, before this test failed. "
    "If the test counts calls or checks what they changed, run it without this option."
)
_LONGEST_ERROR = 200  # characters: some lines of a reason


def measure_benchmarks(config: pytest.Config, *, is_off: bool) -> None:
    """Have the benchmarks of this run measured.

    Raises:
        SettingsError: No plugin brings a fixture that could be measured.
    """
    plugins = config.pluginmanager.get_plugins()  # with each `conftest.py` that is loaded by now
    brought = {name for name in (_COMMON, _CODSPEED) if any(hasattr(plugin, name) for plugin in plugins)}
    if not brought:
        raise SettingsError(
            "--energy-benchmark (ini value energy_benchmark) measures tests that use the fixture benchmark, "
            "but no plugin of this run provides it: install pytest-benchmark or pytest-codspeed, or remove "
            "the option"
        )
    are_skipped = config.getoption("--benchmark-skip", default=False)
    if not (is_off or are_skipped):
        config.pluginmanager.register(Benchmarks(has_codspeed=_CODSPEED in brought), "energy-benchmarks")


class Benchmarks:
    """Registered if benchmarks are measured: finds them and wraps their fixture.

    Args:
        has_codspeed: pytest-codspeed is there, to which a marked test without the fixture is a benchmark.
    """

    def __init__(self, *, has_codspeed: bool) -> None:
        self._markers = (_COMMON, _CODSPEED) if has_codspeed else ()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            is_marked = any(item.get_closest_marker(name) for name in self._markers)
            if (is_marked or _has_fixture(item)) and not uses_fixture(item):
                item.stash[IS_BENCHMARK] = True

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[object], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        value = yield
        if fixturedef.argname in {_COMMON, _CODSPEED}:
            item = request.node
            if isinstance(item, pytest.Item) and item.stash.get(IS_BENCHMARK, False):
                _stand_behind(value, item)
        return value

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        is_of_test = report.failed and report.when == "call" and JUDGEMENT not in item.stash
        if is_of_test and item.stash.get(IS_REPEATED, False):
            report.sections.append(("energy", _EXPLANATION))
        if report.when == "teardown":  # a plugin that repeats a failed test does so with the same item
            item.stash[IS_REPEATED] = False
        return report


def _has_fixture(item: pytest.Item) -> bool:
    return not {_COMMON, _CODSPEED}.isdisjoint(getattr(item, "fixturenames", ()))


def finish(item: pytest.Item, measurement: Measurement) -> None:
    """After the body of a benchmark: measure it whole if that is what is benchmarked.

    Where no call of `benchmark` came to its end there are no rounds, and the record says so.
    """
    if _has_fixture(item):
        measurement.give_up("the test uses the fixture benchmark, but no call of it was completed")
    else:  # pytest-codspeed replaces `runtest` of the item, so that of its class is the test
        _measure(BenchmarkWork(what="the whole test", target=type(item).runtest, args=(item,)), item)


# The fixture


def _stand_behind(fixture: object, item: pytest.Item) -> None:
    """Measure what *fixture*, if it is one of the two plugins', is called with, once it is done.

    Its class becomes one that inherits from the old, for this object alone. An object that forwards to it
    would not do: pytest-benchmark looks at the type of its fixture, and `weave` calls the one inside.
    """
    kind = type(fixture)
    if not hasattr(kind, "pedantic") or hasattr(kind, _MEASURED):
        return
    because = _why_unknown(kind)
    if because is not None:
        item.stash[MEASUREMENT].give_up(because)
        return
    methods = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__call__": _measured_method(kind.__call__, "benchmark", item),
        "pedantic": _measured_method(kind.pedantic, "benchmark.pedantic", item),
        _MEASURED: True,
    }
    try:
        # Not by assignment: pytest-codspeed's fixture has a `__class__` of its own, which can't be set.
        vars(object)["__class__"].__set__(fixture, type(kind.__name__, (kind,), methods))
    except TypeError as error:  # an object whose class can't be another's
        item.stash[MEASUREMENT].give_up(f"the fixture {kind.__name__} can't be measured: {described(error)}")


def _why_unknown(kind: type) -> str | None:
    """Why a fixture of the class *kind* is left as it is; `None`: it is known, or a project's own."""
    name = _PACKAGES.get(kind.__module__.partition(".")[0])
    if name is None:
        return None
    version = metadata.version(name)
    if version.partition(".")[0] in _KNOWN_MAJORS:
        return None
    return (
        f"{name} {version} is not known to work with --energy-benchmark; install one of its versions "
        f"{', '.join(_KNOWN_MAJORS)}, or measure the work with the fixture energy"
    )


def _measured_method(theirs: Callable[..., object], what: str, item: pytest.Item) -> Callable[..., object]:
    """*theirs*, a method of a fixture, followed by rounds of the work that it was called with."""

    @wraps(theirs)
    def method(*args: Any, **kwargs: Any) -> object:
        try:
            bound = inspect.signature(theirs).bind(*args, **kwargs)
        except TypeError:  # theirs to say
            return theirs(*args, **kwargs)
        bound.apply_defaults()
        _, target, target_args, target_kwargs, *_ = bound.arguments.values()  # their names differ
        setup = bound.arguments.get("setup")
        if setup is not None:
            setup = bound.arguments["setup"] = Setup(setup)
        result = theirs(*bound.args, **bound.kwargs)
        because = why_not_done(result)
        if because is not None:
            item.stash[MEASUREMENT].give_up(because.replace("\n", " "))
            return result
        work = BenchmarkWork(
            what=f"one call of {what}(...)",
            target=target,
            args=target_args,
            kwargs=target_kwargs or {},
            setup=setup,
            teardown=bound.arguments.get("teardown"),
            iterations=bound.arguments.get("iterations", 1),
        )
        _measure(work, item)
        return result

    return method


# The calls


class Setup:
    """A `setup` that remembers what it was called with.

    pytest-benchmark gives it nothing, pytest-codspeed the arguments of the target.
    """

    def __init__(self, setup: Callable[..., Any]) -> None:
        self._setup = setup
        self.again: Callable[[], Any] = setup

    def __call__(self, *args: object, **kwargs: object) -> Any:
        self.again = partial(self._setup, *args, **kwargs)
        return self.again()


_ENDS = (Exception, SystemExit, pytest.fail.Exception, pytest.skip.Exception)
"""What a function that can't be called again may raise; Ctrl-C and `pytest.exit` still stop the run."""


class _CantRepeat(Exception):
    """The function, its setup or its teardown raised an error, which is the cause."""


@dataclass(slots=True, kw_only=True)
class BenchmarkWork:
    """The benchmarked call as work, repeated in our rounds.

    Attributes:
        what: What a round measures: records of something else in the same test are not comparable.
        iterations: Calls between a setup and a teardown.
    """

    what: str
    target: Callable[..., object]
    args: Sequence[object] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    setup: Setup | None = None
    teardown: Callable[..., object] | None = None
    iterations: int = 1
    _arguments: tuple[Sequence[object], Mapping[str, object]] = ((), {})

    @property
    def may_repeat(self) -> bool:
        """Only what needs no setup and no teardown (rule 3)."""
        return self.setup is None and self.teardown is None

    @property
    def call_count(self) -> int:
        return 1 if self.may_repeat else self.iterations

    def prepare(self) -> None:
        """Set up, and take the arguments that the setup gives."""
        arguments = None if self.setup is None else _guarded(self.setup.again)
        self._arguments = arguments or (self.args, self.kwargs)

    def run(self, _index: int, _window: OpenWindow | None, /) -> object:
        args, kwargs = self._arguments
        try:  # here, as what is called in between costs joules as well
            return self.target(*args, **kwargs)
        except _ENDS as error:  # whatever someone's function raises
            raise _CantRepeat from error

    def conclude(self, reading: Reading) -> Reading:
        """Tear down; a void reading says why there was not more work in its round."""
        if self.teardown is not None:
            args, kwargs = self._arguments
            _guarded(self.teardown, *args, **kwargs)
        if self.may_repeat or reading.void_because is None:
            return reading
        calls = "one call" if self.iterations == 1 else f"{self.iterations} calls"
        why = f"a round holds {calls}, because benchmark.pedantic has a setup or a teardown"
        return replace(reading, void_because=f"{reading.void_because} ({why})")

    def description(self, _round_count: int, /) -> WorkDescription:
        return WorkDescription(workload={"measured": self.what})

    def counts(self, trace: Trace, /) -> Counts | Absent:
        """Of one call; between a setup and a teardown nothing is called twice."""
        self.prepare()
        args, kwargs = self._arguments
        try:
            return trace(lambda: self.target(*args, **kwargs), may_repeat=self.may_repeat)
        finally:
            if self.teardown is not None:
                _guarded(self.teardown, *args, **kwargs)


def _guarded(work: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    try:
        return work(*args, **kwargs)
    except _ENDS as error:  # whatever someone's function raises
        raise _CantRepeat from error


def _measure(work: BenchmarkWork, item: pytest.Item) -> None:
    """Measure work that has been done already; where nothing measures, do it once more to count it."""
    measurement = item.stash[MEASUREMENT]
    item.stash[IS_REPEATED] = True
    if not measurement.can_measure():
        measurement.count(work)
        return
    try:
        measurement.measure(work)
    except _CantRepeat as failure:
        error = failure.__cause__
        text = " ".join(described(error).split())
        measurement.give_up(f"the benchmark can't be run again: {text[:_LONGEST_ERROR]}")
