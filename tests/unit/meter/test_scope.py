"""Which devices worked, over the cases where it is known, and what is left of a record."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.conversion import judgement_from_json
from pytest_energy.meter.reading import to_reading
from pytest_energy.meter.scope import estimated_j, is_at_rest, limited, scope_text, scoped
from pytest_energy.model import Domain, Phase, Provenance, Reading, Record, Trace
from pytest_energy.usage import DeviceUse
from tests import builders
from tests.builders import NO_RAPL, NVML, record
from tests.fakes.meter import Bench, NvmlBench
from tests.unit.meter.test_recorded import recorded

ROOT = Path(__file__).parents[3]
KEPT = sorted((ROOT / "docs" / "results" / "sessions" / "h100").glob("*.json"))
RAPL = replace(NO_RAPL, channels=("cpu:package-0",), absent_because=None)


def reading(
    power_w: float | Mapping[str, float] = 100.0,
    *,
    quiet_w: float | None = 100.0,
    duration_s: float = 1.0,
    uncertainty_j: float = 0.2,
    use: Mapping[str, DeviceUse] | None = None,
) -> Reading:
    """A round of *power_w* on `gpu:0`, or by channel, each GPU with *quiet_w* before it."""
    powers_w = {"gpu:0": power_w} if isinstance(power_w, float) else power_w
    gpus = [name for name in powers_w if name.startswith("gpu")]
    return replace(
        builders.reading(
            channels={name: one_w * duration_s for name, one_w in powers_w.items()},
            duration_s=duration_s,
            uncertainty_j=uncertainty_j,
        ),
        quiet_power_w={} if quiet_w is None else dict.fromkeys(gpus, quiet_w),
        device_use=use or {},
    )


def of(*rounds: Reading, idle_w: float | None = None, **fields: Any) -> Record:
    """What the scope leaves of these rounds."""
    idle_power_w = None if idle_w is None else {"gpu:0": idle_w}
    return scoped(
        replace(record(rounds=rounds, sensors=(NVML, NO_RAPL)), idle_power_w=idle_power_w, **fields)
    )


OPEN, UNNAMED, BUSY = ({"gpu:0": use} for use in DeviceUse)


@pytest.mark.parametrize(
    ("rounds", "has_worked"),
    [
        ([reading(100.1)] * 3, False),
        ([reading(100.1, use=OPEN)] * 3, False),
        ([reading(100.7, use=OPEN)] * 3, False),  # as warm boards at rest do
        ([reading(101.9)] * 3, True),  # as an endless row of launches does
        ([reading(350.0)] * 3, True),
        ([reading(350.0), reading(100.0), reading(100.0)], True),  # one round of three
        ([reading(98.0, use=OPEN)] * 3, False),  # it cools down
        ([reading(103.0, uncertainty_j=2.0)] * 3, False),
        ([reading(103.0, uncertainty_j=2.0, use=OPEN)] * 3, True),
        ([reading(100.0, uncertainty_j=2.0, use=OPEN)] * 1, True),
        ([reading(100.0, use=BUSY)] * 3, True),
        ([reading(100.0, use=BUSY), reading(100.0)], True),
        ([reading(100.0, use=BUSY), reading(100.0), reading(100.0)], False),  # of the test before it
        ([reading(100.0, use=UNNAMED)] * 3, False),  # a desktop's windows are drawn
        ([reading(160.0, duration_s=0.010, uncertainty_j=0.1)], True),  # a kernel of a millisecond
    ],
)
def test_power_tells_and_where_it_cannot_use_does(rounds: list[Reading], *, has_worked: bool) -> None:
    """The table of docs/measurement.md, a line each."""
    found = of(*rounds)
    assert (found.unmeasured_because is None) is has_worked
    assert (found.energy_j is not None) is has_worked


@pytest.mark.parametrize(
    ("power_w", "use", "has_worked"),
    [
        (600.0, UNNAMED, True),
        (600.0, None, False),
        (600.0, OPEN, False),
        (120.0, UNNAMED, False),  # a context that is open, and a look at what was before
    ],
)
def test_work_that_goes_on_all_the_time_is_work(
    power_w: float, use: Mapping[str, DeviceUse] | None, *, has_worked: bool
) -> None:
    """A thread that works before the windows, too, draws no more inside; that the GPU computes tells."""
    rounds = [reading(power_w, quiet_w=power_w, use=use)] * 3
    assert (of(*rounds, idle_w=70.0).energy_j is not None) is has_worked


def test_many_rounds_know_more_than_one() -> None:
    """3 % of excess, known to 2 % in a round, are work once ten rounds show it."""
    one = reading(103.0, uncertainty_j=2.0)
    assert of(one).energy_j is None
    assert of(*[one] * 10).energy_j == pytest.approx(103.0)


@pytest.mark.parametrize(("power_w", "has_worked"), [(70.0, False), (75.0, False), (120.0, True)])
def test_power_before_the_first_test_stands_in_for_quiet_ticks(power_w: float, *, has_worked: bool) -> None:
    """A channel without quiet ticks, as one that is read at the edges, is held against idle power."""
    assert (of(reading(power_w, quiet_w=None), idle_w=70.0).energy_j is not None) is has_worked


def test_what_nothing_is_known_of_has_worked() -> None:
    """Without any power of rest there is no reason to leave joules out."""
    assert of(reading(70.0, quiet_w=None)).energy_j == 70.0


def test_a_gpu_at_rest_leaves_no_joules_and_the_exact_reason() -> None:
    """The joules of the card stand apart; the record says that it was at rest and what is missing."""
    found = of(reading(100.0), reading(100.2))
    assert found.unmeasured_because == "the GPU was at rest and nothing measures the CPU here"
    assert (found.energy_j, found.duration_s, found.active_energy_j, found.channels) == (None,) * 4
    assert [one.channels for one in found.rounds] == [{}, {}]
    assert [one.resting_channels for one in found.rounds] == [{"gpu:0": 100.0}, {"gpu:0": 100.2}]
    assert scope_text(found) == ""


def test_a_gpu_that_work_in_turns_used_is_counted() -> None:
    """The cheaper of two has the card at rest, and its joules are those of that card."""
    rounds = (reading(100.0), reading(100.2))
    fields = replace(record(rounds=rounds, sensors=(NVML, NO_RAPL)), idle_power_w=None)
    assert scoped(fields, in_turns=(reading(100.1),)).energy_j is None
    assert scoped(fields, in_turns=(reading(150.0),)).energy_j == pytest.approx(100.1)


def test_all_of_several_gpus_at_rest_are_counted() -> None:
    """The reason says of how many GPUs nobody made use."""
    found = of(reading({"gpu:0": 100.0, "gpu:1": 99.0}))
    assert found.unmeasured_because == "all 2 GPUs were at rest and nothing measures the CPU here"


def test_a_cpu_that_the_marker_leaves_out_is_not_missing_here() -> None:
    """Where the CPU could be measured the reason names the marker, not the machine."""
    found = scoped(record(rounds=[reading()], sensors=(NVML, RAPL)))
    assert found.unmeasured_because == "the GPU was at rest and the test's marker leaves the CPU out"


def test_a_cpu_always_works() -> None:
    """Beside a GPU at rest the CPU's joules are the test's, and those of the GPU are not."""
    both = {"gpu:0": 100.0, "cpu:package-0": 40.0}
    found = of(reading(both), idle_w=100.0)
    assert found.energy_j == 40.0
    assert found.rounds[0].resting_channels == {"gpu:0": 100.0}
    assert found.rounds[0].quality == ("gpu:0 was at rest: not counted",)
    assert found.idle_power_w == {}
    assert (found.missing_domains, scope_text(found)) == ((), "")


def test_only_the_gpus_that_worked_count() -> None:
    """One busy GPU of four: the joules are its own, and so is quiet power."""
    powers_w = {"gpu:0": 600.0, "gpu:1": 100.0, "gpu:2": 100.3, "gpu:3": 99.0}
    found = of(*[reading(powers_w)] * 3)
    assert found.energy_j == 600.0
    assert set(found.rounds[0].quiet_power_w) == {"gpu:0"}
    assert found.rounds[0].quality == ("gpu:1, gpu:2, gpu:3 were at rest: not counted",)
    assert found.missing_domains == (Domain.CPU,)
    assert scope_text(found) == "GPU only"


def test_what_the_baseline_counts_is_counted_on() -> None:
    """A GPU whose joules are in the baseline stays in the record, so that both are of the same channels."""
    rounds = [reading({"gpu:0": 600.0, "gpu:1": 100.0})]
    both = scoped(record(rounds=rounds), {"gpu:0", "gpu:1"})
    assert both.energy_j == 700.0
    assert scoped(record(rounds=rounds), {"gpu:0"}).energy_j == 600.0
    assert scoped(record(rounds=[reading(100.0)]), {"gpu:0"}).energy_j is None  # but never alone


def test_a_part_has_the_channels_of_its_whole() -> None:
    """A GPU that a part leaves at rest is counted with what it drew; one that the whole leaves out is not."""
    part = reading({"gpu:0": 100.0, "gpu:1": 70.0, "cpu:package-0": 50.0})
    void = builders.reading(channels={}, void_because="thermal slowdown")
    found, other = limited([part, void], {"gpu:0", "cpu:package-0"})
    assert found.channels == {"gpu:0": 100.0, "cpu:package-0": 50.0}
    assert found.resting_channels == {"gpu:1": 70.0}
    assert other is void


def test_a_phase_loses_the_same_joules() -> None:
    """Phases stay parts of their round; one without any joules left has none."""
    phase = Phase(
        name="decode",
        energy_j=70.0,
        uncertainty_j=1.0,
        duration_s=0.1,
        channels={"gpu:0": 60.0, "gpu:1": 10.0},
    )
    one = replace(reading({"gpu:0": 600.0, "gpu:1": 100.0}), phases=(phase,))
    assert of(one).rounds[0].phases[0].energy_j == 60.0
    assert of(replace(reading(), phases=(phase,))).rounds[0].phases[0].energy_j == 10.0
    alone = replace(phase, energy_j=60.0, channels={"gpu:0": 60.0})
    assert of(replace(reading(), phases=(alone,))).rounds[0].phases[0].energy_j is None


def test_a_gpu_that_nothing_measures_is_missing() -> None:
    """An open context on a GPU without a channel: the joules are the CPU's only."""
    found = of(reading({"cpu:package-0": 40.0, "dram:package-0": 5.0}, use=OPEN))
    assert found.missing_domains == (Domain.GPU,)
    assert scope_text(found) == "CPU and DRAM only"


@pytest.mark.parametrize(
    "found",
    [
        of(reading(), void_because="the clock stood"),
        scoped(record(rounds=(), unmeasured_because="no sensor on this machine")),
        scoped(record(provenance=Provenance.REPLAYED)),
    ],
    ids=["void", "nothing measured", "replayed"],
)
def test_what_has_no_joules_of_this_machine_stays_as_it_is(found: Record) -> None:
    """A void record, one without rounds and a replay say nothing of what worked here."""
    assert found.missing_domains == ()
    assert all(not one.resting_channels for one in found.rounds)


def test_the_estimate_is_a_mean_beside_the_joules() -> None:
    """It is that of the rounds that have one, and is in no sum."""
    rounds = [replace(reading(300.0), estimated_channels={"cpu:processes": one_j}) for one_j in (10.0, 14.0)]
    found = of(*rounds)
    assert (estimated_j(found), found.energy_j) == (12.0, 300.0)
    assert estimated_j(of(*rounds, reading(300.0))) == 12.0
    assert estimated_j(of(reading(300.0))) is None


# ---- boards ----


@pytest.mark.parametrize("path", KEPT, ids=lambda path: path.stem)
def test_no_kept_test_of_a_gpu_was_at_rest(path: Path) -> None:
    """Every test and load on eleven H100s worked; what is called `rest` did not."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for test in document["tests"]:
        kept = judgement_from_json(
            test | {"machine": {"key": "k", "fixed": {}, "shown": {}}, "sensors": []}, "k"
        )
        assert scoped(kept.record).unmeasured_because is None, kept.record.test_id
    for load in document.get("yardstick", ()):
        rounds = [replace(builders.reading(), **_of_round(one)) for one in load["rounds"]]
        assert is_at_rest(rounds, load["idle_power_w"]) is load["id"].endswith("-rest"), load["id"]


def _of_round(one: Mapping[str, Any]) -> dict[str, Any]:
    """The context of the suite was open in all of these."""
    names = ("channels", "duration_s", "uncertainty_j", "quiet_power_w")
    return {name: one[name] for name in names} | {"device_use": {"gpu:0": DeviceUse.OPEN}}


@pytest.mark.parametrize("name", ["step_h100-80gb-hbm3.json", "step_h200.json"])
@pytest.mark.parametrize(
    ("start_s", "stop_s", "is_rest"), [(0.43, 0.71, True), (0.3, 0.8, True), (0.9, 2.3, False)]
)
def test_recorded_counters_tell(name: str, start_s: float, stop_s: float, *, is_rest: bool) -> None:
    """Quiet stretches of the recorded series are rest, the second of load is not."""
    ticks = recorded(name)
    last = next(index for index, tick in enumerate(ticks) if tick.time_s > stop_s) + 2
    trace = Trace(
        ticks={"gpu:0": tuple(ticks[:last])}, start_s=start_s, stop_s=stop_s, quiet_s=((0.0, start_s),)
    )
    assert is_at_rest([to_reading(trace, Provenance.MEASURED)], {}) is is_rest


@pytest.mark.parametrize("tick_s", [0.02, 0.1, 0.5])
@pytest.mark.parametrize("duration_s", [0.3, 1.0, 5.0])
def test_a_live_window_of_rest_is_rest(tick_s: float, duration_s: float) -> None:
    """Whatever the counter's period, three windows in which nothing works have no work."""
    bench = Bench(tick_s)
    bench.meter.start()
    rounds = [bench.measure((duration_s, bench.device.quiet_w)) for _ in range(3)]
    assert is_at_rest(rounds, {})


@pytest.mark.parametrize("step", [(0.005, 700.0), (0.010, 400.0), (0.3, 130.0), (1.0, 125.0)])
def test_a_live_window_of_work_is_work(step: tuple[float, float]) -> None:
    """A kernel of 5 ms inside a tenth of a second, and seconds of light work, are seen in five rounds."""
    bench = NvmlBench(seed=3)
    rest = (max(0.0, 0.1 - step[0]), bench.device.quiet_w)
    rounds = [bench.measure(step, rest) for _ in range(5)]
    assert not is_at_rest(rounds, {})
