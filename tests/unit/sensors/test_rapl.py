"""RAPL through powercap: which zones count, how counters unwrap, and why it may be absent."""

from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.model import Domain
from pytest_energy.sensors.rapl import RaplSensor
from tests.fakes.hand_clock import HandClock
from tests.fakes.powercap import AMD_RANGE_UJ, DRAM_RANGE_UJ, INTEL_RANGE_UJ, FakePowercap

PACKAGE = "cpu:package-0"


@pytest.fixture
def tree(tmp_path: Path) -> FakePowercap:
    return FakePowercap(tmp_path)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


def opened(tree: FakePowercap, clock: HandClock) -> RaplSensor:
    return RaplSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)


def why_absent(tree: FakePowercap) -> str:
    with pytest.raises(SensorUnavailable) as caught:
        opened(tree, HandClock())
    assert caught.value.sensor == "rapl"
    return caught.value.because


def names(sensor: RaplSensor) -> list[str]:
    return [channel.name for channel in sensor.channels]


def test_packages_and_dram_count_and_nothing_else(tree: FakePowercap, clock: HandClock) -> None:
    """`core` and `uncore` are in the package, `psys` is around it, mmio repeats it: none of them counts."""
    tree.add("intel-rapl:0", "package-0", energy_uj=10)
    tree.add("intel-rapl:0:0", "core", energy_uj=20)
    tree.add("intel-rapl:0:1", "uncore", energy_uj=30)
    tree.add("intel-rapl:0:2", "dram", energy_uj=40_000_000, range_uj=DRAM_RANGE_UJ)
    tree.add("intel-rapl:1", "psys", energy_uj=50_000_000)
    tree.add("intel-rapl-mmio:0", "package-0", energy_uj=60_000_000)
    tree.add("intel-rapl-mmio:1", "package-1", energy_uj=70_000_000)
    sensor = opened(tree, clock)
    assert [(c.name, c.domain, c.device) for c in sensor.channels] == [
        ("cpu:package-0", Domain.CPU, "package-0"),
        ("dram:package-0", Domain.DRAM, "package-0"),
    ]
    assert not any(channel.is_ticked for channel in sensor.channels)
    assert sensor.facts().fixed == {"rapl_channels": "cpu:package-0, dram:package-0"}


def test_every_socket_counts(tree: FakePowercap, clock: HandClock) -> None:
    """Each socket counts; memory belongs to the package it is under, whatever the order of names."""
    for socket in (0, 1, 10):
        tree.add(f"intel-rapl:{socket}", f"package-{socket}", energy_uj=10_000_000_000 * (socket + 1))
        tree.add(f"intel-rapl:{socket}:0", "dram", energy_uj=1_000_000_000 * (socket + 1))
    assert names(opened(tree, clock)) == [
        f"{domain}:package-{socket}" for socket in (0, 1, 10) for domain in ("cpu", "dram")
    ]


def test_dram_without_a_package_above_it_doesnt_count(tree: FakePowercap, clock: HandClock) -> None:
    """Memory is counted under its package only."""
    tree.add("intel-rapl:0", "package-0")
    tree.add("intel-rapl:1", "psys", energy_uj=70_000_000)
    tree.add("intel-rapl:1:0", "dram", energy_uj=90_000_000)
    assert names(opened(tree, clock)) == [PACKAGE]


def test_mirrored_dies_count_once(tree: FakePowercap, clock: HandClock) -> None:
    """Dies that show one counter are one channel, and the facts say which was dropped."""
    tree.add("intel-rapl:0", "package-0-die-0", energy_uj=68_000_000)
    tree.add("intel-rapl:1", "package-0-die-1", mirrors="intel-rapl:0")
    sensor = opened(tree, clock)
    assert names(sensor) == ["cpu:package-0-die-0"]
    assert sensor.facts().shown["rapl_mirrors"] == (
        "intel-rapl:1 (cpu:package-0-die-1) repeats cpu:package-0-die-0"
    )
    assert not sensor.left_out


def test_mirrors_are_told_across_a_wrap(tree: FakePowercap, clock: HandClock) -> None:
    """Two dies of one counter stay one where the counter wraps while they are compared."""
    tree.add("intel-rapl:0", "package-0-die-0", energy_uj=INTEL_RANGE_UJ - 7500)
    tree.add("intel-rapl:1", "package-0-die-1", mirrors="intel-rapl:0")
    assert names(opened(tree, clock)) == ["cpu:package-0-die-0"]


def test_dies_with_counters_of_their_own_all_count(tree: FakePowercap, clock: HandClock) -> None:
    """Dies whose counters differ are different joules."""
    tree.add("intel-rapl:0", "package-0-die-0", energy_uj=68_000_000)
    tree.add("intel-rapl:1", "package-0-die-1", energy_uj=67_000_000)
    assert names(opened(tree, clock)) == ["cpu:package-0-die-0", "cpu:package-0-die-1"]


def test_a_package_named_twice_counts_once(tree: FakePowercap, clock: HandClock) -> None:
    """Two zones of one name are one package."""
    tree.add("intel-rapl:0", "package-0", energy_uj=10_000_000)
    tree.add("intel-rapl:1", "package-0", energy_uj=90_000_000)
    assert names(opened(tree, clock)) == [PACKAGE]


def test_memory_is_no_mirror_of_its_package(tree: FakePowercap, clock: HandClock) -> None:
    """Counters of different domains are different joules, even at equal values."""
    tree.add("intel-rapl:0", "package-0")
    tree.add("intel-rapl:0:0", "dram", mirrors="intel-rapl:0")
    assert names(opened(tree, clock)) == [PACKAGE, "dram:package-0"]


def test_counting_begins_at_zero(tree: FakePowercap, clock: HandClock) -> None:
    """Joules are those since the sensor was opened, so that small differences stay exact."""
    counter = tree.add("intel-rapl:0", "package-0", energy_uj=200_000_000_000)
    sensor = opened(tree, clock)
    tree.stop_idling()
    assert sensor.read_j(PACKAGE) == 0.0
    clock.sleep_s(1.0)
    tree.use(counter, 61)
    assert sensor.read_j(PACKAGE) == pytest.approx(61e-6)


def test_a_wrap_is_the_joules_that_were_used(tree: FakePowercap, clock: HandClock) -> None:
    """A window of 10 J over a wrap is 10 J, not minus 262 kJ."""
    counter = tree.add("intel-rapl:0", "package-0", energy_uj=INTEL_RANGE_UJ - 4_000_000)
    sensor = opened(tree, clock)
    tree.stop_idling()
    before_j = sensor.read_j(PACKAGE)
    clock.sleep_s(0.1)
    tree.use(counter, 10_000_000)
    assert int(counter.read_text()) < 10_000_000
    assert sensor.read_j(PACKAGE) - before_j == pytest.approx(10.0)


@given(steps_uj=st.lists(st.integers(0, 60_000_000_000), min_size=1, max_size=30))
def test_unwrapping_recovers_what_was_used(
    steps_uj: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Read every 30 s, any use of up to 2 kW comes back exactly, over any number of wraps."""
    tree, clock = FakePowercap(tmp_path_factory.mktemp("law")), HandClock()
    counter = tree.add("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ)
    sensor = opened(tree, clock)
    tree.stop_idling()
    start_j = sensor.read_j(PACKAGE)
    for used_uj, step_uj in zip(accumulate(steps_uj), steps_uj, strict=True):
        clock.sleep_s(30.0)
        tree.use(counter, step_uj)
        assert sensor.read_j(PACKAGE) - start_j == pytest.approx(used_uj * 1e-6, rel=1e-12, abs=1e-9)


@pytest.mark.parametrize("after_uj", [0, 50_000_000_000])
def test_a_reset_is_no_wrap(tree: FakePowercap, clock: HandClock, after_uj: int) -> None:
    """A counter that went back by a suspend or a reload would have used more than any CPU can: a fault."""
    counter = tree.add("intel-rapl:0", "package-0", energy_uj=100_000_000_000)
    sensor = opened(tree, clock)
    tree.stop_idling()
    clock.sleep_s(1.0)
    tree.set(counter, after_uj)
    with pytest.raises(SensorError, match=rf"{PACKAGE}: .*energy_uj changed from \d+ to {after_uj} uJ"):
        sensor.read_j(PACKAGE)


def test_a_jump_is_a_fault(tree: FakePowercap, clock: HandClock) -> None:
    """A counter that leaps ahead by more than any CPU can use is a fault, not energy."""
    counter = tree.add("intel-rapl:0", "package-0", energy_uj=1_000)
    sensor = opened(tree, clock)
    tree.stop_idling()
    clock.sleep_s(1.0)
    tree.use(counter, 3_000_000_000)
    with pytest.raises(SensorError, match="neither use nor a wrap"):
        sensor.read_j(PACKAGE)


def test_counting_goes_on_after_a_fault(tree: FakePowercap, clock: HandClock) -> None:
    """Only the window that the fault is in is lost: reads go on from the new value, without the leap."""
    counter = tree.add("intel-rapl:0", "package-0", energy_uj=100_000_000_000)
    sensor = opened(tree, clock)
    tree.stop_idling()
    before_j = sensor.read_j(PACKAGE)
    clock.sleep_s(1.0)
    tree.set(counter, 0)
    with pytest.raises(SensorError):
        sensor.read_j(PACKAGE)
    clock.sleep_s(1.0)
    tree.use(counter, 20_000_000)
    assert sensor.read_j(PACKAGE) - before_j == pytest.approx(20.0)


@pytest.mark.parametrize("range_uj", [AMD_RANGE_UJ, DRAM_RANGE_UJ, INTEL_RANGE_UJ])
def test_a_read_that_comes_too_late_is_a_fault(tree: FakePowercap, clock: HandClock, range_uj: int) -> None:
    """After a gap in which 2 kW would fill the counter, wraps can't be counted: no joules, not too few."""
    counter = tree.add("intel-rapl:0", "package-0", range_uj=range_uj)
    sensor = opened(tree, clock)
    tree.stop_idling()
    before_j = sensor.read_j(PACKAGE)
    clock.sleep_s(range_uj * 1e-6 / 2000.0)
    tree.use(counter, range_uj + 5_000_000)
    with pytest.raises(SensorError, match=r"wasn't read for \d+\.\d s, so it may have wrapped unseen"):
        sensor.read_j(PACKAGE)
    clock.sleep_s(1.0)
    tree.use(counter, 3_000_000)
    assert sensor.read_j(PACKAGE) - before_j == pytest.approx(3.0)


def test_a_first_read_may_come_late(tree: FakePowercap, clock: HandClock) -> None:
    """A sensor that was opened long before the first energy test begins to count at its first read."""
    counter = tree.add("intel-rapl:0", "package-0", range_uj=AMD_RANGE_UJ)
    sensor = opened(tree, clock)
    tree.stop_idling()
    clock.sleep_s(600.0)
    tree.use(counter, 20_000_000_000)
    assert sensor.read_j(PACKAGE) == 0.0
    clock.sleep_s(1.0)
    tree.use(counter, 3_000_000)
    assert sensor.read_j(PACKAGE) == pytest.approx(3.0)


def test_amd_shows_packages_only(tree: FakePowercap, clock: HandClock) -> None:
    """AMD's tree is Intel's with packages and their cores: the packages count."""
    for socket in (0, 1):
        tree.add(
            f"intel-rapl:{socket}", f"package-{socket}", energy_uj=10**9 * (socket + 1), range_uj=AMD_RANGE_UJ
        )
        tree.add(f"intel-rapl:{socket}:0", "core", energy_uj=7 * 10**9, range_uj=AMD_RANGE_UJ)
    assert names(opened(tree, clock)) == ["cpu:package-0", "cpu:package-1"]


def test_a_counter_that_cant_be_read_is_named(tree: FakePowercap, clock: HandClock) -> None:
    """A read that fails names the channel, the file and the system's reason."""
    counter = tree.add("intel-rapl:0", "package-0")
    sensor = opened(tree, clock)
    tree.failures[counter] = OSError(61, "No data available")
    with pytest.raises(SensorError, match=r"cpu:package-0: .*energy_uj can't be read: No data available"):
        sensor.read_j(PACKAGE)


def test_a_counter_that_holds_no_number_is_named(tree: FakePowercap, clock: HandClock) -> None:
    """Text that is no number is shown as it was seen."""
    counter = tree.add("intel-rapl:0", "package-0")
    sensor = opened(tree, clock)
    tree.stop_idling()
    counter.write_text("busy\n")
    with pytest.raises(SensorError, match=r"holds 'busy\\n', not a count of microjoules"):
        sensor.read_j(PACKAGE)


def test_no_powercap_says_where_that_is_usual(tmp_path: Path) -> None:
    """Without the folder the reason names it, and where it is missing as a rule."""
    with pytest.raises(SensorUnavailable, match="virtual machines, containers and hosted CI") as caught:
        RaplSensor(root=tmp_path / "powercap")
    assert str(tmp_path / "powercap") in caught.value.because


def test_no_zones_says_what_is_there(tree: FakePowercap) -> None:
    """A folder without zones, as Docker leaves it, is told with the cure."""
    assert "no readable zone" in why_absent(tree)
    assert "systempaths=unconfined" in why_absent(tree)


def test_a_masked_zone_is_no_zone(tree: FakePowercap) -> None:
    """An empty folder, as a container's mask leaves it, is no package."""
    (tree.root / "intel-rapl:0").mkdir()
    assert "no readable zone" in why_absent(tree)


def test_psys_alone_is_no_package(tree: FakePowercap) -> None:
    """Zones that don't count are named in the reason."""
    tree.add("intel-rapl:0", "psys")
    assert "intel-rapl:0 (psys), but no CPU package" in why_absent(tree)


def test_no_permission_names_file_mode_and_commands(tree: FakePowercap) -> None:
    """The reason holds the file, its mode, and the commands: chmod, udev rule, group."""
    counter = tree.add("intel-rapl:0", "package-0")
    tree.failures[counter] = PermissionError(13, "Permission denied")
    because = why_absent(tree)
    assert f"{counter} has mode 0400" in because
    assert f"sudo chmod a+r {tree.root}/intel-rapl:*/energy_uj" in because
    assert 'SUBSYSTEM=="powercap"' in because
    assert "usermod -aG" in because


def test_no_permission_for_memory_alone_is_no_half_sensor(tree: FakePowercap) -> None:
    """Where one zone that counts can't be read, none is: half of the joules is no measurement."""
    tree.add("intel-rapl:0", "package-0")
    counter = tree.add("intel-rapl:0:0", "dram")
    tree.failures[counter] = PermissionError(13, "Permission denied")
    assert str(counter) in why_absent(tree)


def test_no_permission_for_a_file_that_is_gone_has_no_mode(tree: FakePowercap) -> None:
    """A mode that can't be asked for is `unknown`."""
    counter = tree.add("intel-rapl:0", "package-0")
    tree.failures[counter] = PermissionError(13, "Permission denied")
    counter.unlink()
    assert "has mode unknown" in why_absent(tree)


def test_a_zone_that_fails_otherwise_is_told(tree: FakePowercap) -> None:
    """Any other failure of a zone that counts is the reason."""
    counter = tree.add("intel-rapl:0", "package-0")
    tree.failures[counter] = OSError(5, "Input/output error")
    assert why_absent(tree) == f"{counter} can't be read: Input/output error"


def test_a_zone_without_range_is_refused(tree: FakePowercap) -> None:
    """Without its range a counter's wraps can't be told."""
    tree.add("intel-rapl:0", "package-0", idle_uj=0)
    (tree.root / "intel-rapl:0" / "max_energy_range_uj").write_text("0\n")
    assert "holds 0: wraps can't be detected" in why_absent(tree)


def test_a_package_that_stands_still_is_absent(tree: FakePowercap) -> None:
    """A counter that doesn't move for a second is no sensor, not a CPU of 0 W."""
    counter = tree.add("intel-rapl:0", "package-0", idle_uj=0)
    assert why_absent(tree) == f"{counter} did not move for 1 s: it measures nothing"


def test_memory_that_stands_still_is_left_out(tree: FakePowercap, clock: HandClock) -> None:
    """Where only the memory's counter is dead, the packages count and the facts name what is missing."""
    tree.add("intel-rapl:0", "package-0")
    tree.add("intel-rapl:0:0", "dram", energy_uj=0, idle_uj=0)
    sensor = opened(tree, clock)
    assert names(sensor) == [PACKAGE]
    assert list(sensor.left_out) == ["dram:package-0"]
    assert "did not move" in sensor.facts().shown["rapl_left_out"]


def test_moving_counters_cost_no_wait(tree: FakePowercap, clock: HandClock) -> None:
    """Counters that move are accepted at the first look, in milliseconds."""
    tree.add("intel-rapl:0", "package-0")
    before_s = clock.now_s()
    opened(tree, clock)
    assert clock.now_s() - before_s < 0.01


@pytest.mark.parametrize(
    ("update_s", "is_ticked"), [(0.001, False), (0.004, False), (0.01, True), (0.1, True)]
)
def test_a_counter_that_is_updated_rarely_ticks(
    tree: FakePowercap, clock: HandClock, update_s: float, *, is_ticked: bool
) -> None:
    """At an edge it would be up to a whole gap old: windows are aligned to its updates instead."""
    counter = tree.add("intel-rapl:0", "package-0", idle_uj=0)

    def read_text(path: Path) -> str:
        if path != counter:
            return tree.read_text(path)
        return str(1000 + 20_000 * int(clock.now_s() / update_s))

    sensor = RaplSensor(root=tree.root, read_text=read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)
    assert [channel.is_ticked for channel in sensor.channels] == [is_ticked]
    assert clock.now_s() < 1000.7


def test_a_counter_that_fails_while_it_is_watched_is_told(tree: FakePowercap) -> None:
    """A failure between finding a zone and using it makes the sensor absent, not a traceback."""
    counter = tree.add("intel-rapl:0", "package-0")
    clock = HandClock()

    def fail_then(_duration_s: float) -> None:
        tree.failures[counter] = OSError(19, "No such device")

    with pytest.raises(SensorUnavailable, match="No such device"):
        RaplSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=fail_then)


@pytest.mark.hardware
def test_a_real_package_counts() -> None:
    """On a machine with RAPL, reads don't fall."""
    try:
        sensor = RaplSensor()
    except SensorUnavailable as error:
        pytest.skip(str(error))
    channel = sensor.channels[0].name
    assert sensor.read_j(channel) <= sensor.read_j(channel)
