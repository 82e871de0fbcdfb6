"""Policies that are ready to use: fixed batches, batches that follow the queue; and a cascade of models."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_energy.errors import SettingsError
from pytest_energy.meter.clock import Clock, SystemClock

Serve = Callable[[Sequence[object]], Sequence[object]]
"""One answer for each item, in order."""

_SEEN_COUNT = 32  # batches: enough for the slowest of a hundred or so milliseconds, forgotten within seconds


def _check_size(name: str, size: int) -> None:
    if size < 1:
        raise SettingsError(f"{name} is {size}; a batch must have at least 1 request")


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedBatch:
    """Waits for a full batch, or until the oldest request has waited long enough.

    Attributes:
        answer: Serves a batch.
        size: Requests in a full batch.
        timeout_s: Longest wait of a request for others.

    >>> fixed = FixedBatch(answer=list, size=4, timeout_s=0.1)
    >>> fixed.batch(3, 0.05), fixed.batch(3, 0.1), fixed.batch(9, 0.0)
    (0, 3, 4)
    """

    answer: Serve
    size: int
    timeout_s: float = 0.0

    def __post_init__(self) -> None:
        _check_size("size", self.size)

    def batch(self, waiting: int, waited_s: float, /) -> int:
        return min(waiting, self.size) if waiting >= self.size or waited_s >= self.timeout_s else 0

    def serve(self, items: Sequence[object], /) -> Sequence[object]:
        return self.answer(items)


@dataclass(slots=True, kw_only=True)
class AdaptiveBatch:
    """Lets requests gather for as long as the oldest can still be answered within the limit.

    The batch grows with the queue: few requests wait in quiet times, many in a burst. The time that a batch
    takes is the longest of the newest ones.

    Attributes:
        answer: Serves a batch.
        most: Requests in a batch, at most.
        limit_s: Latency within which a request should be answered.
        clock: For the time that a batch takes.

    >>> adaptive = AdaptiveBatch(answer=list, most=64, limit_s=0.1)
    >>> adaptive.batch(5, 0.02), adaptive.batch(5, 0.06), adaptive.batch(80, 0.0)
    (0, 5, 64)
    """

    answer: Serve
    most: int
    limit_s: float
    clock: Clock = field(default_factory=SystemClock)
    _seen_s: deque[float] = field(default_factory=lambda: deque(maxlen=_SEEN_COUNT))

    def __post_init__(self) -> None:
        _check_size("most", self.most)

    def batch(self, waiting: int, waited_s: float, /) -> int:
        served_s = max(self._seen_s, default=0.0)
        # Half of what is left: who arrives while another batch is served has waited for that one already.
        is_time = waited_s >= (self.limit_s - served_s) / 2
        return min(waiting, self.most) if waiting >= self.most or is_time else 0

    def serve(self, items: Sequence[object], /) -> Sequence[object]:
        began_s = self.clock.now_s()
        answers = self.answer(items)
        self._seen_s.append(self.clock.now_s() - began_s)
        return answers


@dataclass(slots=True, kw_only=True)
class Cascade:
    """Two models as one: the small one answers, and hands to the large one what it is not sure of.

    Attributes:
        small: An answer for each item, with its confidence.
        large: An answer for each of the items that are left.
        least_confidence: Below it an item is handed on.
        item_count: Items so far.
        handed_count: Of them those that the large one answered.

    >>> two = Cascade(small=lambda items: [(item, item / 10) for item in items],
    ...               large=lambda items: [-item for item in items], least_confidence=0.5)
    >>> two([3, 7, 4]), two.handed_count
    ([-3, 7, -4], 2)
    """

    small: Callable[[Sequence[object]], Sequence[tuple[object, float]]]
    large: Serve
    least_confidence: float
    item_count: int = 0
    handed_count: int = 0

    def __call__(self, items: Sequence[object], /) -> list[object]:
        judged = self.small(items)
        answers = [answer for answer, _ in judged]
        hard = [place for place, (_, confidence) in enumerate(judged) if confidence < self.least_confidence]
        self.item_count, self.handed_count = self.item_count + len(items), self.handed_count + len(hard)
        if hard:
            for place, answer in zip(hard, self.large([items[place] for place in hard]), strict=True):
                answers[place] = answer
        return answers
