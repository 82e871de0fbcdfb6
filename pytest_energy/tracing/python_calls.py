"""Calls of functions of Python in one call of the work, where it uses no torch.

A function in the suite's folder counts, and so does what such a function calls; what runs further inside is
the library's.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType

from pytest_energy.counts import CountEntry, Kind
from pytest_energy.errors import NotMeasurable
from pytest_energy.tracing.call_places import Places
from pytest_energy.tracing.events import Site
from pytest_energy.tracing.tally import Key, Tally

MOST_CALLS = 1_000_000
"""Of functions in one call of the work; each costs some 0.5 us. A work with more has no counts."""

_Called = tuple[CodeType | str, CodeType | None, int]


class _Counter:
    """Counts each function by who calls it from where; takes itself away from a thread once it is over."""

    def __init__(self) -> None:
        self.calls: Counter[_Called] = Counter()
        self.left = MOST_CALLS
        self.is_over = False

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        if self.is_over:
            sys.setprofile(None)  # of this thread
        elif event == "call":
            back = frame.f_back
            self._count((frame.f_code, back and back.f_code, back.f_lineno if back else 0))
        elif event == "c_call":
            self._count((_built_in_name(argument), frame.f_code, frame.f_lineno))

    def _count(self, one: _Called) -> None:
        self.calls[one] += 1
        self.left -= 1
        self.is_over = self.left < 0


def python_calls(work: Callable[[], object], places: Places) -> list[CountEntry]:
    """Each function that *work* calls, with how often.

    Raises:
        NotMeasurable: Another profiler is at work, or there are too many calls.
    """
    if sys.getprofile() is not None or threading.getprofile() is not None:
        raise NotMeasurable("another profiler is running")
    counter = _Counter()
    threading.setprofile(counter)
    sys.setprofile(counter)
    try:
        work()
    finally:
        counter.is_over = True
        sys.setprofile(None)
        threading.setprofile(None)
    if counter.left < 0:
        raise NotMeasurable(f"the work makes more than {MOST_CALLS:,} function calls")
    return _entries(counter.calls, places)


def _entries(calls: Counter[_Called], places: Places) -> list[CountEntry]:
    tallies: dict[Key, Tally] = {}
    for (called, caller, line), count in calls.items():
        site = None if caller is None else places.site(caller.co_filename, line, caller.co_qualname)
        own = places.site(called.co_filename, 0, "") if isinstance(called, CodeType) else None
        if caller is not None and _is_ours(caller) and own is None and isinstance(called, str):
            continue
        if isinstance(called, CodeType) and _is_ours(called):
            continue
        is_of_the_code = (
            _is_in_folder(site) or _is_in_folder(own) or (caller is not None and _is_ours(caller))
        )
        key = (Kind.FUNCTION if is_of_the_code else Kind.INNER, _name(called, own), "")
        tallies.setdefault(key, Tally()).add(count=count, site=site)
    return [tally.entry(key) for key, tally in tallies.items()]


def _is_in_folder(site: Site | None) -> bool:
    return site is not None and site.rank > 1


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS)


def _name(called: CodeType | str, own: Site | None) -> str:
    if isinstance(called, str):
        return called
    file = own.file if own is not None else called.co_filename.rpartition("/")[2]
    return f"{called.co_qualname} ({file})"


def _built_in_name(function: object) -> str:
    name = getattr(function, "__qualname__", "") or type(function).__name__
    module = getattr(function, "__module__", None)
    return f"{module}.{name}" if isinstance(module, str) and module != "builtins" else str(name)


_OURS = __file__.rpartition("/tracing/")[0]
