"""Where the calls were added or removed.

Rule 1: places are matched by file and function: another commit may have moved the lines.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_energy.counts import CallPlace
from pytest_energy.verdict.count_pairs import Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedPlace:
    """A place, and by how many calls it has changed.

    Attributes:
        rise: 0 where that isn't known, and where the calls only work on something else.
    """

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


def changed_place(before: Amounts, after: Amounts) -> ChangedPlace | None:
    """The place whose calls rose most; where none did, the one whose calls fell most; `None` without any.

    Where a side doesn't tell all its places, by how much one has changed isn't known; and where one side has
    none at all, only a place that makes all the calls is the one.
    """
    then, now = _by_function(before.places), _by_function(after.places)
    if not then and not now:
        return None
    if (not then and before.counts[1]) or (not now and after.counts[1]):
        side = before if then else after
        is_only = len(then or now) == 1 and _is_whole(side)
        return ChangedPlace(place=side.places[0], rise=0) if is_only else None
    rises = {key: now[key] - then[key] for key in (*now, *then)}
    key = max(rises, key=lambda one: rises[one])
    if rises[key] <= 0 and min(rises.values()) < 0:
        key = min(rises, key=lambda one: rises[one])
    side, other = (after, before) if rises[key] >= 0 else (before, after)
    place = _line(key, side.places, other.places)
    return ChangedPlace(place=place, rise=rises[key] if _is_whole(before) and _is_whole(after) else 0)


def _is_whole(side: Amounts) -> bool:
    """Whether its places make all its calls."""
    return sum(place.count for place in side.places) >= side.counts[0]


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
