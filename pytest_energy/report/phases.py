"""The phases of a test: the mean of each over the rounds. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_energy.judgement import Comparison, Part, PhaseComparison, Verdict
from pytest_energy.model import Phase, Reading, Record
from pytest_energy.report import cells


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseMean:
    """One phase of a test, as joules and seconds per round.

    Attributes:
        energy_j: Mean over the rounds in which it has joules; `None` if there are none.
        duration_s: Mean over the rounds that have it.
        share: Of the joules of those rounds; `None` without joules.
    """

    name: str
    energy_j: float | None
    duration_s: float
    share: float | None


def phase_means(record: Record) -> tuple[PhaseMean, ...]:
    """The phases of *record* in the order met; none of a record without joules."""
    if not record.is_measured:
        return ()
    by_round = [(reading, _by_name(reading.phases)) for reading in record.usable_rounds]
    names = dict.fromkeys(name for _, phases in by_round for name in phases)
    return tuple(
        _mean(name, [(one, phases[name]) for one, phases in by_round if name in phases]) for name in names
    )


def compared_phase(comparison: Comparison | None, name: str) -> PhaseComparison | None:
    """The phase *name* as *comparison* has it, or `None`."""
    phases = () if comparison is None else comparison.compared_phases
    return next((phase for phase in phases if phase.name == name), None)


def change_text(phase: PhaseComparison) -> str:
    """Change of *phase* against the baseline, as `cells.change` has that of its test."""
    of_part = "" if phase.part is Part.JOULES else f"{phase.part.value} "
    return f"{of_part}{cells.percent(phase.ratio)} {cells.bounds(phase.ratio_ci)}"


def verdict_text(phase: PhaseComparison) -> str:
    """Its verdict if the test's depends on it; of the others only a regression has one, and is marked."""
    if phase.is_judged:
        return cells.verdict(phase.verdict)
    return f"{phase.verdict.value}, not judged" if phase.verdict is Verdict.REGRESSION else ""


def _by_name(phases: Iterable[Phase]) -> Mapping[str, Sequence[Phase]]:
    """A phase may come several times in one round."""
    by_name: dict[str, list[Phase]] = {}
    for phase in phases:
        by_name.setdefault(phase.name, []).append(phase)
    return by_name


def _mean(name: str, rounds: Sequence[tuple[Reading, Sequence[Phase]]]) -> PhaseMean:
    energies_j, whole_j, durations_s = [], [], []
    for reading, phases in rounds:
        durations_s.append(math.fsum(phase.duration_s for phase in phases) / reading.call_count)
        joules = [phase.energy_j for phase in phases if phase.energy_j is not None]
        if reading.energy_j is not None and len(joules) == len(phases):
            energies_j.append(math.fsum(joules) / reading.call_count)
            whole_j.append(reading.energy_j)
    return PhaseMean(
        name=name,
        energy_j=math.fsum(energies_j) / len(energies_j) if energies_j else None,
        duration_s=math.fsum(durations_s) / len(durations_s),
        share=math.fsum(energies_j) / math.fsum(whole_j) if math.fsum(whole_j) > 0 else None,
    )
