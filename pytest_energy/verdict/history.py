"""What is kept of a record, and of a baseline's, to compare them: levels in place of rounds.

Rule 1: a suite is judged as a whole, so that the baselines of all its tests are in memory at once: of ten
    thousand tests their levels are, their rounds are not.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean, median
from sys import intern

from pytest_energy.baselines import levels
from pytest_energy.baselines.levels import JUDGING_COUNT
from pytest_energy.baselines.machine import HIT_RATE
from pytest_energy.baselines.schema import PINNED_COUNT, Baseline
from pytest_energy.basis import Basis, Parts, why_void
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import EqualSteps
from pytest_energy.model import Reading, Record
from pytest_energy.stats.level import Level, level_of, mean_level, rounds_level
from pytest_energy.verdict.equal_steps import AmountLevel, amount_level, at_amounts, equal_steps
from pytest_energy.verdict.other_programs import LATENCY, others_share
from pytest_energy.verdict.phase_record import phase_records

_ODD_RATIO = 3.0  # the rounds of a test do the same work: a cold cache or a cleared heap costs less than that


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """The two parts of a record's joules.

    Attributes:
        active: Level of active joules.
        active_j: Mean active joules of a round.
        waiting_j: Mean joules of a round at ready power.
        duration_s: Mean seconds of a round.
    """

    active: Level
    active_j: float
    waiting_j: float
    duration_s: float

    @property
    def active_share(self) -> float:
        """Share of the joules that is active; all, where a second at ready power costs none (net joules)."""
        return self.active_j / (self.active_j + max(0.0, self.waiting_j))


@dataclass(frozen=True, slots=True, kw_only=True)
class OddRound:
    """A round that is far from the others of its record: the work was another, or the file was edited.

    Attributes:
        created: When the record was made.
        number: Of the round, counted from 1.
        energy_j: Its joules.
        usual_j: The median of the record's rounds.
    """

    created: str
    number: int
    energy_j: float
    usual_j: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is kept of one record.

    Attributes:
        session: Of the record, which names the process that measured.
        created: As in the record.
        commit: Of the code, or empty.
        energy: Level of the joules that are compared.
        seconds: Level of the seconds of a round.
        activity: The two parts, or why there are none.
        latency_s: Median time from request to last token, where there were requests.
        channels_j: Mean joules of a round by channel.
        others_share: Share of the compared joules that other programs used at most.
        odd_round: The one that is farthest from the others, if it is far from them.
        phases: The same of each phase of the rounds that has joules in all of them, by name.
    """

    session: str | None
    created: str
    commit: str
    energy: Level
    seconds: Level
    activity: Activity | str
    latency_s: float | None
    channels_j: Mapping[str, float]
    others_share: float = 0.0
    odd_round: OddRound | None = None
    phases: Mapping[str, "Entry"] = field(default_factory=dict)

    @property
    def parts(self) -> Activity | None:
        return self.activity if isinstance(self.activity, Activity) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What is kept of a baseline.

    Attributes:
        entries: All, the oldest first; none if no session has usable joules.
        judging: The newest of them, which a fresh record is compared with.
        pinned: The first of them, which a slow creep is held against; empty if they say nothing else.
        newest: The newest session with usable joules, less its rounds but one: its facts are compared.
        unused_count: Sessions without usable joules.
        amounts: Steps, seconds and tokens of the sessions, where all know them, or steps alone.
        at_equal_amounts: The same history, its joules stated at those amounts.
    """

    entries: tuple[Entry, ...]
    judging: tuple[Entry, ...]
    pinned: tuple[Entry, ...] = ()
    newest: Record | None
    unused_count: int = 0
    amounts: AmountLevel | None = None
    at_equal_amounts: "History | None" = None

    @property
    def phase_names(self) -> tuple[str, ...]:
        """Phases that a session has, in the order met."""
        return tuple(dict.fromkeys(name for entry in self.entries for name in entry.phases))

    @property
    def newest_phases(self) -> tuple[str, ...]:
        """Phases of the newest session: what is expected to come again."""
        return tuple(self.entries[-1].phases) if self.entries else ()

    def of_phase(self, name: str) -> "History":
        """The same of the phase *name*, of the sessions that have it."""
        entries = tuple(entry.phases[name] for entry in self.entries if name in entry.phases)
        return _of_entries(entries, self.newest, len(self.entries))


def entry_of(record: Record, basis: Basis) -> Entry:
    """What is kept of *record*.

    Raises:
        NotMeasurable: It has no joules of this *basis*.
    """
    rounds = record.usable_rounds
    first_count = _first_count(record)
    latency_s = record.metrics.get(LATENCY)
    return Entry(
        session=None if record.session is None else intern(record.session),
        created=intern(record.created),
        commit=intern(record.machine.varying.get("git_commit", "")),
        energy=rounds_level(basis.round_energies(record), first_count),
        seconds=level_of([reading.duration_s for reading in rounds], first_count=first_count),
        activity=_activity(record, basis),
        latency_s=latency_s or None,
        channels_j=means_j([record]),
        others_share=others_share(record, is_net=basis.is_net),
        odd_round=_odd_round(record),
        phases=_phases(record, basis),
    )


def _phases(record: Record, basis: Basis) -> dict[str, Entry]:
    entries = {}
    for name, one in phase_records(record)[0].items():
        try:
            entries[intern(name)] = entry_of(one, basis)
        except NotMeasurable:
            continue  # too little above idle power; the finding has the reason
    return entries


def _odd_round(record: Record) -> OddRound | None:
    usual_j = median(record.round_energies_j)
    rounds = [(number, one.energy_j) for number, one in enumerate(record.rounds, start=1) if one.energy_j]
    number, energy_j = max(rounds, key=lambda one: abs(math.log(one[1] / usual_j)))
    if 1 / _ODD_RATIO <= energy_j / usual_j <= _ODD_RATIO:
        return None
    return OddRound(created=record.created, number=number, energy_j=energy_j, usual_j=usual_j)


def mean_entry(entries: Sequence[Entry]) -> Entry:
    """What is kept of several attempts at the same code, the newest last: the mean of their levels."""
    newest = entries[-1]
    if len(entries) == 1:
        return newest
    activities = [one for entry in entries if (one := entry.parts) is not None]
    activity: Activity | str = newest.activity
    if len(activities) == len(entries):
        activity = Activity(
            active=mean_level([one.active for one in activities]),
            active_j=fmean(one.active_j for one in activities),
            waiting_j=fmean(one.waiting_j for one in activities),
            duration_s=fmean(one.duration_s for one in activities),
        )
    return replace(
        newest,
        energy=mean_level([entry.energy for entry in entries]),
        seconds=mean_level([entry.seconds for entry in entries]),
        activity=activity,
        others_share=fmean(entry.others_share for entry in entries),
        phases={
            name: mean_entry([entry.phases[name] for entry in entries])
            for name in newest.phases
            if all(name in entry.phases for entry in entries)
        },
    )


def _activity(record: Record, basis: Basis) -> Activity | str:
    try:
        return activity_of(basis.parts(record), _first_count(record))
    except NotMeasurable as error:
        return intern(str(error))


def _first_count(record: Record) -> int:
    """Rounds with joules of the first batch."""
    rounds = record.rounds[: len(record.rounds) - record.confirming_count]
    return sum(reading.void_because is None for reading in rounds)


def activity_of(parts: Parts, first_count: int | None = None) -> Activity:
    pairs = zip(parts.durations_s, parts.waiting_powers_w, strict=True)
    return Activity(
        active=rounds_level(parts.active, first_count),
        active_j=fmean(parts.active.energies_j),
        waiting_j=fmean(duration_s * power_w for duration_s, power_w in pairs),
        duration_s=fmean(parts.durations_s),
    )


def history_of(baseline: Baseline, basis: Basis) -> History:
    """What is kept of *baseline* to compare joules of this *basis*."""
    level = levels.level_of(baseline.entries)
    usable = list(filter(has_joules, level.entries))
    history = _history(usable, basis, len(level.entries))
    amounts = amount_level(usable)
    if amounts is None:
        return history
    at_equal = _history([at_amounts(record, amounts) for record in usable], basis, len(level.entries))
    return replace(history, amounts=amounts, at_equal_amounts=at_equal)


def _history(usable: Sequence[Record], basis: Basis, entry_count: int) -> History:
    """Of *usable* sessions, out of *entry_count*."""
    entries = tuple(_entries(usable, basis))
    return _of_entries(entries, _facts_of(usable[-1]) if usable else None, entry_count)


def _of_entries(entries: tuple[Entry, ...], newest: Record | None, entry_count: int) -> History:
    return History(
        entries=entries,
        judging=entries[-JUDGING_COUNT:],
        pinned=entries[:PINNED_COUNT] if len(entries) > PINNED_COUNT else (),
        newest=newest,
        unused_count=entry_count - len(entries),
    )


def aligned(
    record: Record, history: History, basis: Basis, attempts: Sequence[Entry] = ()
) -> tuple[Record, History, EqualSteps | None]:
    """*record* and *history* as they are compared: at equal amounts, if that is what differs, and how.

    Earlier *attempts* at the same code are kept as levels, which know no amounts: then both are as measured.

    Raises:
        NotMeasurable: As for `entry_of`.
    """
    if history.amounts is None or history.at_equal_amounts is None or not history.judging or attempts:
        return record, history, None
    measured = entry_of(record, basis).energy.centre - fmean(one.energy.centre for one in history.judging)
    equal = equal_steps(record, history.amounts, math.exp(measured))
    if equal is None or equal.not_used_because:
        return record, history, equal
    return at_amounts(record, history.amounts), history.at_equal_amounts, equal


def _facts_of(record: Record) -> Record:
    """*record* with what two are compared by before their joules are."""
    reading = record.usable_rounds[0]
    shown = Reading(
        channels={intern(name): joules for name, joules in reading.channels.items()},
        duration_s=reading.duration_s,
        uncertainty_j=reading.uncertainty_j,
        provenance=reading.provenance,
    )
    return Record(
        test_id=record.test_id,
        created=intern(record.created),
        provenance=record.provenance,
        machine=record.machine,
        rounds=(shown,),
        samples=record.samples,
        output_tokens=record.output_tokens,
        workload=record.workload,
        engine_settings=record.engine_settings,
        metrics={name: record.metrics[name] for name in (HIT_RATE,) if name in record.metrics},
    )


def entries_of(records: Iterable[Record], basis: Basis) -> tuple[Entry, ...]:
    """What is kept of those of *records* that have joules of this *basis*."""
    return tuple(_entries(filter(has_joules, records), basis))


def _entries(records: Iterable[Record], basis: Basis) -> Iterable[Entry]:
    for record in records:
        try:
            yield entry_of(record, basis)
        except NotMeasurable:
            continue  # the finding counts what was left out


def has_joules(record: Record) -> bool:
    return why_void(record) is None and record.unmeasured_because is None


def means_j(records: Sequence[Record]) -> dict[str, float]:
    """Mean joules of a round by channel."""
    rounds = [reading for record in records for reading in record.usable_rounds]
    return {
        intern(name): fmean([reading.channels[name] for reading in rounds if name in reading.channels])
        for name in sorted({name for reading in rounds for name in reading.channels})
    }
