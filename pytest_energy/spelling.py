"""Checks words that an option takes, and suggests the nearest one.

Rule 1: imported in every run of pytest, so it imports nothing that pytest doesn't.
"""

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from os.path import commonprefix
from pathlib import Path
from reprlib import repr as brief
from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import difflib
else:
    difflib = LazyModule("difflib")


def choice(value: object, known: Iterable[str]) -> str:
    """*value*, which must be one of *known*.

    Raises:
        ValueError: It is none of them.
    """
    words = tuple(known)
    if not isinstance(value, str) or value not in words:
        raise ValueError(f"must be {listed(words)}. Got {brief(value)}.{did_you_mean(value, words)}")
    return value


def several(values: Iterable[object], known: Iterable[str]) -> tuple[str, ...]:
    """*values*, at least one, each of which must be one of *known*.

    Raises:
        ValueError: There is none, or one is none of them.
    """
    chosen, words = tuple(values), tuple(known)
    wrong = [value for value in chosen if value not in words]
    if wrong or not chosen:
        got = brief(wrong[0]) if wrong else "none"
        hint = did_you_mean(wrong[0], words) if wrong else ""
        raise ValueError(f"must be one or more of {', '.join(words)}. Got {got}.{hint}")
    return tuple(map(str, chosen))


def listed(words: Iterable[str]) -> str:
    """*words* as a sentence has them: `a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def nearest(name: str, known: Iterable[str], *, count: int = 1) -> list[str]:
    """Those of *known* that are spelt most like *name*, the best first; case and hyphens don't matter.

    What all of *known* begin with makes none of them likelier.
    """
    words = [*dict.fromkeys(known)]
    start = len(commonprefix([*map(_plain, words)])) if len(words) > 1 else 0  # noqa: RUF071  # letters
    if _plain(name)[:start] != _plain(words[0] if words else "")[:start]:
        start = 0
    names = {_plain(one)[start:]: one for one in words}
    return [names[one] for one in difflib.get_close_matches(_plain(name)[start:], names, n=count, cutoff=0.6)]


def matching(name: str, ids: Iterable[str]) -> list[str]:
    """Those of *ids*, of tests, that *name* means, sorted.

    That very id; else the tests of that name, with all their parameters; else those it is a part of; else
    those it fits as a pattern, in which `*` is any text and `?` any character.
    """
    known = sorted(set(ids))
    pattern = name.replace("[", "[[]")  # a bracket is a bracket
    rules: tuple[Callable[[str], bool], ...] = (
        lambda one: one == name,
        lambda one: f"::{one}".partition("[")[0].endswith(f"::{name}"),
        lambda one: name in one,
        lambda one: fnmatchcase(one, pattern),
    )
    return next(filter(None, ([one for one in known if rule(one)] for rule in rules)), [])


def near_file(path: Path) -> str:
    """A question that names the file beside *path* that is spelt most like it, or nothing."""
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:
        return ""
    return did_you_mean(path.name, names)


def _plain(name: str) -> str:
    return name.casefold().replace("_", "-")


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """A question that names the nearest of *known*, with a blank before it; empty if none is near."""
    return "".join(f" Did you mean {one}?" for one in nearest(name, known)) if isinstance(name, str) else ""
