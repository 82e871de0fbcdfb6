"""What the kernel's list of processors calls them."""

from pathlib import Path

import pytest

from pytest_energy.sensors.cpu_model import listed_cpu_model

GRACE = """processor\t: 0
BogoMIPS\t: 2000.00
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd4f
"""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", ""),
        ("model name\t:\nflags\t: fpu\n", ""),
        ("Hardware\t: BCM2711\n", ""),
        ("model name\t: AMD EPYC 9654\n\nmodel name\t: AMD EPYC 9654\n", "AMD EPYC 9654"),
        (f"{GRACE}\n{GRACE}", "ARM 0x41 part 0xd4f"),
        (f"{GRACE}\n{GRACE.replace('0xd4f', '0xd05')}", "ARM 0x41 part 0xd4f, ARM 0x41 part 0xd05"),
    ],
)
def test_each_kind_of_processor_is_named_once(tmp_path: Path, text: str, name: str) -> None:
    """A kernel that names no CPU gives nothing; Arm's gives numbers, of each kind of core."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(text)
    assert listed_cpu_model(cpuinfo) == name


def test_a_missing_list_names_nothing() -> None:
    """Without the kernel's list there is no name."""
    assert listed_cpu_model(Path("/nowhere")) == ""
