"""What makes a reading void, and what is noted."""

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

import pytest

from pytest_energy import documents
from pytest_energy.codec import JsonDict, decode
from pytest_energy.conversion import reading_of, to_json
from pytest_energy.errors import FormatError
from pytest_energy.meter import quality
from pytest_energy.meter.clock import TimeMark
from pytest_energy.meter.integrate import How, Integral
from pytest_energy.meter.quality import DeviceHistory
from pytest_energy.model import Phase, Provenance, Reading, Tick
from pytest_energy.sensors.protocol import DeviceSnapshot, DeviceState, Slowdown
from tests.builders import record


def integral(
    energy_j: float = 100.0,
    uncertainty_j: float = 1.0,
    how: How = How.ALIGNED,
    powers_w: tuple[float, float] | None = (120.0, 120.0),
) -> Integral:
    head_w, tail_w = (None, None) if powers_w is None else powers_w
    return Integral(
        energy_j=energy_j, uncertainty_j=uncertainty_j, how=how, head_power_w=head_w, tail_power_w=tail_w
    )


@pytest.mark.parametrize(("share", "is_noted"), [(None, False), (0.19, False), (0.21, True)])
def test_joules_that_may_be_others_are_noted_from_a_tenth_on(share: float | None, *, is_noted: bool) -> None:
    """What counts is the share of the window's joules: half of them on the CPU halve it."""
    notes = quality.foreign_notes({"cpu:package-0": 40.0, "dram:package-0": 10.0, "gpu:0": 50.0}, share)
    assert len(notes) == is_noted
    assert all("cpu:package-0, dram:package-0 count them too: at most 10 % of the joules" in n for n in notes)


@pytest.mark.parametrize(("own_s", "is_void"), [(None, False), (0.0101, True), (0.0103, False)])
def test_an_estimate_of_a_wait_is_void(own_s: float | None, *, is_void: bool) -> None:
    """Below a hundredth of one processor, and the look at it, the test waited; unknown is no reason."""
    assert (quality.why_nothing_worked(Provenance.ESTIMATED, own_s, 1.0) is not None) == is_void


@pytest.mark.parametrize(
    ("provenance", "duration_s"), [(Provenance.MEASURED, 1.0), (Provenance.ESTIMATED, 0.01)]
)
def test_a_measured_wait_and_a_short_one_are_kept(provenance: Provenance, duration_s: float) -> None:
    """A server that others started is legitimate work; a short window can't be told from the look at it."""
    assert quality.why_nothing_worked(provenance, 0.0, duration_s) is None


@pytest.mark.parametrize(("share", "count"), [(None, 0), (0.09, 0), (0.5, 1)])
def test_others_beside_an_estimate_are_noted_from_a_tenth_on(share: float | None, count: int) -> None:
    """A little is on every machine; of what isn't known nothing is said."""
    assert len(quality.other_notes(share)) == count


@pytest.mark.parametrize(
    ("energy_j", "how", "is_alone"),
    [
        (-2.1, How.ALIGNED, False),
        (0.0, How.ALIGNED, True),
        (-0.3, How.ALIGNED, True),
        (0.0, How.EDGES, False),
    ],
)
def test_joules_that_are_not_positive_are_void(energy_j: float, how: How, *, is_alone: bool) -> None:
    """They name channel and value: below zero beyond chance, of a counter that did not tick, or alone."""
    beside = {} if is_alone else {"gpu:0": integral()}
    reason = quality.why_joules_are_wrong({**beside, "gpu:1": integral(energy_j, 1.0, how)})
    assert reason is not None
    assert reason.startswith("gpu:1 reads")


def test_what_may_be_off_may_read_nothing() -> None:
    """Zero of it is a reading; negative joules are none, and other channels are as before."""
    others = {"cpu:CPU": integral(), "cpu:CV": integral(0.0, 0.0)}
    assert quality.why_joules_are_wrong(others, {"cpu:CV"}) is None
    assert quality.why_joules_are_wrong(others, {"cpu:CPU"}) is not None
    assert quality.why_joules_are_wrong({"cpu:CV": integral(-0.1)}, {"cpu:CV"}) is not None


@pytest.mark.parametrize("energy_j", [0.0, -1.9])
def test_a_device_at_rest_may_read_nothing_by_chance(energy_j: float) -> None:
    """Beside another, joules below zero within twice their uncertainty don't void the sum, and are noted."""
    integrals = {"gpu:0": integral(), "gpu:1": integral(energy_j, 1.0)}
    assert quality.why_joules_are_wrong(integrals) is None
    notes = [note for note in quality.notes(integrals) if "counted as 0 J" in note]
    assert len(notes) == (energy_j < 0)
    assert all(note.startswith("gpu:1: ") for note in notes)


def test_joules_known_to_half_of_them_are_the_limit() -> None:
    """More than 50 % uncertainty of the sum is void; of one small channel it isn't."""
    assert quality.why_joules_are_wrong({"gpu:0": integral(1.0, 0.6)}) is not None
    assert quality.why_joules_are_wrong({"gpu:0": integral(1.0, 0.6), "gpu:1": integral()}) is None


def test_joules_that_err_to_one_side_are_void() -> None:
    """More than 3 % of the sum is; the same of one channel beside larger ones isn't."""
    vague = replace(integral(), one_sided_j=4.0)
    reason = quality.why_joules_are_wrong({"gpu:0": vague})
    assert reason is not None
    assert reason.startswith("100 J may be off by 4 J: reads of the counters are slow")
    assert quality.why_joules_are_wrong({"gpu:0": vague, "gpu:1": integral()}) is None


def test_uncertainties_add_in_squares() -> None:
    """Channels err independently."""
    both = {"gpu:0": integral(uncertainty_j=3.0), "gpu:1": integral(uncertainty_j=4.0)}
    assert quality.total_uncertainty_j(both) == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("edges_s", "suspended_s", "is_wrong"),
    [
        ((1.0, 2.0), (5.0, 5.0001), False),
        ((1.0, 2.0), (None, None), False),
        ((1.0, 2.0), (5.0, 35.0), True),
        ((2.0, 1.0), (5.0, 5.0), True),
        ((2.0, 2.0), (None, 3.0), True),
    ],
)
def test_clocks_that_cannot_be_trusted(
    edges_s: tuple[float, float], suspended_s: tuple[float | None, float | None], *, is_wrong: bool
) -> None:
    """A window that went back, stood still or was slept through has a reason."""
    before, after = (TimeMark(0.0, slept_s, None, 0.0) for slept_s in suspended_s)
    assert (quality.why_clock_is_wrong(*edges_s, before, after) is not None) == is_wrong


@pytest.mark.parametrize(
    ("went_s", "counted_s", "is_wrong"),
    [
        (2.0, 2.0, False),
        (2.0, 1.98, False),
        (2.0, 2.03, False),
        (2.0, 1.0, True),
        (1.0, 2.0, True),
        (1e-6, 3.0, True),
        (2.0, None, False),
    ],
)
def test_a_clock_is_held_against_the_kernels_count(
    went_s: float, counted_s: float | None, *, is_wrong: bool
) -> None:
    """A clock that goes otherwise than the kernel counts was replaced; by hundredths, both may differ."""
    before = TimeMark(1.0, 0.0, 50.0, 1.0)
    after = TimeMark(1.0 + went_s, 0.0, None if counted_s is None else 50.0 + counted_s, 1.0 + went_s)
    because = quality.why_clock_is_wrong(1.0, 1.0 + went_s, before, after)
    assert (because is not None) == is_wrong
    assert because is None or "while the kernel counted" in because


def test_a_look_at_the_clocks_that_was_held_up_says_nothing_against_them() -> None:
    """Between two looks at one clock any time may have gone by at which the other was looked at."""
    before = TimeMark(1.0, 0.0, 50.0, 1.0)
    assert quality.why_clock_is_wrong(1.0, 2.0, before, TimeMark(2.0, 0.0, 53.5, 5.0)) is None
    assert quality.why_clock_is_wrong(1.0, 2.0, before, TimeMark(2.0, 0.0, 54.5, 5.0)) is not None


def test_unequal_quiet_is_noted() -> None:
    """Quiet power that differs by more than 10 % before and after is worth a sentence."""
    assert quality.notes({"gpu:0": integral(powers_w=(120.0, 125.0))}) == ()
    (note,) = quality.notes({"gpu:0": integral(powers_w=(70.0, 120.0))})
    assert note == "gpu:0: 70 W before the window, 120 W after it: not equally quiet"


def test_interpolated_edges_are_noted() -> None:
    """Edges without a quiet tick never pass silently."""
    (note,) = quality.notes({"gpu:0": integral(how=How.INTERPOLATED, powers_w=None)})
    assert note.startswith("gpu:0: no whole quiet tick")


def test_only_interpolated_channels_are_named_in_a_phase() -> None:
    """A phase's note names the channels that tick."""
    both = {"gpu:0": integral(how=How.INTERPOLATED), "cpu:package-0": integral(how=How.EDGES)}
    assert quality.phase_notes(both) == (
        "gpu:0: interpolated between ticks, the power isn't quiet at its edges",
    )
    assert quality.phase_notes({"cpu:package-0": integral(how=How.EDGES)}) == ()


# How the devices were


def watched(
    *slowdowns: set[Slowdown],
    powers_w: tuple[float, ...] = (),
    before: DeviceState | None = None,
    after: DeviceState | None = None,
    is_kin: Mapping[int, bool | None] | None = None,
) -> dict[str, DeviceHistory]:
    snapshots = [DeviceSnapshot(slowdowns=frozenset(causes)) for causes in slowdowns]
    snapshots += [DeviceSnapshot(power_w=power_w) for power_w in powers_w]
    return {
        "gpu:0": DeviceHistory(
            before=before or DeviceState(),
            after=after or DeviceState(),
            snapshots=tuple(snapshots),
            is_kin=is_kin or {},
        )
    }


def test_nothing_seen_is_no_reason() -> None:
    """Devices that don't tell disturb nothing."""
    assert quality.why_disturbed({}) is None
    assert quality.why_disturbed(watched()) is None
    assert quality.device_notes(watched()) == ()
    assert quality.why_counter_disagrees({"gpu:0": 1.0}, 60.0, watched()) is None


def test_one_look_at_a_cause_is_enough() -> None:
    """A slowdown with a cause is a reason from the first look on, and the sentence counts the looks."""
    because = quality.why_disturbed(watched(set(), {Slowdown.SOFTWARE_THERMAL}, set()))
    assert because == "gpu:0: software thermal slowdown in 1 of 3 checks during the window"


def test_a_slowdown_without_a_cause_is_a_reason_when_seen_twice() -> None:
    """Hardware slowdown alone is also seen when clocks change: once is a note, twice a reason."""
    once, twice = watched(set(), {Slowdown.HARDWARE}), watched({Slowdown.HARDWARE}, {Slowdown.HARDWARE})
    assert quality.why_disturbed(once) is None
    assert quality.device_notes(once) == (
        "gpu:0: hardware slowdown in one check, perhaps only a change of clocks",
    )
    assert quality.why_disturbed(twice) == "gpu:0: hardware slowdown in 2 of 2 checks during the window"


def test_all_causes_are_named() -> None:
    """Several slowdowns are one sentence."""
    because = quality.why_disturbed(watched({Slowdown.HARDWARE, Slowdown.HARDWARE_THERMAL}))
    assert because == "gpu:0: hardware slowdown, hardware thermal slowdown in 1 of 1 checks during the window"


def test_a_setting_that_is_told_once_only_has_not_changed() -> None:
    """What can't be told at one of the edges is no change."""
    seen = watched(
        before=DeviceState(settings={"MIG": "off"}), after=DeviceState(settings={"power limit": "1 W"})
    )
    assert quality.why_disturbed(seen) is None


@pytest.mark.parametrize(
    ("counted_w", "duration_s", "is_wrong"),
    [(470.0, 10.0, True), (530.0, 10.0, True), (520.0, 10.0, False), (530.0, 4.9, False)],
)
def test_counter_and_power_may_differ_by_5_percent(
    counted_w: float, duration_s: float, *, is_wrong: bool
) -> None:
    """Over 5 s and more, joules are held against the mean of the power that was seen."""
    seen = watched(powers_w=(500.0,) * 21)
    because = quality.why_counter_disagrees({"gpu:0": counted_w * duration_s}, duration_s, seen)
    assert (because is not None) == is_wrong


def test_few_powers_contradict_nothing() -> None:
    """A handful of looks, or power that swings, is no proof against a counter."""
    assert quality.why_counter_disagrees({"gpu:0": 4000.0}, 10.0, watched(powers_w=(500.0,) * 10)) is None
    swinging = watched(powers_w=(100.0, 900.0) * 20)
    assert quality.why_counter_disagrees({"gpu:0": 4500.0}, 10.0, swinging) is None


def test_waves_that_looks_met_low_by_chance_contradict_nothing() -> None:
    """Two of 24 looks met a load that is high a fifth of the time: one of 200 rounds is so."""
    looks = watched(powers_w=(130.0, *(700.0, 700.0, *(130.0,) * 22)))
    assert quality.why_counter_disagrees({"gpu:0": 10 * 257.0}, 10.0, looks) is None
    assert quality.why_counter_disagrees({"gpu:0": 10 * 720.0}, 10.0, looks) is not None


# Beside other rounds


def one_round(temperature_c: float | None) -> Reading:
    return Reading(
        channels={"gpu:0": 100.0},
        duration_s=1.0,
        uncertainty_j=1.0,
        provenance=Provenance.MEASURED,
        temperatures_c={} if temperature_c is None else {"gpu:0": temperature_c},
        phases=(Phase(name="inner", energy_j=40.0, uncertainty_j=1.0, duration_s=0.4),),
    )


@pytest.mark.parametrize("temperature_c", [50.0, 60.0, 70.0, None])
def test_a_round_in_the_band_of_the_others_stays_as_it_is(temperature_c: float | None) -> None:
    """Ten degrees around the others' median are usual; a temperature that isn't told is no finding."""
    reading = one_round(temperature_c)
    assert quality.beside(reading, [one_round(60.0), one_round(58.0), one_round(95.0)]) == reading


def test_a_round_outside_the_band_is_noted() -> None:
    """More than 10 degrees off, a round says so."""
    reading = quality.beside(one_round(72.0), [one_round(60.0), one_round(None)])
    assert reading.void_because is None
    assert reading.quality == ("gpu:0: 72 degrees C, the other rounds 60 degrees C",)


def test_a_round_far_outside_the_band_is_void() -> None:
    """More than 25 degrees off, its joules and its phases' are those of another device."""
    reading = quality.beside(one_round(34.0), [one_round(60.0)])
    assert reading.void_because == (
        "gpu:0: 34 degrees C, the other rounds 60 degrees C: more than 25 degrees off, so not comparable"
    )
    assert reading.energy_j is None
    assert [phase.energy_j for phase in reading.phases] == [None]
    assert quality.beside(reading, [one_round(60.0)]) is reading


def test_a_first_round_has_no_band() -> None:
    """Without other rounds there is nothing to compare with."""
    assert quality.beside(one_round(90.0), []) == one_round(90.0)


# Power that was integrated


def test_samples_of_steady_power_leave_nothing_open() -> None:
    """Samples that are all alike miss nothing in between."""
    assert quality.sampling_uncertainty_j([Tick(0.1 * n, 12.0 * n) for n in range(20)]) == pytest.approx(0.0)


def test_samples_of_independent_power_add_in_squares() -> None:
    """The sum of n samples without relation is uncertain by their spread times the root of n."""
    rng = random.Random(1)  # noqa: S311  # a seeded simulation
    energies_j = [rng.gauss(30.0, 4.0) for _ in range(2000)]
    ticks = [Tick(0.1 * n, joules) for n, joules in enumerate(accumulate(energies_j))]
    assert quality.sampling_uncertainty_j(ticks) == pytest.approx(4.0 * math.sqrt(2000), rel=0.05)


# The new values travel


def read(document: JsonDict) -> Reading:
    """The reading that *document*, at the place `round`, describes."""
    return reading_of(decode(document, documents.Round, "round"), Provenance.MEASURED, "round")


def test_quiet_power_and_temperature_go_through_json() -> None:
    """What a reading tells of quiet power and temperature comes back; documents without it load."""
    reading = replace(one_round(61.0), quiet_power_w={"gpu:0": 119.5})
    document = to_json(reading)
    assert read(document) == reading
    older = {key: document[key] for key in document if key not in {"quiet_power_w", "temperatures_c"}}
    loaded = read(older)
    assert (loaded.quiet_power_w, loaded.temperatures_c) == ({}, {})
    assert to_json(loaded) == older


def test_power_over_time_goes_through_json() -> None:
    """Steps of power come back; a document without them loads, and none is written of none."""
    reading = replace(
        one_round(61.0), power_trace={"gpu:0": ((0.021, 212.4), (0.121, 640.1), (0.221, 640.1))}
    )
    document = to_json(reading)
    assert document["power_trace"] == {"gpu:0": [[0.021, 212.4], [0.121, 640.1], [0.221, 640.1]]}
    assert read(document) == reading
    older = {key: document[key] for key in document if key != "power_trace"}
    loaded = read(older)
    assert loaded.power_trace == {}
    assert to_json(loaded) == older


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ([], "gpu:0 is no steps of power: two pairs or more, times rising"),
        ([[0.1, 200.0]], "gpu:0 is no steps of power"),
        ([[0.1, 200.0], [0.1, 200.0]], "gpu:0 is no steps of power"),
        ([[0.1, 200.0], [0.2]], r"gpu:0\[1\] is \[0.2\], not a pair of numbers"),
        ([[0.1, 200.0], [0.2, "a"]], r"gpu:0\[1\] is 'a', not a number"),
    ],
)
def test_power_that_is_no_steps_is_refused(steps: list[object], said: str) -> None:
    """A step takes time, and two pairs; the place in the document is named."""
    document = to_json(one_round(61.0)) | {"power_trace": {"gpu:0": steps}}
    with pytest.raises(FormatError, match=f"round: power_trace: {said}"):
        read(document)


def test_one_call_and_the_part_that_counts_keep_the_windows_power() -> None:
    """Power over time is the whole window's, of however many calls and whatever part of it counts."""
    steps = {"gpu:0": ((0.0, 300.0), (0.1, 300.0))}
    part = Phase(name="steady", energy_j=9.0, uncertainty_j=0.1, duration_s=0.1, channels={"gpu:0": 9.0})
    reading = replace(one_round(61.0), power_trace=steps, phases=(part,))
    assert reading.for_one_of(4).power_trace == steps
    assert reading.counting("steady", 2.0).power_trace == steps


def test_a_record_is_ready_as_its_first_round_was() -> None:
    """Ready power is the quiet before the first round; a void record and a silent one have none."""
    first, second = (replace(one_round(60.0), quiet_power_w={"gpu:0": w}) for w in (120.0, 130.0))
    of_two = replace(record(), rounds=(first, second))
    assert of_two.ready_power_w == {"gpu:0": 120.0}
    assert replace(of_two, void_because="slept").ready_power_w is None
    assert replace(of_two, rounds=(one_round(60.0),)).ready_power_w is None
