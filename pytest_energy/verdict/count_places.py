"""Where the calls were added or removed.

Rule 1: places are matched by file and function: another commit may have moved the lines.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_energy.counts import CallPlace


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPlace:
    """A place, and by how many calls it has changed; *rise* is 0 where the calls work on something else."""

    place: CallPlace
    rise: int

    @property
    def text(self) -> str:
        return self.place.text

    def is_same_function(self, other: "ChangedPlace") -> bool:
        mine, others = self.place, other.place
        return (mine.file, mine.function) == (others.file, others.function)

    @property
    def with_function(self) -> str:
        """Such as `model.py:41 (forward)`."""
        name = self.place.function
        return f"{self.text} ({name})" if name and not name.startswith("<") else self.text


def changed_place(before: Sequence[CallPlace], after: Sequence[CallPlace]) -> ChangedPlace | None:
    """The place whose calls rose most; where none did, the one whose calls fell most; `None` without any."""
    then, now = _by_function(before), _by_function(after)
    rises = {key: now[key] - then[key] for key in (*now, *then)}
    if not rises:
        return None
    key = max(rises, key=lambda one: rises[one])
    if rises[key] <= 0 and min(rises.values()) < 0:
        key = min(rises, key=lambda one: rises[one])
    side = after if rises[key] >= 0 else before
    return ChangedPlace(place=_line(key, side, before if side is after else after), rise=rises[key])


def _by_function(places: Iterable[CallPlace]) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for place in places:
        counts[place.file, place.function] += place.count
    return counts


def _line(key: tuple[str, str], side: Iterable[CallPlace], other: Iterable[CallPlace]) -> CallPlace:
    """Of the lines of that function the one with the most calls that the other side's line has not."""
    counts = {place.line: place.count for place in other if (place.file, place.function) == key}
    lines = [place for place in side if (place.file, place.function) == key]
    return max(lines, key=lambda place: (place.count - counts.get(place.line, 0), place.count, -place.line))
