"""Selects the entries of a baseline that judge a fresh record, and those that are kept. Pure.

Rule 1: a level is what a test uses until it is changed on purpose. An accepted change starts one anew,
    and so do two improvements running: what came before is another test's joules by now, and neither judges
    nor is kept.
Rule 2: the newest entries of the level judge. Drivers, cards and rooms change, and what a test used half a
    year ago says nothing of how it differs from run to run today.
Rule 3: the first entries of the level are a gate of their own, which only a person moves. What judges
    follows a creep; these don't, so that it fails at last.
Rule 4: an improvement that a run added by itself judges nothing until another follows at once, and goes
    where none does: one may be a quiet host. A lone rise doesn't join either. To judge by it would widen the
    bounds, so that a second one could not be detected.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from pytest_energy.baselines.schema import KEPT_COUNT, PINNED_COUNT, as_stored
from pytest_energy.codec import JsonDict
from pytest_energy.conversion import to_json
from pytest_energy.errors import BaselineError
from pytest_energy.model import JoinedAs, Record

JUDGING_COUNT = KEPT_COUNT - PINNED_COUNT
"""As many as a full baseline keeps beside its pinned ones. With fewer entries all judge, pinned ones too:
bounds from three sessions are wider than those from seven by a third, t(.95, K-1) sqrt(1 + 1/K)."""


class Joined(Protocol):
    """An entry, or the name of one, that remembers how it came into its baseline."""

    @property
    def joined_as(self) -> JoinedAs | None: ...


T = TypeVar("T", bound=Joined)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(Generic[T]):
    """The entries of a baseline since its level was last started anew.

    Attributes:
        entries: Those that count, the oldest first; at least one.
        pending: An improvement after them that only a second one running would confirm, or `None`.
        unused_count: Other entries of the baseline, which judge nothing any more.
    """

    entries: tuple[T, ...]
    pending: T | None
    unused_count: int

    @property
    def judging(self) -> tuple[T, ...]:
        """The newest entries, at most `JUDGING_COUNT`: what a fresh record is compared with."""
        return self.entries[-JUDGING_COUNT:]

    @property
    def pinned(self) -> tuple[T, ...]:
        """The first entries, at most `PINNED_COUNT`."""
        return self.entries[:PINNED_COUNT]

    @property
    def is_new(self) -> bool:
        """Whether an accepted change started it; else it is as old as the baseline."""
        return self.entries[0].joined_as is JoinedAs.LEVEL


def level_of(entries: Sequence[T]) -> Level[T]:
    """The current level of a baseline with *entries*, the oldest first.

    Give it all of a baseline's entries, also those whose joules are of no use for a comparison: the mark of
    a level's start may be on one of them.

    Args:
        entries: At least one. In files from before there were levels none is marked: then all are one level.

    Raises:
        BaselineError: There is no entry.
    """
    if not entries:
        raise BaselineError("sessions is empty; a baseline has at least one")
    starts = (place for place, entry in enumerate(entries) if entry.joined_as is JoinedAs.LEVEL)
    newest = entries[max(starts, default=0) :]
    settled = tuple(entry for entry in newest if entry.joined_as is not JoinedAs.IMPROVEMENT) or tuple(newest)
    pending = None if settled[-1] is newest[-1] else newest[-1]
    count = len(settled) + (pending is not None)
    return Level(entries=settled, pending=pending, unused_count=len(entries) - count)


def kept(entries: Sequence[T], keep: int) -> tuple[T, ...]:
    """At most *keep* of what *entries* have of use: the level's first `PINNED_COUNT`, then the newest.

    At least one place is always the newest entry's, so a *keep* of 3 pins two and a *keep* of 1 none.

    Raises:
        BaselineError: *keep* is below 1.
    """
    if keep < 1:
        raise BaselineError(f"a baseline can't keep {keep} sessions; keep at least 1")
    if not entries:
        return ()
    level = level_of(entries)
    used = level.entries if level.pending is None else (*level.entries, level.pending)
    if len(used) <= keep:
        return used
    pinned_count = min(PINNED_COUNT, keep - 1)
    return (*used[:pinned_count], *used[len(used) - keep + pinned_count :])


def extended(entries: Sequence[Record], added: Sequence[Record]) -> tuple[Record, ...]:
    """*entries* with those of *added* at the end, as they are kept, that are not among them yet.

    An entry that is there and is now accepted as the start of a level becomes that. Of two improvements
    running the first becomes it, and the second is an entry like others.
    """
    return joined(entries, [*map(as_stored, added)], content=_content, joining=_joining)


def joined(
    entries: Sequence[T],
    added: Sequence[T],
    *,
    content: Callable[[T], object],
    joining: Callable[[T, JoinedAs | None], T],
) -> tuple[T, ...]:
    """`extended`, of entries or of what stands for them.

    Args:
        entries: The oldest first.
        added: Those that join.
        content: What is equal for one session and itself.
        joining: An entry with another `joined_as`.
    """
    result, contents = list(entries), [content(one) for one in entries]
    for one in added:
        its = content(one)
        if its not in contents:
            if result and result[-1].joined_as is one.joined_as is JoinedAs.IMPROVEMENT:
                result[-1:] = (joining(result[-1], JoinedAs.LEVEL), joining(one, None))
            else:
                result.append(one)
            contents.append(its)
        elif one.joined_as is JoinedAs.LEVEL:
            place = contents.index(its)
            result[place] = joining(result[place], JoinedAs.LEVEL)
    return tuple(result)


def _joining(record: Record, joined_as: JoinedAs | None) -> Record:
    return replace(record, joined_as=joined_as)


def _content(record: Record) -> JsonDict:
    """What identifies the run of an entry: all but how it joined, and its counts.

    A file keeps equal counts once, with the seconds and places of the first ones.
    """
    return to_json(replace(record, joined_as=None, counts=None))
