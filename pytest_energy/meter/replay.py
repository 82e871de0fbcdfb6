"""The meter over a replay file."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from itertools import chain

from pytest_energy.meter.clock import Clock
from pytest_energy.meter.protocol import OpenPhase, OpenWindow
from pytest_energy.meter.reading import to_reading, void_reading
from pytest_energy.model import Channel, Domain, Phase, Provenance, Reading, SensorStatus
from pytest_energy.sensors.replay import Replay, ReplayRound


class ReplayMeter:
    """Readings from a replay file: the work runs, its joules and seconds come from the file.

    A round of ticks goes through the same integration as live ones. A round without a stated uncertainty
    counts as exact; the spread of the rounds still speaks.

    Args:
        replay: The file's rounds.
        clock: Unused by the joules; phases that the file doesn't hold take their seconds from it.
    """

    provenance = Provenance.REPLAYED

    def __init__(self, replay: Replay, clock: Clock) -> None:
        self._replay, self._clock = replay, clock
        self._next: dict[str, int] = {}  # test to the index of its next round
        rounds = chain.from_iterable(replay.values())
        names = sorted(set(chain.from_iterable(map(_channel_names, rounds))))
        self._status = SensorStatus(name="replay", channels=tuple(names), provenance=self.provenance)

    def statuses(self) -> tuple[SensorStatus, ...]:
        return (self._status,)

    def start(self) -> None:
        """Nothing to find: a file has no ticks of its own."""

    def pause(self) -> None:
        """Nothing runs."""

    def rounds_left(self, test_id: str) -> int | None:
        return len(self._replay.get(test_id, ())) - self._next.get(test_id, 0)

    def why_unmeasured(self, test_id: str) -> str | None:
        if self._replay.get(test_id):
            return None
        return f"the replay file has no rounds for {test_id}"

    def open(self, test_id: str, *, domains: frozenset[Domain] | None = None) -> OpenWindow:
        rounds, index = self._replay.get(test_id, ()), self._next.get(test_id, 0)
        self._next[test_id] = index + 1
        if index >= len(rounds):
            because = f"the replay file has {len(rounds)} round(s) for {test_id}, all of them used"
            return _ReplayWindow(void_reading(because, 0.0, self.provenance), self._clock)
        return _ReplayWindow(_replayed(rounds[index], domains), self._clock)

    def idle_power_w(self) -> Mapping[str, float] | None:
        return None

    def drift_notes(self) -> tuple[str, ...]:
        return ()

    def devices(self, domains: frozenset[Domain] | None) -> tuple[str, ...]:
        del domains
        return ()

    def adopt(self, pids: Iterable[int], *, on: Collection[str] = ()) -> None:
        del pids, on

    def roles(self) -> Mapping[str, str]:
        return {}

    def processes(self) -> Mapping[str, frozenset[int]]:
        return {}

    def close(self) -> None:
        """Nothing to end."""


def _channel_names(one_round: ReplayRound) -> Iterable[str]:
    return one_round.channels if one_round.trace is None else one_round.trace.ticks


def _replayed(one_round: ReplayRound, domains: frozenset[Domain] | None) -> Reading:
    names = tuple(_channel_names(one_round))
    kept = tuple(n for n in names if domains is None or Channel.domain_of(n) in domains)
    if not kept:
        because = (
            f"no channel of the domains {', '.join(sorted(domains or ()))} in the replay file's round; "
            f"it holds {', '.join(names)}"
        )
        return void_reading(because, one_round.duration_s, Provenance.REPLAYED)
    if one_round.trace is not None:
        ticks = {name: one_round.trace.ticks[name] for name in kept}
        reading = to_reading(replace(one_round.trace, ticks=ticks), Provenance.REPLAYED)
        reading = reading.for_one_of(one_round.call_count)
    else:
        reading = Reading(
            channels={name: one_round.channels[name] for name in kept},
            duration_s=one_round.duration_s,
            uncertainty_j=one_round.uncertainty_j or 0.0,
            provenance=Provenance.REPLAYED,
        )
    if len(kept) == len(names):  # joules of a phase are those of all channels together
        reading = replace(reading, phases=one_round.phases)
    return reading


class _ReplayWindow:
    """A window whose reading is known before it is closed."""

    def __init__(self, reading: Reading, clock: Clock) -> None:
        self._reading, self._clock = reading, clock
        self._phases: list[_ReplayPhase] = []

    def phase(self, name: str, *, samples: int | None = None, waits_for_gpu: bool = True) -> OpenPhase:
        del waits_for_gpu
        phase = _ReplayPhase(name, samples, self._clock)
        self._phases.append(phase)
        return phase

    def close(self) -> Reading:
        known = {phase.name for phase in self._reading.phases}
        others = tuple(phase.without_joules() for phase in self._phases if phase.name not in known)
        return replace(self._reading, phases=(*self._reading.phases, *others))


class _ReplayPhase:
    def __init__(self, name: str, samples: int | None, clock: Clock) -> None:
        self.name, self._samples, self._clock = name, samples, clock
        self._start_s = self._stop_s = clock.now_s()

    def close(self) -> None:
        self._stop_s = self._clock.now_s()

    def without_joules(self) -> Phase:
        return Phase(
            name=self.name,
            energy_j=None,
            uncertainty_j=None,
            duration_s=max(0.0, self._stop_s - self._start_s),
            samples=self._samples,
            quality=("the replay file doesn't have this phase",),
        )
