"""Tests of pytest-benchmark and pytest-codspeed, measured as they are: `--energy-benchmark`.

Rule 1: their plugin has done all its work, its statistics included, before the first round of ours begins;
what `benchmark` returns is what theirs returned.
Rule 2: rounds are taken where `benchmark` was called, not after the test: what the test has set up around the
call (an inference mode, an open connection) is part of the work.
Rule 3: a `setup` runs before each round and its `teardown` after, both outside the window. Then a round is as
many calls as between a setup and a teardown of theirs, usually one.
Rule 4: work that can't be done again leaves the test unmeasured, with the reason, and fails nothing.
Rule 5: a test with the fixture `energy` says itself what is measured; `benchmark` in it is none of ours.
"""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, TypeVar

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.model import Reading
from pytest_energy.plugin.fixture import Energy, at_once
from pytest_energy.plugin.mark import NAME
from pytest_energy.plugin.stash import ENERGY, IS_BENCHMARK, IS_REPEATED, JUDGEMENT

R = TypeVar("R")

_COMMON, _CODSPEED = "benchmark", "codspeed_benchmark"  # fixtures and markers have the same names
_MEASURED = "_energy_of_test"  # set on the class of a fixture that is measured
_EXPLANATION = (
    "--energy-benchmark had called the benchmarked function again, in rounds of its own, before this test "
    "failed. If the test counts calls or looks at what they have changed, run it without."
)
_LONGEST_ERROR = 200  # characters: some lines of a reason


def measure_benchmarks(config: pytest.Config, *, is_off: bool) -> None:
    """Have the benchmarks of this run measured.

    Raises:
        SettingsError: No plugin brings a fixture that could be measured.
    """
    known = {name for name in (_COMMON, _CODSPEED) if _is_brought(config, name)}
    if not known:
        raise SettingsError(
            "--energy-benchmark (ini value energy_benchmark) measures tests with the fixture benchmark, and "
            "no plugin of this run brings one: install pytest-benchmark or pytest-codspeed, or leave it out"
        )
    are_skipped = config.getoption("--benchmark-skip", default=False)
    if not (is_off or are_skipped):
        config.pluginmanager.register(Benchmarks(has_codspeed=_CODSPEED in known), "energy-benchmarks")


def _is_brought(config: pytest.Config, fixture: str) -> bool:
    """Whether a plugin, or a `conftest.py` that is loaded by now, defines *fixture*."""
    return any(hasattr(plugin, fixture) for plugin in config.pluginmanager.get_plugins())


class Benchmarks:
    """Registered if benchmarks are measured: finds them and stands behind their fixture.

    Args:
        has_codspeed: pytest-codspeed is there, to which a marked test without the fixture is a benchmark.
    """

    def __init__(self, *, has_codspeed: bool) -> None:
        self._markers = (_COMMON, _CODSPEED) if has_codspeed else ()

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            is_marked = any(item.get_closest_marker(name) for name in self._markers)
            if NAME not in getattr(item, "fixturenames", ()) and (is_marked or _has_fixture(item)):
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


def finish(item: pytest.Item, energy: Energy) -> None:
    """After the body of a benchmark: measure it whole if that is what is benchmarked.

    Where no call of `benchmark` came to its end there are no rounds, and the record says so.
    """
    if _has_fixture(item):
        energy.give_up("the test has the fixture benchmark, but no call of it came to its end")
    else:  # pytest-codspeed replaces `runtest` of the item, so that of its class is the test
        _measure(Calls(target=type(item).runtest, args=(item,)), "the whole test", item)


# The fixture


def _stand_behind(fixture: object, item: pytest.Item) -> None:
    """Measure what *fixture*, if it is one of the two plugins', is called with, once it is done.

    Its class becomes one that inherits from the old, for this object alone. An object that forwards to it
    would not do: pytest-benchmark looks at the type of its fixture, and `weave` calls the one inside.
    """
    kind = type(fixture)
    if not hasattr(kind, "pedantic") or hasattr(kind, _MEASURED):
        return
    methods = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__call__": _measured_call(kind, item),
        "pedantic": _measured_pedantic(kind, item),
        _MEASURED: True,
    }
    # Not by assignment: pytest-codspeed's fixture has a `__class__` of its own, which can't be set.
    vars(object)["__class__"].__set__(fixture, type(kind.__name__, (kind,), methods))


def _measured_call(kind: Any, item: pytest.Item) -> Callable[..., object]:
    @wraps(kind.__call__)
    def call(self: object, *args: Any, **kwargs: Any) -> object:
        result: object = kind.__call__(self, *args, **kwargs)
        said = inspect.signature(kind.__call__).bind(self, *args, **kwargs)
        said.apply_defaults()
        _, target, target_args, target_kwargs = said.arguments.values()  # the names differ in the two
        calls = Calls(target=target, args=target_args, kwargs=target_kwargs)
        _measure(calls, "one call of benchmark(...)", item)
        return result

    return call


def _measured_pedantic(kind: Any, item: pytest.Item) -> Callable[..., object]:
    @wraps(kind.pedantic)
    def pedantic(self: object, *args: Any, **kwargs: Any) -> object:
        try:
            said = inspect.signature(kind.pedantic).bind(self, *args, **kwargs)
        except TypeError:  # theirs to say
            return kind.pedantic(self, *args, **kwargs)
        said.apply_defaults()
        setup = said.arguments["setup"]
        watched = None if setup is None else Setup(setup)
        said.arguments["setup"] = watched
        result: object = kind.pedantic(*said.args, **said.kwargs)
        calls = Calls(
            target=said.arguments["target"],
            args=said.arguments["args"],
            kwargs=said.arguments["kwargs"] or {},
            setup=watched,
            teardown=said.arguments.get("teardown"),
            iterations=said.arguments["iterations"],
        )
        _measure(calls, "one call of benchmark.pedantic(...)", item)
        return result

    return pedantic


# The calls


class Setup:
    """A `setup` that remembers what it was called with.

    pytest-benchmark gives it nothing, pytest-codspeed the arguments of the target.
    """

    def __init__(self, setup: Callable[..., Any]) -> None:
        self._setup = setup
        self._args: tuple[object, ...] = ()
        self._kwargs: Mapping[str, object] = {}

    def __call__(self, *args: object, **kwargs: object) -> Any:
        self._args, self._kwargs = args, kwargs
        return self._setup(*args, **kwargs)

    def again(self) -> Any:
        """Call it as it was called before."""
        return self._setup(*self._args, **self._kwargs)


class _CantRepeat(Exception):
    """The function, its setup or its teardown raised an error, which is the cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What was benchmarked.

    Attributes:
        iterations: Calls between a setup and a teardown.
    """

    target: Callable[..., object]
    args: Sequence[object] = ()
    kwargs: Mapping[str, object] = field(default_factory=dict)
    setup: Setup | None = None
    teardown: Callable[..., object] | None = None
    iterations: int = 1

    @property
    def has_edges(self) -> bool:
        return self.setup is not None or self.teardown is not None

    def prepared(self) -> "Calls":
        """Set up, with the arguments that the setup gave."""
        given = None if self.setup is None else _guarded(self.setup.again)
        return replace(self, args=given[0], kwargs=given[1]) if given else self

    def tear_down(self) -> None:
        if self.teardown is not None:
            _guarded(self.teardown, *self.args, **self.kwargs)


class _Edges:
    """Rounds with a setup before and a teardown after, and the call between them."""

    def __init__(self, calls: Calls) -> None:
        self._calls = self._prepared = calls

    def call(self, _: int) -> object:
        calls = self._prepared
        try:  # here, as what is called in between costs joules as well
            return calls.target(*calls.args, **calls.kwargs)
        except Exception as error:  # whatever someone's function raises
            raise _CantRepeat from error

    def around(self, take: Callable[[], tuple[R, Reading]], /) -> tuple[R, Reading]:
        self._prepared = self._calls.prepared()
        result, reading = take()
        self._prepared.tear_down()
        return result, _with_reason(reading, self._calls.iterations)


def _with_reason(reading: Reading, call_count: int) -> Reading:
    """*reading*, and if it is void why there was not more work in its round."""
    if reading.void_because is None:
        return reading
    held = "one call" if call_count == 1 else f"{call_count} calls"
    why = f"a round holds {held}, as benchmark.pedantic was given a setup or a teardown"
    return replace(reading, void_because=f"{reading.void_because} ({why})")


def _guarded(work: Callable[..., R], /, *args: Any, **kwargs: Any) -> R:
    try:
        return work(*args, **kwargs)
    except Exception as error:  # whatever someone's function raises
        raise _CantRepeat from error


def _measure(calls: Calls, what: str, item: pytest.Item) -> None:
    energy = item.stash[ENERGY]
    item.stash[IS_REPEATED] = True
    edges = _Edges(calls)
    try:
        energy.measure_again(
            edges.call,
            what=what,
            call_count=calls.iterations if calls.has_edges else None,
            around=edges.around if calls.has_edges else at_once,
        )
    except _CantRepeat as failure:
        error = failure.__cause__
        said = " ".join(f"{type(error).__name__}: {error}".split())
        energy.give_up(f"the benchmark can't be run again: {said[:_LONGEST_ERROR]}")
