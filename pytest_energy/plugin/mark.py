"""The marker `energy`: its arguments, their help and their checks, defined once.

Rule 1: an argument that is unknown, positional or out of range stops the run at collection: a misspelt
limit must not switch the limit off.
Rule 2: the marker nearest to the test wins, argument by argument (function over class over module).
Rule 3: a fixture or a parameter `energy` that isn't the plugin's own is its suite's: it makes no energy test.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeGuard

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.plugin.stash import IS_BENCHMARK

if TYPE_CHECKING:
    from pytest_energy import judgement, model
else:
    judgement = LazyModule("pytest_energy.judgement")
    model = LazyModule("pytest_energy.model")

NAME = "energy"
FIXTURE_MODULE = "pytest_energy.plugin"  # where the fixture's function is


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _positive_number(value: object) -> float:
    if not (_is_number(value) and 0 < value < math.inf):
        raise ValueError("a finite number above 0")
    return float(value)


def _share(value: object) -> float:
    if not (_is_number(value) and 0 <= value < 10):
        raise ValueError("a share of at least 0, such as 0.05 for 5 %")
    return float(value)


def _count_from(least: int) -> Callable[[object], int]:
    def count(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"a whole number of at least {least}")
        return value

    return count


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a text that is not empty")
    return value


def _one_of(*words: str) -> Callable[[object], str]:
    def word(value: object) -> str:
        if value not in words:
            raise ValueError(" or ".join(repr(word) for word in words))
        return str(value)

    return word


def _domains(value: object) -> "frozenset[model.Domain]":
    names = (value,) if isinstance(value, str) else value
    chosen = tuple(names) if isinstance(names, Iterable) else ()
    if not chosen or any(name not in tuple(model.Domain) for name in chosen):
        raise ValueError(f"one or more of {', '.join(model.Domain)}")
    return frozenset(model.Domain(name) for name in chosen)


def _parts(value: object) -> "frozenset[judgement.Part]":
    names = (value,) if isinstance(value, str) else value
    chosen = tuple(names) if isinstance(names, Iterable) else ()
    if not chosen or any(name not in tuple(judgement.Part) for name in chosen):
        raise ValueError(f"one or more of {', '.join(judgement.Part)}")
    return frozenset(judgement.Part(name) for name in chosen)


def _argument(check: Callable[[object], object], meaning: str) -> Any:
    return field(default=None, metadata={"check": check, "help": meaning})


@dataclass(frozen=True, kw_only=True)  # slots would build the class twice, in every run of pytest
class EnergyMark:
    """What `@pytest.mark.energy(...)` says of a test. `None` is "not said"."""

    budget_j: float | None = _argument(_positive_number, "joules a round may use")
    budget_per_sample_j: float | None = _argument(_positive_number, "joules a sample may use; needs samples=")
    budget_per_token_j: float | None = _argument(
        _positive_number, "joules a written token may use, of energy.requests"
    )
    tolerance: float | None = _argument(_share, "accepted rise over the baseline: 0.05 is 5 %")
    rounds: int | None = _argument(_count_from(1), "how many are measured; without it, as many as it takes")
    warmup: int | None = _argument(_count_from(0), "rounds that are run first and dropped")
    max_time_s: float | None = _argument(_positive_number, "seconds after which no more rounds begin")
    domains: frozenset["model.Domain"] | None = _argument(
        _domains, "what counts: 'gpu', 'cpu', 'dram', or several in a list"
    )
    basis: str | None = _argument(
        _one_of("gross", "net", "counts"),  # as in `basis`, which a run without energy tests doesn't import
        "compare joules 'gross' (default) or 'net' of idle power, or the 'counts' of what the work does",
    )
    per: str | None = _argument(
        _one_of("round", "sample"), "compare joules of a 'round' (default) or a 'sample'"
    )
    parts: frozenset["judgement.Part"] | None = _argument(
        _parts, "what may fail the test: 'work', 'waiting', 'joules' (all of them), or several in a list"
    )
    samples: int | None = _argument(_count_from(1), "samples (images, requests) in a round")
    model: str | None = _argument(_text, "the model at work: a row of the group's table")
    group: str | None = _argument(_text, "tests that are ranked in one table")

    @classmethod
    def of(cls, item: pytest.Item) -> "EnergyMark":
        """The markers on *item*, merged.

        Raises:
            SettingsError: An argument is unknown, positional, or not what it must be.
        """
        arguments: dict[str, object] = {}
        for mark in item.iter_markers(NAME):
            if mark.args:
                raise SettingsError(
                    f"{item.nodeid}: @pytest.mark.energy takes no positional arguments, got "
                    f"{mark.args[0]!r}; name it, for instance budget_j={mark.args[0]!r}"
                )
            checked = {name: _checked(item, name, value) for name, value in mark.kwargs.items()}
            arguments = checked | arguments
        return cls(**arguments)  # type: ignore[arg-type]  # each value has passed its field's check


_CHECKS: dict[str, Callable[[object], object]] = {f.name: f.metadata["check"] for f in fields(EnergyMark)}


def _checked(item: pytest.Item, name: str, value: object) -> object:
    if name not in _CHECKS:
        raise SettingsError(
            f"{item.nodeid}: @pytest.mark.energy has no argument {name!r} (value {value!r}); "
            f"it has {', '.join(_CHECKS)}"
        )
    if value is None:
        return None
    try:
        return _CHECKS[name](value)
    except ValueError as error:
        raise SettingsError(f"{item.nodeid}: @pytest.mark.energy({name}={value!r}): give {error}") from error


def marker_line() -> str:
    """The marker's entry for `pytest --markers`: an argument a line, for a screen of 80 columns."""
    width = max(len(f.name) for f in fields(EnergyMark)) + 1
    meanings = "".join(f"\n  {f.name + '=':<{width}}  {f.metadata['help']}" for f in fields(EnergyMark))
    return f"{NAME}(...): measure and judge the test's energy. Arguments:{meanings}"


def is_energy_test(item: pytest.Item) -> bool:
    """Whether *item* is marked, uses the fixture, or is a benchmark that is measured.

    One that asks for the fixture while it runs (`request.getfixturevalue`) can't be known before.
    """
    return (
        item.get_closest_marker(NAME) is not None or uses_fixture(item) or item.stash.get(IS_BENCHMARK, False)
    )


def uses_fixture(item: pytest.Item) -> bool:
    """Whether *item* takes the plugin's fixture, itself or by another fixture."""
    info = getattr(item, "_fixtureinfo", None)  # pytest has no other way to ask which one a name stands for
    definitions = () if info is None else info.name2fixturedefs.get(NAME, ())
    for definition in reversed(definitions):  # the nearest first; it may take the one that it overrides
        if getattr(definition.func, "__module__", None) == FIXTURE_MODULE:
            return True
        if NAME not in definition.argnames:
            break
    return False


def id_of(item: pytest.Item) -> str:
    """The id under which the energy of *item* is kept: without the group that pytest-xdist may have appended.

    Source:
        pytest-xdist 3.8, `xdist/remote.py`: with `--dist=loadgroup` the ids end in `@` and the groups' names.
    """
    if not item.config.getoption("loadgroup", default=False):
        return item.nodeid
    marks = item.iter_markers("xdist_group")
    groups = {str(mark.args[0] if mark.args else mark.kwargs.get("name", "default")) for mark in marks}
    suffix = f"@{'_'.join(sorted(groups))}"
    return item.nodeid.removesuffix(suffix) if item.nodeid.endswith(item.name + suffix) else item.nodeid
