"""Rails and counters of made hwmon trees: exact joules or a fault, each joule once."""

from pathlib import Path

import pytest

from pytest_energy.errors import SensorError, SensorUnavailable
from pytest_energy.sensors.hwmon import HwmonSensor
from tests.fakes.hand_clock import HandClock
from tests.fakes.hwmon_tree import FakeHwmon


class Board:
    """A tree, a clock, and the sensor over them."""

    def __init__(self, folder: Path) -> None:
        self.tree, self.clock = FakeHwmon(folder), HandClock()
        self.clock.sleep_s(0.005)  # off the steps

    def open(self) -> HwmonSensor:
        tree, clock = self.tree, self.clock
        return HwmonSensor(root=tree.root, read_text=tree.read_text, now_s=clock.now_s, sleep_s=clock.sleep_s)

    def used_j(self, sensor: HwmonSensor, channel: str, duration_s: float) -> float:
        """Joules of *channel* in so many seconds, read as often as the sampler does."""
        before_j = sensor.read_j(channel)
        for _ in range(round(duration_s / 0.05)):
            self.clock.sleep_s(0.05)
            sensor.read_j(channel)
        return sensor.read_j(channel) - before_j


def about(energy_j: float) -> object:
    """Joules as steps of 200 ms show them: what was used in the 5 ms before the first one is not in them."""
    return pytest.approx(energy_j, rel=0.005 / 2.0 + 1e-6)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def names(sensor: HwmonSensor) -> list[str]:
    return [channel.name for channel in sensor.channels]


class TestJetson:
    def test_a_total_counts_and_its_parts_do_not(self, board: Board) -> None:
        """Orin NX, Orin Nano, Xavier NX: VDD_IN is the whole module."""
        board.tree.add_ina3221(("VDD_IN", 5000, 1600), ("VDD_CPU_GPU_CV", 5000, 600), ("VDD_SOC", 5000, 300))
        sensor = board.open()
        assert names(sensor) == ["cpu:VDD_IN"]
        assert sensor.left_out == {
            "hwmon0 VDD_CPU_GPU_CV": "it is inside VDD_IN",
            "hwmon0 VDD_SOC": "it is inside VDD_IN",
        }
        assert board.used_j(sensor, "cpu:VDD_IN", 10.0) == about(80.0)  # 5 V x 1.6 A x 10 s

    def test_rails_beside_each_other_all_count(self, board: Board) -> None:
        """AGX Xavier: six rails of two monitors, none inside another."""
        board.tree.add_ina3221(("GPU", 19000, 100), ("CPU", 19000, 50), ("SOC", 19000, 80))
        board.tree.add_ina3221(("CV", 19000, 0), ("VDDRQ", 19000, 20), ("SYS5V", 5000, 400))
        sensor = board.open()
        assert names(sensor) == ["gpu:GPU", "cpu:CPU", "cpu:SOC", "cpu:CV", "dram:VDDRQ", "cpu:SYS5V"]
        assert board.used_j(sensor, "gpu:GPU", 2.0) == about(3.8)
        assert board.used_j(sensor, "cpu:CV", 2.0) == pytest.approx(0.0, abs=1e-7)

    def test_a_rail_that_may_be_inside_another_is_left_out(self, board: Board) -> None:
        """AGX Orin: memory is perhaps fed by the 5 V that are measured; unconnected inputs are nothing."""
        board.tree.add_ina3221(
            ("VDD_GPU_SOC", 19000, 300), ("VDD_CPU_CV", 19000, 100), ("VIN_SYS_5V0", 4968, 900)
        )
        board.tree.add_ina3221(("NC", 0, 0), ("VDDQ_VDD2_1V8AO", 4968, 80), ("NC", 0, 0))
        sensor = board.open()
        assert names(sensor) == ["gpu:VDD_GPU_SOC", "cpu:VDD_CPU_CV", "cpu:VIN_SYS_5V0"]
        assert list(sensor.left_out) == ["hwmon1 VDDQ_VDD2_1V8AO"]

    def test_an_unknown_rail_is_left_out(self, board: Board) -> None:
        """Nobody knows what it is inside of."""
        board.tree.add_ina3221(("VDD_IN", 5000, 1600))
        board.tree.add_ina3221(("MYSTERY", 12000, 100))
        board.tree.add("nvme", temp1_input=30000)
        assert names(board.open()) == ["cpu:VDD_IN"]

    def test_power_changes_with_its_files(self, board: Board) -> None:
        """Joules follow the power that is shown."""
        chip = board.tree.add_ina3221(("VDD_IN", 5000, 1000))
        sensor = board.open()
        quiet_j = board.used_j(sensor, "cpu:VDD_IN", 2.0)
        (chip / "curr1_input").write_text("3000\n")
        assert quiet_j == about(10.0)
        assert board.used_j(sensor, "cpu:VDD_IN", 2.0) == about(30.0)

    def test_its_own_interval_decides_how_well_joules_are_known(self, board: Board) -> None:
        """A slow chip's power is older; a mean over a second is no power of a moment."""
        board.tree.add_ina3221(("VDD_IN", 5000, 1000), update_interval=20)
        (channel,) = board.open().channels
        assert (channel.is_ticked, channel.sampled_s) == (True, 0.05)
        assert channel.resolution_j == pytest.approx(60.0 * 0.02)

    def test_noise_below_zero_is_none_and_a_wild_value_is_a_fault(self, board: Board) -> None:
        """A rail without load shows some milliamperes less than 0; 300 W of a module are no reading."""
        chip = board.tree.add_ina3221(("VDD_IN", 5000, -8))
        sensor = board.open()
        assert board.used_j(sensor, "cpu:VDD_IN", 1.0) == 0.0
        (chip / "curr1_input").write_text("60000\n")
        board.clock.sleep_s(0.05)
        with pytest.raises(SensorError, match=r"cpu:VDD_IN: .*give 300 W"):
            sensor.read_j("cpu:VDD_IN")

    def test_a_file_that_vanishes_is_a_fault(self, board: Board) -> None:
        """A driver that goes away during a run gives no joules."""
        chip = board.tree.add_ina3221(("VDD_IN", 5000, 1000))
        sensor = board.open()
        sensor.read_j("cpu:VDD_IN")
        board.clock.sleep_s(0.05)
        (chip / "curr1_input").unlink()
        with pytest.raises(SensorError, match=r"cpu:VDD_IN: .*curr1_input can't be read: No such file"):
            sensor.read_j("cpu:VDD_IN")


class TestGrace:
    def test_the_socket_counts_and_its_parts_do_not(self, board: Board) -> None:
        """The socket holds CPU, I/O and memory; the module holds a GPU, which NVML reads."""
        for info, power_w in (
            ("Module Power Socket 0", 400.0),
            ("Grace Power Socket 0", 100.0),
            ("CPU Power Socket 0", 40.0),
            ("SysIO Power Socket 0", 15.0),
            ("Grace Power Socket 1", 90.0),
        ):
            board.tree.add_meter(info, power_w)
        sensor = board.open()
        assert names(sensor) == ["cpu:grace-0", "cpu:grace-1"]
        assert len(sensor.left_out) == 3
        assert board.used_j(sensor, "cpu:grace-0", 3.0) == about(300.0)

    def test_parts_count_where_there_is_no_total(self, board: Board) -> None:
        """CPU and I/O of a socket are beside each other."""
        board.tree.add_meter("CPU Power Socket 0", 40.0)
        board.tree.add_meter("SysIO Power Socket 0", 15.0)
        assert names(board.open()) == ["cpu:cpu-0", "cpu:sysio-0"]

    def test_a_mean_over_a_second_does_not_count(self, board: Board) -> None:
        """It puts the joules of one test into the next."""
        board.tree.add_meter("Grace Power Socket 0", 100.0, interval_ms=1000)
        with pytest.raises(SensorUnavailable, match="a mean over 1000 ms"):
            board.open()

    def test_a_mean_whose_time_is_unknown_does_not_count(self, board: Board) -> None:
        """The firmware doesn't say: the kernel writes 0 then."""
        for number, interval in enumerate((0, "", "unknown")):
            folder = board.tree.add_meter(f"Grace Power Socket {number}", 100.0)
            (folder / "power1_average_interval").write_text(f"{interval}\n")
        (board.tree.add_meter("Grace Power Socket 3", 100.0) / "power1_average_interval").unlink()
        with pytest.raises(SensorUnavailable) as caught:
            board.open()
        assert str(caught.value).count("a mean over an unknown time") == 4

    def test_the_command_for_a_shorter_mean_is_shown(self, board: Board) -> None:
        """Where the meter has one."""
        folder = board.tree.add_meter("Grace Power Socket 0", 100.0, interval_ms=1000)
        (folder / "power1_average_interval_min").write_text("50\n")
        with pytest.raises(SensorUnavailable, match=r"echo 50 \| sudo tee .*/power1_average_interval"):
            board.open()

    def test_its_name_may_be_in_the_folder_of_the_chip(self, board: Board) -> None:
        """As of drivers that register all of their files there."""
        files = {"power1_oem_info": "grace power socket 0", "power1_average": 100_000_000}
        board.tree.add("power_meter", **files, power1_average_interval=50)
        assert board.used_j(board.open(), "cpu:grace-0", 3.0) == about(300.0)

    def test_a_meter_of_the_whole_machine_does_not_count(self, board: Board) -> None:
        """Its joules are those of the GPUs, too."""
        board.tree.add_meter("", 600.0)
        with pytest.raises(SensorUnavailable, match="whole machine, its GPUs included"):
            board.open()


class TestCounters:
    def test_the_card_counts_and_its_package_does_not(self, board: Board) -> None:
        """Intel Xe: energy1 is the card, energy2 its package."""
        chip = board.tree.add(
            "xe",
            energy1_input=5_000_000,
            energy1_label="card",
            energy2_input=4_000_000,
            energy2_label="pkg",
        )
        board.tree.idle(chip / "energy1_input", 10)
        sensor = board.open()
        board.tree.idle(chip / "energy1_input", 0)
        (channel,) = sensor.channels
        assert (channel.name, channel.is_ticked, channel.sampled_s) == ("gpu:xe-0", False, None)
        before_j = sensor.read_j("gpu:xe-0")
        (chip / "energy1_input").write_text(f"{round((before_j + 12.5) * 1e6)}\n")
        assert sensor.read_j("gpu:xe-0") - before_j == pytest.approx(12.5)

    def test_a_counter_that_falls_is_a_fault(self, board: Board) -> None:
        """A wrap of an unknown range is no joules."""
        chip = board.tree.add("i915", energy1_input=5_000_000)
        board.tree.idle(chip / "energy1_input", 10)
        sensor = board.open()
        sensor.read_j("gpu:i915-0")
        (chip / "energy1_input").write_text("17\n")
        with pytest.raises(SensorError, match=r"gpu:i915-0: .* fell from 5"):
            sensor.read_j("gpu:i915-0")

    def test_sockets_count_and_cores_do_not(self, board: Board) -> None:
        """AMD's old driver shows both; the channel has RAPL's name for it, so that one of the two counts."""
        chip = board.tree.add(
            "amd_energy",
            energy1_input=1000,
            energy1_label="Ecore000",
            energy2_input=9000,
            energy2_label="Esocket0",
        )
        board.tree.idle(chip / "energy2_input", 10)
        assert names(board.open()) == ["cpu:package-0"]

    def test_a_counter_that_is_set_makes_one_window_void(self, board: Board) -> None:
        """It falls, it leaps, or it shows -1: a fault each time. What it gains afterwards counts."""
        chip = board.tree.add("xe", energy1_input=5_000_000, energy1_label="card")
        counter = chip / "energy1_input"
        board.tree.idle(counter, 10)
        sensor = board.open()
        board.tree.idle(counter, 0)
        before_j = sensor.read_j("gpu:xe-0")
        for energy_uj, fault in (("17", "fell"), (str(10**15), "rose"), ("-1", "can't be below 0")):
            counter.write_text(f"{energy_uj}\n")
            with pytest.raises(SensorError, match=fault):
                sensor.read_j("gpu:xe-0")
        counter.write_text(f"{10**15 + 2_500_000}\n")
        assert sensor.read_j("gpu:xe-0") - before_j == pytest.approx(2.5)

    def test_a_package_counts_where_there_is_no_counter_of_the_card(self, board: Board) -> None:
        """Arc A cards under xe: another name, as it isn't compared with a card's joules."""
        chip = board.tree.add("xe", energy2_input=5_000_000, energy2_label="pkg")
        board.tree.idle(chip / "energy2_input", 10)
        assert names(board.open()) == ["gpu:xe-0-pkg"]

    def test_cards_are_numbered_by_their_place_in_the_machine(self, board: Board, tmp_path: Path) -> None:
        """The kernel numbers chips as their drivers are loaded, another way at each boot."""
        for number, (slot, energy_uj) in enumerate({"0000:8a:00.0": 1, "0000:03:00.0": 2}.items()):
            chip = tmp_path / "devices" / slot / "hwmon" / f"hwmon{number}"
            chip.mkdir(parents=True)
            (chip / "name").write_text("xe\n")
            (chip / "energy1_input").write_text(f"{energy_uj}000000\n")
            board.tree.idle(chip / "energy1_input", 10)
            (board.tree.root / chip.name).symlink_to(chip)
        (board.tree.root / "hwmon9").symlink_to(chip)  # a second name of the last one
        sensor = board.open()
        assert names(sensor) == ["gpu:xe-0", "gpu:xe-1"]
        assert sensor.read_j("gpu:xe-0") == pytest.approx(2.0, abs=0.1)
        (board.tree.root / "hwmon1").unlink()  # it is removed, and another chip has its number
        (board.tree.root / "hwmon1").symlink_to(tmp_path / "devices/0000:8a:00.0/hwmon/hwmon0")
        chip.rename(tmp_path / "gone")
        with pytest.raises(SensorError, match=r"gpu:xe-0: .* can't be read: No such file"):
            sensor.read_j("gpu:xe-0")

    def test_a_socket_with_several_nodes_counts_once(self, board: Board) -> None:
        """In some settings of the firmware each node of a socket has a counter, with the socket's joules."""
        socket = board.tree.add("amd_energy", energy1_input=7_000_000, energy1_label="Esocket0")
        for number in (2, 3, 4):
            (socket / f"energy{number}_input").symlink_to(socket / "energy1_input")
            (socket / f"energy{number}_label").write_text(f"Esocket{number - 1}\n")
        (socket / "energy5_input").write_text("9000000\n")
        (socket / "energy5_label").write_text("Esocket4\n")
        for file in ("energy1_input", "energy5_input"):
            board.tree.idle(socket / file, 10)
        reads = board.tree.read_text
        board.tree.read_text = lambda path: reads(path.resolve())  # type: ignore[method-assign]
        sensor = board.open()
        assert names(sensor) == ["cpu:package-0", "cpu:package-4"]
        assert set(sensor.left_out.values()) == {"it repeats cpu:package-0"}

    def test_many_counters_with_one_reason_have_one_line(self, board: Board) -> None:
        """A server has a hundred cores."""
        labels = [*(f"Ecore{number:03}" for number in range(128)), "Esocket0"]
        files: dict[str, object] = {}
        for number, label in enumerate(labels, 1):
            files |= {f"energy{number}_input": 1000 * number, f"energy{number}_label": label}
        chip = board.tree.add("amd_energy", **files)
        board.tree.idle(chip / "energy129_input", 10)
        assert board.open().left_out == {"hwmon0 Ecore000 and 127 more": "it is inside its socket"}

    def test_a_counter_that_stands_still_is_absent(self, board: Board) -> None:
        """It measures nothing."""
        board.tree.add("xe", energy1_input=5_000_000, energy1_label="card")
        with pytest.raises(SensorUnavailable, match=r"did not move for 1 s"):
            board.open()


class TestAmdGpu:
    def test_power_of_the_moment_is_integrated(self, board: Board) -> None:
        """Known to within twice its limit over one update, under the number by which amdsmi knows it."""
        board.tree.add_amdgpu(power1_input=100_000_000, power1_average=90_000_000, power1_cap=300_000_000)
        sensor = board.open()
        (channel,) = sensor.channels
        assert (channel.name, channel.device) == ("gpu:amdgpu-0", "GPU-a1b2c3d4e5f60001")
        assert channel.resolution_j == pytest.approx(2 * 300 * 0.1)
        assert board.used_j(sensor, "gpu:amdgpu-0", 2.0) == about(200.0)

    @pytest.mark.parametrize(
        ("files", "reason"),
        [
            ({"power1_input": 9_000_000, "in1_label": "vddnb"}, "includes the CPU, which rapl reads"),
            ({"power1_average": 9_000_000, "power1_cap": 300_000_000}, "a mean over an unknown time"),
            ({"power1_input": 9_000_000}, "its power limit can't be read"),
            ({"power1_input": 9_000_000, "power1_cap": 0}, "its power limit can't be read"),
            ({"power1_input": 9_000_000, "power1_cap": 300_000_000, "unique_id": ""}, "its unique_id"),
            ({"power1_input": 900_000_000, "power1_cap": 300_000_000}, "draws 0 to 600 W"),
        ],
    )
    def test_other_power_does_not_count(self, board: Board, files: dict[str, str], reason: str) -> None:
        """A processor's with its CPU, a mean, one without a bound or above it: each has its reason."""
        board.tree.add_amdgpu(**files)
        with pytest.raises(SensorUnavailable, match=reason):
            board.open()

    def test_one_of_several_cards_does_not_count(self, board: Board) -> None:
        """Which one a program uses isn't known; graphics inside a processor are no second card."""
        power = {"power1_input": 9_000_000, "power1_cap": 300_000_000}
        board.tree.add_amdgpu("01", **power)
        board.tree.add_amdgpu("02", in1_label="vddnb", **power)
        assert names(board.open()) == ["gpu:amdgpu-0"]
        board.tree.add_amdgpu("03", **power)
        with pytest.raises(SensorUnavailable, match="which of the cards a program uses is not known"):
            board.open()


def test_a_channel_that_another_sensor_reads_is_left_out(board: Board) -> None:
    """The others go on; asked for it, the sensor doesn't know it."""
    board.tree.add_ina3221(("GPU", 19000, 100), ("CPU", 19000, 50))
    sensor = board.open()
    sensor.leave_out("gpu:GPU", "nvml reads it")
    assert names(sensor) == ["cpu:CPU"]
    assert sensor.facts().shown == {"hwmon_left_out": "gpu:GPU: nvml reads it"}
    with pytest.raises(SensorError, match="not this channel"):
        sensor.read_j("gpu:GPU")


class TestNothing:
    def test_an_empty_tree_and_none_at_all(self, board: Board, tmp_path: Path) -> None:
        """Most machines have temperatures there, virtual ones nothing."""
        with pytest.raises(SensorUnavailable, match="no chip whose energy or power is known"):
            board.open()
        with pytest.raises(SensorUnavailable, match="no chip whose energy"):
            HwmonSensor(root=tmp_path / "none")

    @pytest.mark.parametrize(
        "text", ["", "abc", "1e9", "1_000", "nan", "N/A", "9" * 400, "\N{ARABIC-INDIC DIGIT ONE}"]
    )
    def test_a_damaged_file_is_left_out(self, board: Board, text: str) -> None:
        """What holds no number gives no joules, and the reason names the file."""
        board.tree.add_ina3221(("VDD_IN", 5000, 1000))
        (board.tree.root / "hwmon0" / "curr1_input").write_text(text)
        with pytest.raises(SensorUnavailable, match=r"curr1_input holds .*, not a number"):
            board.open()

    def test_a_file_that_may_not_be_read_is_left_out(self, board: Board) -> None:
        """The reason is the system's."""
        chip = board.tree.add("xe", energy1_input=5, energy1_label="card")
        board.tree.failures[chip / "energy1_input"] = PermissionError(13, "Permission denied")
        with pytest.raises(SensorUnavailable, match="Permission denied"):
            board.open()

    def test_hostile_names_are_not_read(self, board: Board) -> None:
        """A folder that is no chip counts nothing, and text that moves a cursor is not printed."""
        (board.tree.root / "hwmonX").mkdir()
        (board.tree.root / "hwmon7").write_text("no folder")
        (board.tree.root / "hwmon8").symlink_to(board.tree.root / "hwmon8")
        board.tree.add("../../etc", energy1_input=5, energy1_label="\x1b[2J")
        board.tree.add_ina3221(("VDD_IN", 5000, 1000))
        sensor = board.open()
        assert names(sensor) == ["cpu:VDD_IN"]
        ((place, because),) = sensor.left_out.items()
        assert "../../etc" in place
        assert (place + because).isprintable()

    def test_of_two_rails_with_one_label_none_counts(self, board: Board) -> None:
        """Which is the board's isn't known, and a sum of both could be each joule twice."""
        board.tree.add_ina3221(("GPU", 19000, 100), ("CPU", 19000, 50))
        board.tree.add_ina3221(("GPU", 19000, 100))
        sensor = board.open()
        assert names(sensor) == ["cpu:CPU"]
        assert set(sensor.left_out.values()) == {"2 rails are gpu:GPU, and which of them it is isn't known"}


@pytest.mark.parametrize(
    ("chip", "files", "shown"),
    [
        ("zenpower", {"power1_input": 9, "power1_label": "SVI2_P_Core"}, "SVI2_P_Core (power1_input)"),
        ("corsairpsu", {"power1_input": 9, "power1_label": "power total"}, "power total (power1_input)"),
        ("macsmc_hwmon", {"power1_input": 9, "power1_label": "Total System Power"}, "Total System Power"),
        ("ina226", {"in1_input": 9, "curr1_input": 9}, "curr1_input"),
        ("fam15h_power", {"power1_input": 9, "power1_average": 9}, "power1_average, power1_input"),
        ("i915_gt0", {"energy1_input": 9}, "energy1_input"),
        ("aem", {"energy1_input": 9, "power1_average": 9}, "energy1_input, power1_average"),
        ("", {"power1_input": 9}, "power1_input"),
    ],
)
def test_a_chip_that_is_not_known_has_a_reason(
    board: Board, chip: str, files: dict[str, object], shown: str
) -> None:
    """What it shows may be a part of what counts already, or the whole machine."""
    board.tree.add(chip, **files)
    with pytest.raises(SensorUnavailable, match=f"hwmon0 {chip or 'without a name'}: it shows .*") as caught:
        board.open()
    assert shown in str(caught.value)
    assert "doesn't know what that is a part of" in str(caught.value)


def test_negative_power_and_voltage_are_no_reading(board: Board) -> None:
    """A driver writes -1 for what it doesn't know, and that isn't 0 W."""
    board.tree.add_ina3221(("VDD_IN", -1, -1))
    (board.tree.add_meter("Grace Power Socket 0", 100.0) / "power1_average").write_text("-1\n")
    with pytest.raises(
        SensorUnavailable, match=r"in1_input holds -1, .*power1_average holds -1, and it can't"
    ):
        board.open()


def test_facts_name_what_counts_and_what_does_not(board: Board) -> None:
    """Two runs are compared only if the same rails count."""
    board.tree.add_ina3221(("VDD_IN", 5000, 1600), ("VDD_SOC", 5000, 300))
    facts = board.open().facts()
    assert facts.fixed == {"hwmon_channels": "cpu:VDD_IN"}
    assert facts.shown == {"hwmon_left_out": "hwmon0 VDD_SOC: it is inside VDD_IN"}
