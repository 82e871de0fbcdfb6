"""What this user must be allowed to read."""

from pathlib import Path
from typing import Any

import pytest

from pytest_energy.doctor.permissions import permissions
from pytest_energy.sensors.perf import PerfPaths


def paths(folder: Path, *, mode: int = 0o400, level: str = "4", capabilities: int = 0) -> dict[str, Any]:
    """A machine with a GPU, RAPL's files and perf's events."""
    powercap, power = folder / "powercap", folder / "power"
    for zone in ("intel-rapl:0", "intel-rapl:0:0"):
        (powercap / zone).mkdir(parents=True)
        (powercap / zone / "energy_uj").touch()
        (powercap / zone / "energy_uj").chmod(mode)
    (power / "events").mkdir(parents=True)
    (power / "events" / "energy-pkg").touch()
    (folder / "paranoid").write_text(f"{level}\n")
    (folder / "status").write_text(f"Name:\tpython\nCapEff:\t{capabilities:016x}\n")
    (folder / "dev").mkdir()
    for name in ("nvidia0", "nvidiactl", "nvidia-uvm"):
        (folder / "dev" / name).touch(0o666)
    return {
        "powercap": powercap,
        "perf": PerfPaths(power=power, paranoid=folder / "paranoid"),
        "devices": folder / "dev",
        "status": folder / "status",
    }


def test_what_is_granted_needs_no_fix(tmp_path: Path) -> None:
    """Files that may be read and a kernel that lets count are granted, with their state."""
    needed = permissions(**paths(tmp_path, mode=0o444, level="-1"), may_access=lambda *_: True)
    assert [(p.sensor, p.is_granted, p.fix) for p in needed] == [
        ("nvml", True, None),
        ("nvml", True, None),
        ("rapl", True, None),
        ("rapl", True, None),
    ]
    assert needed[2].what == f"{tmp_path}/powercap/intel-rapl:0/energy_uj (mode 0444)"
    assert needed[3].what == f"{tmp_path}/paranoid is -1"


def test_what_is_refused_comes_with_its_command(tmp_path: Path) -> None:
    """Each refusal names the file, its state, and the command that mends it."""
    needed = permissions(**paths(tmp_path), may_access=lambda *_: False)
    assert [p.fix for p in needed] == [
        f"sudo chmod a+rw {tmp_path}/dev/nvidiactl",
        f"sudo chmod a+rw {tmp_path}/dev/nvidia0",
        f"sudo chmod a+r {tmp_path}/powercap/intel-rapl:*/energy_uj",
        "sudo sysctl kernel.perf_event_paranoid=0",
    ]


def test_one_counter_that_is_refused_is_the_one_named(tmp_path: Path) -> None:
    """Where only the memory's counter is closed, that file is named."""
    needed = permissions(**paths(tmp_path), may_access=lambda path, _: path.parent.name != "intel-rapl:0:0")
    assert "intel-rapl:0:0/energy_uj" in needed[2].what


@pytest.mark.parametrize("capability", [21, 38])
def test_a_capability_lets_count(tmp_path: Path, capability: int) -> None:
    """CAP_PERFMON, or CAP_SYS_ADMIN, is as good as an open kernel."""
    needed = permissions(**paths(tmp_path, capabilities=1 << capability), may_access=lambda *_: False)
    assert needed[-1].is_granted


def test_a_machine_without_hardware_has_nothing_to_permit(tmp_path: Path) -> None:
    """Where there is nothing to read nobody is sent to mend permissions."""
    nowhere = tmp_path / "nowhere"
    perf = PerfPaths(power=nowhere, paranoid=nowhere)
    assert permissions(powercap=nowhere, perf=perf, devices=nowhere, status=nowhere) == ()


def test_what_cant_be_read_counts_as_refused(tmp_path: Path) -> None:
    """A kernel that hides its level and capabilities isn't taken for an open one."""
    hidden = paths(tmp_path)
    hidden["perf"].paranoid.unlink()
    hidden["status"].unlink()
    needed = permissions(**hidden, may_access=lambda *_: False)
    assert needed[-1].what == f"{tmp_path}/paranoid is unknown"
    assert not needed[-1].is_granted
