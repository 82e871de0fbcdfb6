"""What the ranks of one job say to each other, so that all of them run the same rounds.

Rank 0 leads: it measures, and says what comes next. The others follow: they do it, and say where they are.

| rank 0 says | the others |
|---|---|
| `test`: its number and id | begin the test |
| `round`: calls in it | get ready, arrive; at `go` they make the calls, and arrive again |
| `call` | make one call, that nothing measures |
| `go`, `skip` | the window that they wait for is open; there is none |
| `count`, `counted` | between them each `call` is one that is counted |
| `done` | the measured function is over |
| `end`: an exit status | end as rank 0 does |

Rule 1: everything is said once, numbered, and heard in order. Who has left a test passes over its rest.
Rule 2: the others wait for rank 0 where a window opens, and for its next word; rank 0 waits for them at the
        edges of windows, and where a test begins.
Rule 3: nobody waits for a rank that has ended, has left the test, or shows no sign of life: `RankLost`
        names it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Event, Thread
from typing import Protocol

from pytest_energy.codec import Document, decode, encode, parse
from pytest_energy.errors import EnergyError, FormatError
from pytest_energy.meter.clock import Clock

SILENT_S = 30.0
"""Without a sign of life for so long a rank counts as lost. It gives one each second, from a thread that a
library in C may hold up while it compiles."""

PULSE_S = 1.0
_LOOK_S = 0.2  # between two looks whether those that are waited for still run
_NAP_SHARE, _NAPS_S = 0.02, (5e-4, 1e-2)  # of what was waited so far: each look takes the store some 0.1 ms
_KEPT = 4096  # words that stay in the store for a rank that lags behind
_OVER = 1 << 30  # number of the test that a rank is at when its run is over


class RankLost(EnergyError):
    """A rank has ended, or has left the test."""


class Store(Protocol):
    """Texts by key that all ranks share. Each call may raise `RankLost`: then the store itself has ended."""

    def put(self, key: str, text: str) -> None: ...

    def have(self, keys: Sequence[str]) -> bool:
        """Whether all of *keys* are there now."""
        ...

    def read(self, key: str) -> str | None:
        """The text of *key*, or `None` if it isn't there."""
        ...

    def remove(self, key: str) -> None: ...


class Word(Document, frozen=True, kw_only=True, tag_field="kind"):
    """What rank 0 says."""


class TestWord(Word, frozen=True, kw_only=True, tag="test"):
    """A test begins."""

    __test__ = False  # not a test, for pytest

    number: int
    id: str


class RoundWord(Word, frozen=True, kw_only=True, tag="round"):
    """A round of so many calls comes next, in a window."""

    call_count: int


class CallWord(Word, frozen=True, kw_only=True, tag="call"):
    """One call, outside of a window."""


class GoWord(Word, frozen=True, kw_only=True, tag="go"):
    """The window is open."""


class SkipWord(Word, frozen=True, kw_only=True, tag="skip"):
    """There is no window; with a reason why the test can't go on, if it can't."""

    because: str | None = None


class CountWord(Word, frozen=True, kw_only=True, tag="count"):
    """Calls that are counted come next."""


class CountedWord(Word, frozen=True, kw_only=True, tag="counted"):
    """They are over."""


class DoneWord(Word, frozen=True, kw_only=True, tag="done"):
    """The measured function is over."""


class EndWord(Word, frozen=True, kw_only=True, tag="end"):
    """The run is over."""

    exit_status: int


_WORDS: Mapping[str, type[Word]] = {
    str(one.__struct_config__.tag): one
    for one in (
        *(TestWord, RoundWord, CallWord, GoWord, SkipWord),
        *(CountWord, CountedWord, DoneWord, EndWord),
    )
}


class Arrival(Document, frozen=True, kw_only=True):
    """That a rank is at an edge of a window; with UUIDs of the GPUs that it has open."""

    gpus: tuple[str, ...] = ()


class Place(Document, frozen=True, kw_only=True):
    """Where a rank is: before the test of this number; why it has left the one before, if it has."""

    number: int
    because: str | None = None


class _Tag(Document, frozen=True, kw_only=True):
    kind: str


def _text_of(document: Document) -> str:
    return json.dumps(encode(document))


def _word_of(text: str) -> Word:
    where = "a word of rank 0"
    value = parse(text, where)
    kind = decode(value, _Tag, where).kind
    if kind not in _WORDS:
        raise FormatError(f"{where}: kind is {kind!r}, not one of {', '.join(_WORDS)}")
    return decode(value, _WORDS[kind], where)


class Watch:
    """Whether other ranks still run: by their signs of life, and here by their process.

    Args:
        store: Where the signs are.
        clock: Of this process.
        why_ended: Why the process of a rank has surely ended, as far as this machine can tell, or `None`.
    """

    def __init__(self, store: Store, clock: Clock, why_ended: Callable[[int], str | None]) -> None:
        self._store, self._clock, self._why_ended = store, clock, why_ended
        self._seen: dict[int, tuple[str | None, float]] = {}

    def why_ended(self, rank: int) -> str | None:
        """Why its process has surely ended, or `None`; nothing but this machine is asked once it is known."""
        because = self._why_ended(rank)
        return None if because is None else f"rank {rank} has ended: {because}"

    def why_lost(self, rank: int) -> str | None:
        """Why *rank* doesn't run any more, or `None`."""
        if because := self.why_ended(rank):
            return because
        sign, now_s = self._store.read(pulse_key(rank)), self._clock.now_s()
        before, since_s = self._seen.get(rank, (None, now_s))
        if rank not in self._seen or sign != before:
            self._seen[rank] = sign, now_s
            return None
        if now_s - since_s < SILENT_S:
            return None
        return f"rank {rank} has given no sign of life for {now_s - since_s:.0f} s"


def _wait_for(store: Store, clock: Clock, keys: Sequence[str], look: Callable[[], None]) -> None:
    """Wait until all *keys* are there; *look* is called from time to time, and may raise."""
    began_s = looked_s = clock.now_s()
    while not store.have(keys):
        now_s = clock.now_s()
        if now_s - looked_s >= _LOOK_S:
            looked_s = now_s
            look()
        clock.sleep_s(min(max(_NAP_SHARE * (now_s - began_s), _NAPS_S[0]), _NAPS_S[1]))


def pulse_key(rank: int) -> str:
    return f"alive/{rank}"


class Pulse:
    """Gives signs of life, from a thread of its own and by a connection of its own.

    Args:
        store: Used by nobody else: a call that waits holds up others.
        rank: Whose life it is.
    """

    def __init__(self, store: Store, rank: int) -> None:
        self._store, self._key = store, pulse_key(rank)
        self._ended = Event()
        self._thread = Thread(target=self._beat, name="pytest-energy pulse", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _beat(self) -> None:
        count = 0
        while True:
            try:
                self._store.put(self._key, str(count))
            except RankLost:
                return  # who waits for somebody finds out as well
            count += 1
            if self._ended.wait(PULSE_S):
                return

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()


class Leader:
    """Rank 0's side.

    Args:
        store: Shared by all ranks.
        world_size: Number of ranks.
        watch: Of the others.
        clock: Of this process.
    """

    def __init__(self, store: Store, world_size: int, watch: Watch, clock: Clock) -> None:
        self._store, self._others, self._watch = store, range(1, world_size), watch
        self._clock = clock
        self._word_count = self._meeting = self._number = 0
        self.lost_because: str | None = None
        """Why the test that runs can't be measured, or `None`."""
        self.has_ended = False
        """Some rank's process has ended: no further test can be measured."""

    def begin(self, number: int, test_id: str, get_ready: Callable[[], None]) -> None:
        """Begin a test: wait for all, call *get_ready* while they rest, and let them begin."""
        self._number, self._meeting = number, 0
        if not self.has_ended:
            self.lost_because = None
        with suppress(RankLost):  # the first window says so
            self.meet()
        get_ready()
        self.say(TestWord(number=number, id=test_id))

    def say(self, word: Word) -> None:
        self._store.put(_word_key(self._word_count), _text_of(word))
        self._word_count += 1
        if self._word_count > _KEPT:
            self._store.remove(_word_key(self._word_count - 1 - _KEPT))

    def meet(self) -> dict[int, Arrival]:
        """Wait until all others have arrived; what each has said, by rank.

        Raises:
            RankLost: One has ended, or has left the test.
        """
        if self.lost_because is not None:
            raise RankLost(self.lost_because)
        keys = {rank: _here_key(self._number, self._meeting, rank) for rank in self._others}
        self._meeting += 1
        try:
            _wait_for(self._store, self._clock, [*keys.values()], partial(self._check, keys))
        except KeyboardInterrupt:  # torchrun stops all ranks when one has ended
            self._check(keys)
            raise
        arrivals = {rank: self._arrival(key) for rank, key in keys.items()}
        for key in keys.values():
            self._store.remove(key)
        return arrivals

    def look(self) -> None:
        """Look whether the processes of the others still run.

        Raises:
            RankLost: One has ended.
        """
        for rank in self._others:
            if (because := self._watch.why_ended(rank)) is not None:
                self.lost_because, self.has_ended = because, True
                raise RankLost(because)

    def _arrival(self, key: str) -> Arrival:
        return decode(parse(self._store.read(key) or "{}", key), Arrival, key)

    def _check(self, keys: Mapping[int, str]) -> None:
        for rank, key in keys.items():
            if not self._store.have([key]) and (because := self._why_gone(rank)) is not None:
                self.lost_because = because
                raise RankLost(because)

    def _why_gone(self, rank: int) -> str | None:
        because = self._watch.why_lost(rank)
        if because is not None:
            self.has_ended = True
            return because
        text = self._store.read(_place_key(rank))
        place = Place(number=0) if text is None else decode(parse(text, "a place"), Place, "a place")
        if place.number <= self._number:
            return None
        return f"rank {rank} has left the test: {place.because or 'it was skipped there, or ran to its end'}"


class Follower:
    """The side of any other rank.

    Args:
        store: Shared by all ranks.
        rank: Its own.
        watch: Of rank 0.
        clock: Of this process.
    """

    def __init__(self, store: Store, rank: int, watch: Watch, clock: Clock) -> None:
        self._store, self._rank, self._watch, self._clock = store, rank, watch, clock
        self._heard_count = self._meeting = self._number = 0
        self._has_left = False
        self._left_because: str | None = None

    def begin(self, number: int, test_id: str) -> None:
        """Begin a test, when rank 0 does.

        Raises:
            EnergyError: Rank 0 runs another test.
            RankLost: Rank 0 has ended.
        """
        self._number, self._meeting, self._has_left = number, 0, False
        self._place(Place(number=number, because=self._left_because))
        self.arrive(Arrival())
        while True:
            word = self._next()
            if isinstance(word, TestWord) and word.number >= number:
                break
            if isinstance(word, EndWord):
                self._heard_count -= 1
                raise RankLost("rank 0 has ended its run")
        if word.id != test_id:
            self._heard_count -= word.number > number  # it is of a later test
            raise EnergyError(
                f"rank 0 runs {word.id}, and this rank {test_id}.\nAll ranks must collect the same tests."
            )

    def arrive(self, arrival: Arrival) -> None:
        """Say that this rank is at an edge of a window."""
        self._store.put(_here_key(self._number, self._meeting, self._rank), _text_of(arrival))
        self._meeting += 1

    def leave(self, because: str | None = None) -> None:
        """Say that the test is over here, and why, if it went wrong; the first reason stays."""
        if not self._has_left:
            self._has_left, self._left_because = True, because
            self._place(Place(number=self._number + 1, because=because))

    def hear(self) -> Word:
        """The next word on this test.

        Raises:
            RankLost: Rank 0 has ended, or has left the test.
        """
        word = self._next()
        if isinstance(word, TestWord | EndWord):
            self._heard_count -= 1
            raise RankLost("rank 0 has left the test")
        return word

    def peek(self) -> Word:
        """The next word, which is still to be heard."""
        word = self._next()
        self._heard_count -= 1
        return word

    def end(self) -> int:
        """Say that the run is over here; rank 0's exit status.

        Raises:
            RankLost: Rank 0 has ended without a word.
        """
        self._place(Place(number=_OVER, because=self._left_because or "its run is over"))
        while not isinstance(word := self._next(), EndWord):
            pass
        return word.exit_status

    def _place(self, place: Place) -> None:
        self._store.put(_place_key(self._rank), _text_of(place))

    def _next(self) -> Word:
        key = _word_key(self._heard_count)
        _wait_for(self._store, self._clock, [key], self._check_leader)
        self._heard_count += 1
        return _word_of(self._store.read(key) or "")

    def _check_leader(self) -> None:
        if because := self._watch.why_lost(0):
            raise RankLost(because)


def _word_key(number: int) -> str:
    return f"said/{number}"


def _here_key(number: int, meeting: int, rank: int) -> str:
    return f"here/{number}/{meeting}/{rank}"


def _place_key(rank: int) -> str:
    return f"place/{rank}"
