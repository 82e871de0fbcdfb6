"""Kinds of machines."""

from pathlib import Path

import pytest

from pytest_energy.sensors.machine_class import MachineClass, machine_class

XEON = "model name\t: Intel(R) Xeon(R) Gold 6338 CPU @ 2.00GHz\nflags\t\t: fpu vme\n"
CORE = "model name\t: 12th Gen Intel(R) Core(TM) i7-1260P\nflags\t\t: fpu vme\n"
ARM = "CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"


def found(
    folder: Path,
    cpuinfo: str,
    *,
    chassis: str | None = None,
    supplies: dict[str, dict[str, str]] | None = None,
) -> MachineClass:
    """The kind of a machine with these files."""
    (folder / "cpuinfo").write_text(cpuinfo)
    if chassis is not None:
        (folder / "dmi/id").mkdir(parents=True)
        (folder / "dmi/id/chassis_type").write_text(f"{chassis}\n")
    for name, files in (supplies or {}).items():
        (folder / "power_supply" / name).mkdir(parents=True)
        for file, text in files.items():
            (folder / "power_supply" / name / file).write_text(f"{text}\n")
    return machine_class(folder / "cpuinfo", folder)


@pytest.mark.parametrize(
    ("cpuinfo", "chassis", "expected"),
    [
        (XEON.replace("vme", "hypervisor"), "10", MachineClass.VIRTUAL),
        (CORE, "10", MachineClass.LAPTOP),
        (CORE, "3", MachineClass.DESKTOP),
        (CORE, None, MachineClass.DESKTOP),
        (CORE, "23", MachineClass.SERVER),
        (XEON, None, MachineClass.SERVER),
        (XEON, "2", MachineClass.SERVER),
        (ARM, None, MachineClass.UNKNOWN),
        (ARM, "not a number", MachineClass.UNKNOWN),
        (ARM, "35", MachineClass.DESKTOP),
        ("", None, MachineClass.UNKNOWN),
    ],
)
def test_a_kind_is_told_by_chassis_and_processor(
    tmp_path: Path, cpuinfo: str, chassis: str | None, expected: MachineClass
) -> None:
    """A virtual machine's chassis is made up; elsewhere it tells, and then the processor's name."""
    assert found(tmp_path, cpuinfo, chassis=chassis) is expected


def test_a_battery_makes_a_laptop(tmp_path: Path) -> None:
    """Some makers leave the chassis open."""
    supplies = {"AC": {"type": "Mains"}, "BAT0": {"type": "Battery", "scope": "System"}}
    assert found(tmp_path, CORE, chassis="2", supplies=supplies) is MachineClass.LAPTOP


def test_a_mouse_s_battery_makes_none(tmp_path: Path) -> None:
    """Batteries of devices feed those devices."""
    supplies = {"hid-1": {"type": "Battery", "scope": "Device"}}
    assert found(tmp_path, CORE, supplies=supplies) is MachineClass.DESKTOP


def test_without_the_kernel_s_files_it_is_unknown(tmp_path: Path) -> None:
    """Nothing is guessed where nothing can be read."""
    assert machine_class(tmp_path / "none", tmp_path / "none") is MachineClass.UNKNOWN
