"""A changed count, and the phrases that sentences on it are made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.judgement import Cause
from pytest_energy.verdict.count_names import names_text, plain_name, times_text
from pytest_energy.verdict.count_pairs import Pair
from pytest_energy.verdict.count_places import ChangedPlace

_MOST_FACTS = 3  # of what may explain a change

OF_THE_CODE = frozenset({"git_commit", "git_dirty", "commit"})
"""Facts that say which code it was: they explain no change inside a library."""

# Of these facts the first explains most.
_FACTS = ("torch", "cuda", "driver", "gpu_model", "cpu_model", "python")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A pair that differs.

    Attributes:
        cause: Why it does.
        place: Where; `None` if nobody tells.
        rank: Its share of what rose; negative where it fell.
    """

    pair: Pair
    cause: Cause
    place: ChangedPlace | None
    rank: float

    @property
    def name(self) -> str:
        return plain_name(self.pair.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What may explain changes.

    Attributes:
        settings: Switches that differ.
        facts: Facts of machine and libraries that differ, those of the code left out.
        is_same_code: Whether those of the code differ not.
        has_device: Whether a device was traced beside the host.
    """

    settings: Mapping[str, tuple[str, str]]
    facts: Mapping[str, tuple[str, str]]
    is_same_code: bool
    has_device: bool


def names_of(group: Sequence[Change]) -> str:
    return names_text([change.name for change in group])


def run_word(group: Sequence[Change]) -> str:
    return "runs" if len({change.name for change in group}) == 1 else "run"


def at_text(place: ChangedPlace | None, *, adds: bool = False) -> str:
    """Where, and how many calls that place has more or fewer."""
    if place is None:
        return ""
    if not adds or not place.rise:
        return f": {place.with_function}"
    return f": {place.with_function} {'adds' if place.rise > 0 else 'drops'} {abs(place.rise)}"


def sum_of(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    least, most = zip(*counts, strict=True)
    return sum(least), sum(most)


def not_text(counts: tuple[int, int]) -> str:
    if counts == (0, 0):
        return "before never"
    return f"not {times_text(counts).removesuffix(' times')}"


def differences_text(pairs: Mapping[str, tuple[str, str]]) -> str:
    """Those that explain most, and how many more."""
    names = sorted(pairs, key=lambda name: _FACTS.index(name) if name in _FACTS else len(_FACTS))
    texts = [f"{name} {pairs[name][0]} -> {pairs[name][1]}" for name in names[:_MOST_FACTS]]
    more = [f"{len(names) - _MOST_FACTS} more"] if len(names) > _MOST_FACTS else []
    return ", ".join([*texts, *more])
