"""The estimate: joules from CPU time, and what it says it assumed."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import SensorError, SensorUnavailable, SettingsError
from pytest_energy.sensors.estimate import _TDP_TABLE, IDLE_SHARE, EstimateSensor, find_tdp, read_cpu_model
from tests.fakes.cpu_times import FakeCpuTimes
from tests.fakes.hand_clock import HandClock

CHANNEL = "cpu:machine"


def opened(
    times: FakeCpuTimes, clock: HandClock, *, cpu_tdp_w: float = 100.0, cpus: int = 4
) -> EstimateSensor:
    return EstimateSensor(
        cpu_tdp_w=cpu_tdp_w, cpuinfo=Path("/nowhere"), cpu_count=cpus, cpu_times=times, now_s=clock.now_s
    )


def test_rest_is_the_idle_share_of_the_tdp() -> None:
    """With no CPU busy, the machine draws the idle share of its TDP."""
    times, clock = FakeCpuTimes(), HandClock()
    sensor = opened(times, clock)
    clock.sleep_s(10.0)
    times.idle += 40.0
    assert sensor.read_j(CHANNEL) == pytest.approx(IDLE_SHARE * 100.0 * 10.0)


@given(duration_s=st.floats(0.01, 1e5), cpus=st.integers(1, 512), cpu_tdp_w=st.floats(1.0, 1000.0))
def test_all_cpus_busy_is_the_tdp(duration_s: float, cpus: int, cpu_tdp_w: float) -> None:
    """With every CPU busy, the machine draws its TDP, whatever the number of CPUs."""
    times, clock = FakeCpuTimes(), HandClock()
    sensor = opened(times, clock, cpu_tdp_w=cpu_tdp_w, cpus=cpus)
    clock.sleep_s(duration_s)
    times.user += duration_s * cpus
    assert sensor.read_j(CHANNEL) == pytest.approx(cpu_tdp_w * duration_s, rel=1e-6)


@pytest.mark.parametrize("kind", ["user", "nice", "system", "irq", "softirq"])
def test_work_of_any_process_counts(kind: str) -> None:
    """Time in which a CPU works for this machine counts, in whatever process or for the kernel."""
    times = FakeCpuTimes()
    sensor = opened(times, HandClock())
    setattr(times, kind, getattr(times, kind) + 1.0)
    assert sensor.read_j(CHANNEL) == pytest.approx((1 - IDLE_SHARE) * 100.0 / 4)


@pytest.mark.parametrize("kind", ["idle", "iowait", "steal", "guest", "guest_nice"])
def test_rest_and_others_work_dont_count(kind: str) -> None:
    """Waiting is rest, stolen time is another machine's work, and guests' time is in `user` already."""
    times = FakeCpuTimes()
    sensor = opened(times, HandClock())
    setattr(times, kind, getattr(times, kind) + 1.0)
    assert sensor.read_j(CHANNEL) == 0.0


def test_time_that_goes_back_is_a_fault() -> None:
    """A clock that went back is a `SensorError`, not less energy."""
    times = FakeCpuTimes()
    moments = iter([10.0, 20.0, 15.0])
    sensor = EstimateSensor(cpu_tdp_w=100.0, cpu_count=1, cpu_times=times, now_s=lambda: next(moments))
    sensor.read_j(CHANNEL)
    with pytest.raises(SensorError, match=r"cpu:machine: the estimate fell .* clock \(5\.0 s\)"):
        sensor.read_j(CHANNEL)


def test_times_that_are_no_number_are_a_fault() -> None:
    """NaN seconds are a `SensorError`, never a value."""
    times = FakeCpuTimes()
    sensor = opened(times, HandClock())
    times.user = float("nan")
    with pytest.raises(SensorError, match="went back"):
        sensor.read_j(CHANNEL)


def test_resolution_is_one_clock_tick_of_one_cpu() -> None:
    """CPU time comes in ticks of 10 ms (Linux): the channel's resolution is the joules of one."""
    channel = opened(FakeCpuTimes(), HandClock()).channels[0]
    assert channel.resolution_j == pytest.approx(0.01 * (1 - IDLE_SHARE) * 100.0 / 4)
    assert not channel.is_ticked


def test_a_server_s_virtual_machine_gets_its_share_of_the_tdp() -> None:
    """4 of the 128 threads of a 280 W processor have 8.75 W; the source names the table's row."""
    tdp = find_tdp("AMD EPYC 7763 64-Core Processor", 4, None)
    assert tdp.power_w == pytest.approx(280 * 4 / 128)
    assert tdp.source == "table (EPYC 7763: 280 W for 128 threads)"


def test_two_sockets_have_twice_the_tdp() -> None:
    """All threads of two sockets have the TDP of both."""
    assert find_tdp("Intel(R) Xeon(R) Platinum 8480+", 224, None).power_w == 700.0


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Xeon E5-2680 v4"),
        ("Intel(R) Core(TM) i9-9900K CPU @ 3.60GHz", "Core i9-9900K"),
        ("13th Gen Intel(R) Core(TM) i9-13900K", "Core i9-13900K"),
        ("AMD Ryzen 9 5950X 16-Core Processor", "Ryzen 9 5950X"),
        ("Intel(R) Xeon(R) Gold 6248R CPU @ 3.00GHz", "Xeon Gold 6248R"),
    ],
)
def test_names_are_found_as_the_kernel_writes_them(model: str, row: str) -> None:
    """Trademark signs, the word CPU and clock rates don't hide a model."""
    assert find_tdp(model, 1, None).source.startswith(f"table ({row}:")


@pytest.mark.parametrize(
    "model", ["AMD EPYC", "AMD EPYC 77631", "Intel(R) Core(TM) i9-9900KS", "unknown", ""]
)
def test_an_unknown_model_gets_the_named_default(model: str) -> None:
    """A model that isn't in the table, or only begins like one that is, gets a default that says so."""
    tdp = find_tdp(model, 2, None)
    assert tdp.power_w == 7.0
    assert tdp.source.startswith("generic default")


def test_an_override_wins_over_the_table() -> None:
    """The TDP that the user gives is for all CPUs together, and is named as theirs."""
    tdp = find_tdp("AMD EPYC 7763 64-Core Processor", 4, 15.0)
    assert (tdp.power_w, tdp.source) == (15.0, "override (energy_cpu_tdp_w)")


@pytest.mark.parametrize("cpu_tdp_w", [0.0, -5.0, float("nan"), float("inf")])
def test_an_override_that_is_no_power_is_refused(cpu_tdp_w: float) -> None:
    """A TDP of 0, less, or no number is a `SettingsError` with the value."""
    with pytest.raises(SettingsError, match=f"energy_cpu_tdp_w is {cpu_tdp_w}"):
        find_tdp("any", 1, cpu_tdp_w)


def test_the_table_holds_each_model_once_with_plausible_watts() -> None:
    """Names are unique, and each thread has between 1 and 16 W."""
    names = [name for name, _power_w, _threads in _TDP_TABLE]
    assert len(set(names)) == len(names)
    for name, power_w, threads in _TDP_TABLE:
        assert 1.0 < power_w / threads < 16.0, name


def test_facts_say_what_was_assumed(tmp_path: Path) -> None:
    """CPU model, TDP, its source and the idle share are fixed facts: other assumptions aren't comparable."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: AMD EPYC 7763 64-Core Processor \nflags\t: fpu\n")
    sensor = EstimateSensor(cpuinfo=cpuinfo, cpu_count=4, cpu_times=FakeCpuTimes())
    assert sensor.facts().fixed == {
        "cpu_tdp_model": "AMD EPYC 7763 64-Core Processor",
        "cpu_tdp_w": "8.75",
        "cpu_tdp_source": "table (EPYC 7763: 280 W for 128 threads)",
        "cpu_idle_share": "0.211",
        "cpu_count": "4",
    }


@pytest.mark.parametrize("text", ["", "model name\t:\nflags\t: fpu\n", "Hardware\t: BCM2711\n"])
def test_a_cpu_without_name_is_unknown(tmp_path: Path, text: str) -> None:
    """A kernel that doesn't name the CPU leaves it `unknown`."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    assert read_cpu_model(cpuinfo) == "unknown"


def test_a_machine_without_cpu_count_is_no_sensor() -> None:
    """Without a number of CPUs there is no share of a TDP."""
    with pytest.raises(SensorUnavailable, match="how many CPUs"):
        EstimateSensor(cpu_count=0)


def test_this_machine_is_estimated() -> None:
    """By default the machine's own CPUs and times are taken, and reads don't fall."""
    sensor = EstimateSensor()
    first_j = sensor.read_j(CHANNEL)
    assert 0 <= first_j <= sensor.read_j(CHANNEL)


def test_its_power_tells_the_joules_of_any_window() -> None:
    """What the sensor counts by is a value of its own: idle power for the time, more for what was busy."""
    power = EstimateSensor(cpu_tdp_w=100.0, cpu_count=4, cpu_times=FakeCpuTimes()).power
    assert power.energy_j(10.0, 0.0) == pytest.approx(10.0 * 100.0 * IDLE_SHARE)
    assert power.energy_j(10.0, 40.0) == pytest.approx(1000.0)
