"""The error of estimates by kind of machine, from tables."""

from pathlib import Path

import pytest

from benchmarks.meter.estimate_classes import RaplMachine, factor_that_holds, rapl_points
from pytest_energy.sensors.machine_class import MachineClass

HEAD = "load_type,cores_used,cpu_load,rapl_power,rapl_energy,duration\n"


@pytest.mark.parametrize(
    ("ratios", "expected"),
    [([1.0] * 10, 1), ([2.0] * 10, 2), ([0.4] * 10, 3), ([1.0] * 9 + [9.0], 1), ([1.0] * 8 + [9.0] * 2, 9)],
)
def test_a_factor_holds_nine_of_ten(ratios: list[float], expected: int) -> None:
    """Up or down; what the tenth is doesn't matter."""
    assert factor_that_holds(ratios) == expected


def test_power_above_rest_is_divided_by_what_was_busy(tmp_path: Path) -> None:
    """Joules of a row over its seconds; the column of powers is a row late and isn't read."""
    folder = tmp_path / "codecarbon/data/hardware/cpu_load_profiling/box"
    folder.mkdir(parents=True)
    kwh = [power_w * 30 / 3.6e6 for power_w in (10.0, 30.0, 60.0)]
    rows = ["some_cores,0,0", "some_cores,1,25", "all_cores,4,100"]
    text = "".join(f"{row},999,{energy},30\n" for row, energy in zip(rows, kwh, strict=True))
    (folder / "all.csv").write_text(HEAD + text)
    (folder / "empty.csv").write_text("\n")
    machine = RaplMachine(folder="box", kind=MachineClass.DESKTOP, tdp_w=40.0, cpus=4)
    single, full = rapl_points(tmp_path, machine)
    assert [single.ratio, full.ratio] == pytest.approx([2.0, 1.25])
    assert [single.is_single, full.is_single] == [True, False]
