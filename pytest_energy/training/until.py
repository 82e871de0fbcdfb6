"""Trainings to a target accuracy, as work in rounds.

Rule 1: a round is a training from its start, with a seed of its own; each of its epochs is a phase, which
    holds the accuracy at its end.
Rule 2: where evaluating is outside, a round's joules and seconds are those of its epochs, else all of them.
Rule 3: nothing is cut off: the training ends after an epoch, at the last target or at the most epochs.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from pytest_energy.counts import Counts
from pytest_energy.errors import Absent, EnergyError
from pytest_energy.meter.protocol import OpenWindow
from pytest_energy.model import Phase, Provenance, Reading
from pytest_energy.stats.to_accuracy import TARGETS
from pytest_energy.training.plan import UntilPlan
from pytest_energy.work import Trace, WorkDescription, why_not_done

EPOCH, EVALUATION = "epoch", "evaluation"


@dataclass(slots=True, kw_only=True)
class UntilWork:
    """Trainings of one plan, one after another.

    Attributes:
        next_seed: Of the next training.
        has_warm_up: An epoch comes before the first training, on a start of its own, and is discarded.
        runs: Accuracies of each training so far, epoch by epoch.
        measured: Those of rounds that count.
        evaluations_j: Joules of evaluating in each training that was measured; `None` if not known.
    """

    plan: UntilPlan
    next_seed: int = 0
    has_warm_up: bool = False
    runs: list[tuple[float, ...]] = field(default_factory=list)
    measured: list[tuple[float, ...]] = field(default_factory=list)
    evaluations_j: list[float | None] = field(default_factory=list)
    call_count: int = 1
    may_repeat: bool = False
    _states: list[object] = field(default_factory=list)

    def prepare(self) -> None:
        """Start anew; what the training before has learnt is freed first."""
        self._states.clear()
        if self.has_warm_up:
            self._train(self.plan.start(self.next_seed))
            self.has_warm_up = False
        self._states.append(self.plan.start(self.next_seed))
        self.next_seed += 1

    def run(self, _call_index: int, window: OpenWindow | None, /) -> tuple[float, ...]:
        plan, accuracies = self.plan, list[float]()
        state = self._states[0]
        while len(accuracies) < plan.most_epochs and not (accuracies and accuracies[-1] >= plan.targets[-1]):
            with _phase(window, EPOCH):
                self._train(state)
                if plan.evaluation == "inside":
                    accuracies.append(self._evaluated(state, window))
            if plan.evaluation == "outside":
                accuracies.append(self._evaluated(state, window))
        self.runs.append(tuple(accuracies))
        return self.runs[-1]

    def _train(self, state: object) -> None:
        because = why_not_done(self.plan.train(state))
        if because is not None:
            raise EnergyError(f"energy.until: train: {because}")

    def _evaluated(self, state: object, window: OpenWindow | None) -> float:
        with _phase(window, EVALUATION):
            return self.plan.accuracy(state)

    def conclude(self, reading: Reading) -> Reading:
        """By rule 2, with the accuracy of each epoch; a void round is no training."""
        epochs = [phase for phase in reading.phases if phase.name == EPOCH]
        accuracies, because = self.runs[-1], reading.void_because
        if because is None and len(epochs) != len(accuracies):
            because = (
                f"the round has {len(epochs)} windows {EPOCH!r}, and its training {len(accuracies)} epochs"
            )
        if because is not None:
            return replace(reading, channels={}, void_because=because, phases=())
        self.measured.append(accuracies)
        evaluations = [phase.energy_j for phase in reading.phases if phase.name == EVALUATION]
        known_j = [energy_j for energy_j in evaluations if energy_j is not None]
        self.evaluations_j.append(math.fsum(known_j) if len(known_j) == len(accuracies) else None)
        graded = iter(accuracies)
        phases = tuple(
            replace(phase, accuracy=next(graded)) if phase.name == EPOCH else phase
            for phase in reading.phases
            if phase.name != EVALUATION or self.plan.evaluation == "inside"
        )
        reading = replace(reading, phases=phases)
        # Rounds of a replay file were recorded without their evaluations, and have no channels by phase.
        is_whole = self.plan.evaluation == "inside" or reading.provenance is Provenance.REPLAYED
        return reading if is_whole else _of_epochs(reading, epochs)

    def description(self, round_count: int, /) -> WorkDescription:
        plan, runs = self.plan, (self.measured or self.runs)[-round_count:]
        is_reached = all(plan.targets[-1] <= max(run) for run in runs)
        return WorkDescription(
            workload={
                TARGETS: ", ".join(f"{target:g}" for target in plan.targets),
                "most_epochs": str(plan.most_epochs),
                "evaluation": f"{plan.evaluation} the joules",
                **({"accuracy_reached": "by all trainings" if is_reached else "not by all"} if runs else {}),
            }
        )

    def counts(self, trace: Trace, /) -> Counts | Absent:
        """Of one more epoch, or of the smaller piece that stands for it, on a start of its own."""
        self._states.clear()
        piece, state = self.plan.traced or self.plan.train, self.plan.start(self.next_seed)
        return trace(lambda: piece(state), is_whole=False)


@contextmanager
def _phase(window: OpenWindow | None, name: str) -> Iterator[None]:
    phase = None if window is None else window.phase(name)
    yield
    if phase is not None:
        phase.close()


def _of_epochs(reading: Reading, epochs: list[Phase]) -> Reading:
    """*reading* with the joules and seconds of its epochs alone."""
    lost = next((phase for phase in epochs if phase.energy_j is None), None)
    if lost is not None:
        because = "; ".join(lost.quality) or "an epoch has no joules"
        return replace(reading, channels={}, void_because=because, phases=())
    names = {name: None for phase in epochs for name in phase.channels}
    return replace(
        reading,
        channels={name: math.fsum(phase.channels.get(name, 0.0) for phase in epochs) for name in names},
        estimated_channels={},
        duration_s=math.fsum(phase.duration_s for phase in epochs),
        uncertainty_j=math.hypot(*(phase.uncertainty_j or 0.0 for phase in epochs)),
        quality=tuple(dict.fromkeys((*reading.quality, *(note for one in epochs for note in one.quality)))),
        trace=None,
    )
