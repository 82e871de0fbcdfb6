"""The marker `energy`: its arguments, their help and their checks, defined once.

Rule 1: an argument that is unknown, positional or out of range stops the run at collection: a misspelt
limit must not switch the limit off.
Rule 2: the marker nearest to the test wins, argument by argument (function over class over module).
Rule 3: a fixture or a parameter `energy` that isn't the plugin's own is its suite's: it makes no energy test.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

import pytest

from pytest_energy import quantities
from pytest_energy.errors import EnergyDeprecationWarning, SettingsError
from pytest_energy.lazy_module import LazyModule
from pytest_energy.plugin.stash import IS_BENCHMARK
from pytest_energy.spelling import choice, did_you_mean, several

if TYPE_CHECKING:
    from pytest_energy import judgement, model
else:
    judgement = LazyModule("pytest_energy.judgement")
    model = LazyModule("pytest_energy.model")

NAME = "energy"
FIXTURE_MODULE = "pytest_energy.plugin"  # where the fixture's function is


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be a text that is not empty. Got {brief(value)}.")
    return value


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be True or False. Got {brief(value)}.")


def _one_of(*words: str) -> Callable[[object], str]:
    return partial(choice, known=words)


def _several(value: object, known: Iterable[str]) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return several((value,), known)
    return several(value, known)


def _phase_budgets(value: object) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"must name phases, such as {{'train': 50, 'serve': '2 J'}}. Got {brief(value)}.")
    budgets = []
    for name, limit in value.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"must name phases by texts that are not empty. Got {brief(name)}.")
        try:
            budgets.append((name, quantities.energy(limit)))
        except ValueError as error:
            raise ValueError(f"of the phase {name!r} {error}") from error
    return tuple(budgets)


def _phases(value: object) -> tuple[str, ...]:
    names = (value,) if isinstance(value, str) else value
    if not isinstance(names, Iterable) or isinstance(names, Mapping | bytes):
        raise ValueError(  # noqa: TRY004  # as each check of an argument
            f"must name phases, such as ['train', 'serve'], or be 'all'. Got {brief(value)}."
        )
    checked = tuple(dict.fromkeys(map(_text, names)))
    if not checked:
        raise ValueError(f"must name at least one phase, or be 'all'. Got {brief(value)}.")
    return checked


def _domains(value: object) -> "frozenset[model.Domain]":
    return frozenset(map(model.Domain, _several(value, model.Domain)))


def _parts(value: object) -> "frozenset[judgement.Part]":
    return frozenset(map(judgement.Part, _several(value, judgement.Part)))


def _argument(check: Callable[[object], object], meaning: str, *, name: str = "") -> Any:
    """A field, with its check, its help, and its name in the marker where that isn't the field's own."""
    return field(default=None, metadata={"check": check, "help": meaning, "name": name})


@dataclass(frozen=True, kw_only=True)  # slots would build the class twice, in every run of pytest
class EnergyMark:
    """What `@pytest.mark.energy(...)` sets for a test; `None` is "not set"."""

    budget_j: float | None = _argument(quantities.energy, "energy that a round may use at most")
    budget_per_sample_j: float | None = _argument(
        quantities.energy, "energy that a sample may use at most; needs samples="
    )
    budget_per_token_j: float | None = _argument(
        quantities.energy, "energy that a generated token may use at most; for energy.requests"
    )
    budget_per_prefill_token_j: float | None = _argument(
        quantities.energy, "energy that a computed prompt token may use at most; for energy.requests"
    )
    budget_per_decode_token_j: float | None = _argument(
        quantities.energy, "energy that a decoded token may use at most; for energy.requests"
    )
    budget_j_to_accuracy: float | None = _argument(
        quantities.energy, "energy that training to the highest accuracy may use at most; for energy.until"
    )
    phase_budgets_j: tuple[tuple[str, float], ...] | None = _argument(
        _phase_budgets, "energy that each named phase of a round may use at most: {'train': 50}"
    )
    phase_baselines: tuple[str, ...] | None = _argument(
        _phases, "phases that may fail the test by their own baseline: ['train'], or 'all'"
    )
    tolerance: float | None = _argument(quantities.share, "accepted rise over the baseline")
    rounds: int | None = _argument(
        quantities.Count(1), "rounds to measure; without it, as many as the precision needs"
    )
    warmup: int | None = _argument(quantities.Count(0), "rounds that run first and are discarded")
    max_time_s: float | None = _argument(
        quantities.time, "time after which no more rounds start", name="max_time"
    )
    domains: frozenset["model.Domain"] | None = _argument(
        _domains, "hardware to include: 'gpu', 'cpu', 'dram', or several in a list"
    )
    basis: str | None = _argument(
        _one_of("gross", "net", "counts"),  # as in `basis`, which a run without energy tests doesn't import
        "compare 'gross' joules (default), joules 'net' of idle power, or 'counts' of operations",
    )
    per: str | None = _argument(
        _one_of("round", "sample"), "compare joules per 'round' (default) or per 'sample'"
    )
    parts: frozenset["judgement.Part"] | None = _argument(
        _parts, "what may fail the test: 'work', 'waiting', 'joules' (all of them), or several in a list"
    )
    server: bool | None = _argument(
        _flag, "True: another program on this machine does the work, such as a server or a container"
    )
    samples: int | None = _argument(quantities.Count(1), "samples (images, requests) in a round")
    model: str | None = _argument(_text, "name of the model, for tables and figures")
    group: str | None = _argument(_text, "tests of the same group are ranked in one table")

    @classmethod
    def of(cls, item: pytest.Item) -> "EnergyMark":
        """The markers on *item*, merged.

        Raises:
            SettingsError: An argument is unknown, positional, or not what it must be.
        """
        arguments: dict[str, object] = {}
        for mark in item.iter_markers(NAME):
            if mark.args:
                value = brief(mark.args[0])
                raise SettingsError(
                    f"{item.nodeid}: @pytest.mark.energy takes no positional arguments. Got {value}. "
                    f"Name it: budget_j={value}"
                )
            checked = dict(_checked(item, name, value) for name, value in mark.kwargs.items())
            arguments = checked | arguments
        return cls(**arguments)  # type: ignore[arg-type]  # each value has passed its field's check


ARGUMENTS = {f.metadata["name"] or f.name: f for f in fields(EnergyMark)}
"""By the name that the marker's argument has."""

FORMER_NAMES = {f.name: name for name, f in ARGUMENTS.items() if f.name != name}
"""What those names were; they are still taken, with a warning."""


def _checked(item: pytest.Item, name: str, value: object) -> tuple[str, object]:
    """The field that the argument *name* is for, and what it is there."""
    argument = ARGUMENTS.get(FORMER_NAMES.get(name, name))
    if argument is None:
        raise SettingsError(
            f"{item.nodeid}: @pytest.mark.energy has no argument {name!r}, set to {brief(value)}."
            f"{did_you_mean(name, ARGUMENTS)} Its arguments are {', '.join(ARGUMENTS)}."
        )
    try:
        return argument.name, None if value is None else argument.metadata["check"](value)
    except ValueError as error:
        raise SettingsError(f"{item.nodeid}: {name} in @pytest.mark.energy {error}") from error


def warn_of_former_names(item: pytest.Item) -> None:
    """Warn of each argument of a marker on *item* that has its former name."""
    for name in {name for mark in item.iter_markers(NAME) for name in mark.kwargs if name in FORMER_NAMES}:
        item.warn(EnergyDeprecationWarning(f"{name} in @pytest.mark.energy is now {FORMER_NAMES[name]}"))


def marker_line() -> str:
    """The marker's entry for `pytest --markers`: an argument a line, for a screen of 80 columns."""
    width = max(map(len, ARGUMENTS)) + 1
    meanings = "".join(f"\n  {name + '=':<{width}}  {f.metadata['help']}" for name, f in ARGUMENTS.items())
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
