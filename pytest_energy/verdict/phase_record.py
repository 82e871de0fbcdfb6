"""The phases of a test as records of their own, so that they are compared as a test is. Pure.

Rule 1: a round of a phase has the joules, seconds and uncertainty of all windows of that name in the round,
    per call of the work: the uncertainty of their interpolated edges is in it.
Rule 2: a phase that a round with joules lacks, or that has none there, is not compared: a mean over fewer
    rounds would be of other work.
Rule 3: joules by channel are not stored of a phase. The round's shares stand in: they give the names, by
    which ready power is known, and a sum that is the phase's; no single one of them is shown.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Phase, Reading, Record


def phase_records(record: Record) -> tuple[dict[str, Record], dict[str, str]]:
    """By name, each phase of *record* as a record, and why others are none; in the order met."""
    by_round = [_by_name(reading) for reading in record.rounds]
    rounds: dict[str, list[Reading]] = {name: [] for phases in by_round for name in phases}
    absent: dict[str, str] = {}
    for reading, phases in zip(record.rounds, by_round, strict=True):
        for name, readings in rounds.items():
            try:
                readings.append(_of_phase(reading, name, phases))
            except NotMeasurable as error:
                absent.setdefault(name, str(error))
    known = {name: readings for name, readings in rounds.items() if name not in absent}
    return {name: replace(record, rounds=tuple(one)) for name, one in known.items()}, absent


def phase_record(record: Record, name: str) -> Record:
    """The phase *name* of *record*.

    Raises:
        NotMeasurable: Rule 2.
    """
    rounds = tuple(_of_phase(reading, name, _by_name(reading)) for reading in record.rounds)
    return replace(record, rounds=rounds)


def _by_name(reading: Reading) -> dict[str, list[Phase]]:
    """The phases of a round with joules; a phase may come several times."""
    by_name: dict[str, list[Phase]] = {}
    for phase in reading.phases if reading.energy_j else ():
        by_name.setdefault(phase.name, []).append(phase)
    return by_name


def _of_phase(reading: Reading, name: str, by_name: Mapping[str, Sequence[Phase]]) -> Reading:
    if not reading.energy_j:
        return replace(reading, phases=())
    phases = by_name.get(name)
    if phases is None:
        raise NotMeasurable(f"a round has no phase {name!r}. Its phases: {', '.join(by_name) or 'none'}")
    energy_j, uncertainty_j = _joules(phases, name)
    duration_s = math.fsum(phase.duration_s for phase in phases)
    if not (energy_j > 0 and duration_s > 0):
        raise NotMeasurable(
            f"the phase {name!r} has {energy_j:g} J in {duration_s:g} s: too short to measure"
        )
    share = energy_j / (reading.energy_j * reading.call_count)
    return replace(
        reading,
        channels={channel: share * joules for channel, joules in reading.channels.items()},
        uncertainty_j=uncertainty_j / reading.call_count,
        duration_s=duration_s / reading.call_count,
        phases=(),
    )


def _joules(phases: Sequence[Phase], name: str) -> tuple[float, float]:
    """Joules of *phases* together, and their standard uncertainty."""
    joules = []
    for phase in phases:
        if phase.energy_j is None or phase.uncertainty_j is None:
            raise NotMeasurable(next(iter(phase.quality), f"the phase {name!r} has no joules"))
        joules.append((phase.energy_j, phase.uncertainty_j))
    return math.fsum(one_j for one_j, _ in joules), math.hypot(*(error_j for _, error_j in joules))
