"""How many bursts of each length fit in the time. Pure."""

from dataclasses import dataclass

from benchmarks.meter.demands import NOMINALS_S

FULL_COUNT = 24
HALF_COUNT = 12

# From this length on a burst takes longer than everything around it, and its number is what is saved on.
LONG_S = 1.0
PEER_LONG_S = 0.5

# Bursts of these lengths scatter so much that 24 don't tell their mean to 1 %; so many do.
MANY_COUNTS = {0.01: 96, 0.03: 48}


@dataclass(frozen=True, slots=True)
class _Choice:
    """Bursts of a plan.

    Attributes:
        longest: Our bursts of the longest length.
        peers: Bursts of each short length that the other tools see.
        has_many: Whether there are more than `FULL_COUNT` of the shortest lengths.
    """

    longest: int
    peers: int
    has_many: bool = False


# Best first.
_CHOICES = (
    _Choice(FULL_COUNT, FULL_COUNT, has_many=True),
    _Choice(FULL_COUNT, FULL_COUNT),
    _Choice(FULL_COUNT, 18),
    _Choice(HALF_COUNT, FULL_COUNT),
    _Choice(HALF_COUNT, 18),
    _Choice(HALF_COUNT, HALF_COUNT),
    _Choice(HALF_COUNT, 8),
    _Choice(HALF_COUNT, 6),
)
_QUICK_COUNT = 4
_QUICK_CHOICE = _Choice(_QUICK_COUNT, 2 * _QUICK_COUNT)

# Ticks around each burst and around each series, from the rests and gaps in `bursts` and the meter's waits:
# a delay of 1/2 and a wait of 2.5 on the mean, and one gap in three longer by 3; a gap of 1.5, the
# tools' calls, and one gap in three longer by 6; both rests.
_OUR_TICKS, _PEER_TICKS, _SERIES_TICKS = 4.1, 3.8, 14.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Bursts of each length.

    Attributes:
        ours: Nominal seconds to bursts through our windows.
        peers: Nominal seconds to bursts through the other tools; empty where there are none.
        duration_s: How long all of them take, about.
    """

    ours: dict[float, int]
    peers: dict[float, int]
    duration_s: float


def plan(
    left_s: float, tick_s: float, *, has_peers: bool, is_quick: bool = False, is_ours_done: bool = False
) -> Plan:
    """The most bursts that fit in *left_s*; the fewest that make sense, where nothing fits.

    Args:
        left_s: Time for all of them.
        tick_s: Period of the counter.
        has_peers: Whether other tools measure too.
        is_quick: The fewest bursts with which everything runs.
        is_ours_done: Our own are measured already.
    """
    choices = (_QUICK_CHOICE,) if is_quick else _CHOICES
    plans = [
        _planned(
            {} if is_ours_done else _our_counts(choice, is_quick=is_quick),
            _peer_counts(choice.peers) if has_peers else {},
            tick_s,
        )
        for choice in choices
    ]
    return next((found for found in plans if found.duration_s <= left_s), plans[-1])


def _our_counts(choice: _Choice, *, is_quick: bool) -> dict[float, int]:
    counts = dict.fromkeys(NOMINALS_S, _QUICK_COUNT if is_quick else FULL_COUNT)
    counts |= MANY_COUNTS if choice.has_many else {}
    return counts | {nominal_s: choice.longest for nominal_s in NOMINALS_S if nominal_s >= LONG_S}


def _peer_counts(count: int) -> dict[float, int]:
    return {nominal_s: count // 2 if nominal_s >= PEER_LONG_S else count for nominal_s in NOMINALS_S}


def _planned(ours: dict[float, int], peers: dict[float, int], tick_s: float) -> Plan:
    our_s = _duration_s(ours, _OUR_TICKS * tick_s, tick_s)
    return Plan(ours=ours, peers=peers, duration_s=our_s + _duration_s(peers, _PEER_TICKS * tick_s, tick_s))


def _duration_s(counts: dict[float, int], around_s: float, tick_s: float) -> float:
    return sum(count * (nominal_s + around_s) + _SERIES_TICKS * tick_s for nominal_s, count in counts.items())
