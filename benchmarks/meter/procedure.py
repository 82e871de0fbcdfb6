"""The order in which everything is measured on a rig, and the run that comes out of it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from benchmarks.meter.bursts import Peer, PeerSeries, Rig, Series, calibrate, measure, measure_with
from benchmarks.meter.costs import SamplerCost, WindowCost, sampler_cost, sampler_cpu_s
from benchmarks.meter.demands import IDLE_FROM_S, NOMINALS_S, PEERS, rows
from benchmarks.meter.figures import Length, figures, peer_scores
from benchmarks.meter.peers import open_peers
from benchmarks.meter.plan import FULL_COUNT, Plan, plan
from benchmarks.meter.result import Run
from pytest_energy.errors import EnergyError, NotMeasurable

# Warm enough that the first series is like the others. With the calibration and both looks at the sampler it
# is also longer than the 64 ticks of 100 ms that a window looks back at for quiet power: before the CUDA
# context was opened the device drew less.
_WARM_UP_S = 3.0
_WARM_UP_BURST_S = 0.5

# 84 ticks of 100 ms: the sampler looks at one in about 40 of them closely, which costs most.
_SAMPLER_S, _QUICK_SAMPLER_S = 8.4, 2.0

PeerOpener = Callable[[], tuple[list[Peer], dict[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a run is asked to do.

    Attributes:
        seconds: Time for everything.
        has_peers: Whether other tools measure the same bursts.
        is_quick: A few bursts only.
    """

    seconds: float
    has_peers: bool = True
    is_quick: bool = False


@dataclass(slots=True, kw_only=True)
class Found:
    """What was measured so far; a fault later on doesn't take it away."""

    series: list[Series] = field(default_factory=list)
    peer_series: list[PeerSeries] = field(default_factory=list)
    peer_versions: dict[str, str] = field(default_factory=dict)
    peers_absent: dict[str, str] = field(default_factory=dict)
    samplers: dict[str, SamplerCost] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure_on(
    rig: Rig,
    choices: Choices,
    begun_s: float,
    found: Found,
    *,
    say: Callable[[str], None],
    cpu_s: Callable[[], float] = sampler_cpu_s,
    peer_opener: PeerOpener = open_peers,
) -> None:
    """Measure everything, into *found* as it comes.

    Args:
        rig: With its meter started and its load open.
        choices: What to do.
        begun_s: When the run began, on the rig's clock.
        found: Where to put it.
        say: Told of each step.
        cpu_s: Processor time of the sampler's thread.
        peer_opener: Opens the other tools.

    Raises:
        EnergyError: It can't go on.
    """
    # First of all: while the other tools are imported, the sampler waits for the interpreter, and it takes
    # some seconds until it is as close to the ticks again. None of their threads runs outside their windows.
    peers = _open_peers(choices, found, peer_opener)
    pieces_in_one_s = _warm_up(rig)
    counts = {nominal_s: calibrate(rig, nominal_s, pieces_in_one_s) for nominal_s in NOMINALS_S}
    sampler_s = _QUICK_SAMPLER_S if choices.is_quick else _SAMPLER_S
    found.samplers["busy"] = sampler_cost(rig, sampler_s, pieces_in_one_s=pieces_in_one_s, cpu_s=cpu_s)
    rig.rest()
    found.samplers["idle"] = sampler_cost(rig, sampler_s, cpu_s=cpu_s)  # and the device cools down
    planned = _plan(rig, choices, begun_s)
    found.notes += _notes_on(planned, choices)
    say(f"{rig.clock.now_s() - begun_s:.0f} s gone, bursts take about {planned.duration_s:.0f} s")
    for nominal_s, count in planned.ours.items():
        found.series.append(measure(rig, nominal_s, counts[nominal_s], count))
        say(f"{nominal_s * 1e3:g} ms: {count} windows of {counts[nominal_s]} pieces each")
    if peers:
        # Planned anew: what our own series took is known now.
        left = _plan(rig, choices, begun_s, is_ours_done=True)
        _measure_peers(rig, peers, left, counts, found, say=say)


def _open_peers(choices: Choices, found: Found, peer_opener: PeerOpener) -> Sequence[Peer]:
    if not choices.has_peers:
        found.peers_absent |= dict.fromkeys(PEERS, "left out with --no-peers")
        return ()
    peers, absent = peer_opener()
    found.peers_absent |= absent
    found.peer_versions = {peer.name: peer.version for peer in peers}
    return peers


def _plan(rig: Rig, choices: Choices, begun_s: float, *, is_ours_done: bool = False) -> Plan:
    return plan(
        choices.seconds - (rig.clock.now_s() - begun_s),
        rig.tick_s(),
        has_peers=choices.has_peers,
        is_quick=choices.is_quick,
        is_ours_done=is_ours_done,
    )


def _notes_on(planned: Plan, choices: Choices) -> Iterable[str]:
    fewer = [f"{n * 1e3:g} ms ({count})" for n, count in planned.ours.items() if count < FULL_COUNT]
    if fewer:
        yield f"Fewer than {FULL_COUNT} bursts, to end within {choices.seconds:g} s: {', '.join(fewer)}."


def _warm_up(rig: Rig) -> float:
    """Keep the device busy for a while; returns the pieces that it does in a second."""
    count, begun_s = 1, rig.clock.now_s()
    while True:
        start_s, stop_s = rig.burst(count)
        in_one_s = count / (stop_s - start_s)
        if stop_s - begun_s > _WARM_UP_S:
            return in_one_s
        count = max(1, round(_WARM_UP_BURST_S * in_one_s))


def _measure_peers(
    rig: Rig,
    peers: Sequence[Peer],
    planned: Plan,
    counts: Mapping[float, int],
    found: Found,
    *,
    say: Callable[[str], None],
) -> None:
    names = ", ".join(peer.name for peer in peers)
    try:
        for nominal_s, count in planned.peers.items():
            found.peer_series.append(measure_with(rig, peers, nominal_s, counts[nominal_s], count))
            say(f"{nominal_s * 1e3:g} ms: {count} bursts through {names}")
    except EnergyError:
        raise
    except Exception as error:  # noqa: BLE001  # somebody else's tool may raise anything; what we have is kept
        found.notes.append(f"A tool among {names} failed in a window: {error!r}.")
    finally:
        for peer in peers:
            peer.close()


def to_run(
    found: Found,
    windows: Sequence[WindowCost],
    *,
    facts: Mapping[str, str],
    command: str,
    has_idle_gpu: bool,
    duration_s: float,
) -> Run:
    """Figures and demands of what was found."""
    notes = list(found.notes)
    lengths = _lengths(found, notes)
    return Run(
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        command=command,
        facts=dict(facts) | found.peer_versions,
        peers_absent=found.peers_absent,
        lengths=lengths,
        series=found.series,
        peer_series=found.peer_series,
        samplers=found.samplers,
        windows=windows,
        rows=rows(
            lengths,
            peers_absent=found.peers_absent,
            samplers=found.samplers,
            windows=windows,
            has_idle_gpu=has_idle_gpu,
        ),
        notes=[*notes, *_standing_notes(found, has_idle_gpu=has_idle_gpu)],
        duration_s=duration_s,
    )


def _lengths(found: Found, notes: list[str]) -> tuple[Length, ...]:
    """Figures of each series whose truth can be told; of the others a note."""
    peers = {}
    for peer_series in found.peer_series:
        try:
            peers[peer_series.nominal_s] = peer_scores(peer_series)
        except NotMeasurable as error:
            notes.append(f"{peer_series.nominal_s * 1e3:g} ms, other tools: no truth: {error}.")
    lengths = []
    for series in found.series:
        try:
            lengths.append(figures(series, peers.get(series.nominal_s, {})))
        except NotMeasurable as error:
            notes.append(f"{series.nominal_s * 1e3:g} ms: no truth: {error}.")
    return tuple(lengths)


def _standing_notes(found: Found, *, has_idle_gpu: bool) -> Iterable[str]:
    """What is so in every run."""
    if found.peer_series:
        yield (
            "The other tools measured series of their own, of the same bursts, after ours: inside our window "
            "their NVML calls, of milliseconds each, would be as long as a short burst. There zeus' window "
            "lies inside codecarbon's, and each is compared with the truth of its own stretch; our sampler "
            "runs beside them."
        )
        yield "RMSE ratios compare RMSEs that are shares of the truth of their own series."
    yield (
        "The empty windows read files on disk in the layout of the kernel's powercap tree, and /proc/stat; "
        "the meter's thread was not running, as it looks at such counters every 20 s only."
    )
    if has_idle_gpu:
        yield (
            "With several GPUs the stated uncertainty is that of their sum. The power of one at rest is the "
            f"mean over the whole series, from its counter; it must keep its limit from {IDLE_FROM_S:g} s on."
        )
