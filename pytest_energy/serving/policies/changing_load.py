"""A load whose rate changes: stages, each a Poisson process of its own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.errors import SettingsError
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.slo import Slo


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangingLoad:
    """Requests that arrive at rates that change, the same for all policies and rounds.

    Attributes:
        items: What requests ask, in order; a list that is too short starts over.
        stages: Requests per second, and for how many seconds; a rate of 0 is a pause.
        labels: The right answer to each of *items*; without them answers are not scored.
        seed: Of the gaps.
        slo: Limit of latency: `Slo(e2e_s=0.1, least_share=0.99)`.
        accuracy_loss: Accepted loss of accuracy against the reference, a share such as 0.01; needs *labels*.

    Raises:
        SettingsError: There are no items or requests, a rate or time is outside its range, labels are not one
            for each item, or *slo* limits tokens.
    """

    items: Sequence[object]
    stages: Sequence[tuple[float, float]]
    labels: Sequence[object] | None = None
    seed: int = 0
    slo: Slo | None = None
    accuracy_loss: float | None = None

    def __post_init__(self) -> None:
        for rate, span_s in self.stages:
            if not (0 <= rate < math.inf and 0 < span_s < math.inf):
                raise SettingsError(
                    f"a stage of {rate} requests per second for {span_s} s; the rate must be at least 0 and "
                    "the time above 0, both finite"
                )
        if not self.items or not sum(self._counts):
            raise SettingsError("a load needs at least 1 item, and stages with at least 1 request together")
        if self.labels is not None and len(self.labels) != len(self.items):
            raise SettingsError(f"{len(self.labels)} labels for {len(self.items)} items; give one for each")
        if self.slo is not None and (self.slo.ttft_s is not None or self.slo.tpot_s is not None):
            raise SettingsError("an answer of a policy has no tokens: use Slo(e2e_s=..., least_share=...)")
        if self.accuracy_loss is not None:
            if self.labels is None:
                raise SettingsError("accuracy_loss needs labels=: without them answers are not scored")
            if not 0 < self.accuracy_loss < 1:
                raise SettingsError(
                    f"accuracy_loss is {self.accuracy_loss}; it must be a share above 0 and below 1"
                )

    @property
    def _counts(self) -> list[int]:
        return [round(rate * span_s) for rate, span_s in self.stages]

    @property
    def duration_s(self) -> float:
        """From the start to the end of the last stage."""
        return math.fsum(span_s for _, span_s in self.stages)

    @property
    def due_s(self) -> tuple[float, ...]:
        """Seconds after the start at which each request arrives.

        >>> ChangingLoad(items=["a"], stages=[(0, 1.0), (2, 1.0)]).due_s[-1]
        2.0
        """
        due: list[float] = []
        began_s = 0.0
        for place, ((_, span_s), count) in enumerate(zip(self.stages, self._counts, strict=True)):
            if count:
                schedule = Schedule(rate=count / span_s, seed=self.seed + place)
                due += [began_s + due_s for due_s in schedule.due_s(count)]
            began_s += span_s
        return tuple(due)

    @property
    def stages_text(self) -> str:
        """Such as `20/s for 2 s, 200/s for 1 s`."""
        return ", ".join(f"{rate:g}/s for {span_s:g} s" for rate, span_s in self.stages)

    def is_right(self, position: int, answer: object) -> bool:
        """Whether *answer* is the label of the request at *position*."""
        return self.labels is not None and bool(answer == self.labels[position % len(self.items)])
