"""Which rails of a board count, and why the others don't. Pure.

Rule 1: a rail that isn't known counts nowhere: it may be inside another.
Rule 2: of a total and its parts the total counts. It is of the domain `cpu`, as a package of RAPL is, which
        includes its integrated graphics.
Rule 3: a rail of CPU and memory, or of what the system on a chip has besides, is of the domain `cpu`.

Source: labels are those of NVIDIA's device trees (Linux, arch/arm64/boot/dts/nvidia). VDD_IN is the whole
        module: forums.developer.nvidia.com, topic 200883. POM_5V_IN is the whole board: topic 73608 there.
        The rails of an AGX Xavier are beside each other: Jetson AGX Xavier Series Product Design Guide,
        DG-09840-001, figure 5-14. Grace: NVIDIA Grace Performance Tuning Guide, "Power Telemetry".
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pytest_energy.model import Domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """A rail that counts.

    Attributes:
        domain: Of its joules.
        most_w: More than it draws, in watts: how wrong its power may be for the time of one update.
        name: Of its channel, after the domain.
        device: What one process at a time may measure; *name* if none is given.
        may_be_off: Whether it is switched off while it has no work.
        read_by: The sensor that has the same joules under other names, if it is there; or nothing.
    """

    domain: Domain
    most_w: float
    name: str
    device: str = ""
    may_be_off: bool = False
    read_by: str = ""


TOTALS: Mapping[str, float] = {"VDD_IN": 60.0, "POM_5V_IN": 30.0}
"""Rails that hold all others of their board, with the most that they draw."""

_JETSON: Mapping[str, tuple[Domain, float]] = {
    "GPU": (Domain.GPU, 40.0),
    "CPU": (Domain.CPU, 40.0),
    "SOC": (Domain.CPU, 20.0),
    "CV": (Domain.CPU, 20.0),
    "VDDRQ": (Domain.DRAM, 15.0),
    "SYS5V": (Domain.CPU, 15.0),
    "VDD_GPU_SOC": (Domain.GPU, 75.0),
    "VDD_CPU_CV": (Domain.CPU, 50.0),
    "VDD_GPU": (Domain.GPU, 150.0),
    "VDD_CPU_SOC_MSS": (Domain.CPU, 100.0),
    "VIN_SYS_5V0": (Domain.CPU, 30.0),
}
# Its monitor shows the 5 V of VIN_SYS_5V0 as its voltage, and no document says that it is beside that rail.
_PERHAPS_INSIDE: Mapping[str, str] = {"VDDQ_VDD2_1V8AO": "VIN_SYS_5V0"}
_SWITCHED = frozenset({"GPU", "CV", "VDD_GPU"})  # tegrastats shows 0 mW for them at rest
_UNUSED = ("NC", "sum of shunt voltages")

# On a board whose GPU has no memory of its own NVML may read that GPU, too.
_NVML = "nvml"
_RAPL = "rapl"

_AMDSMI = "the sensor amdsmi reads its counter: pip install 'pytest-energy[amd]'"
_MOST_ABOVE_LIMIT = 2.0  # the limit holds for a mean; how far it is exceeded for a moment is not documented

_SOCKET = re.compile(r"(module|grace|cpu|sysio) power socket ([0-9]+)", re.IGNORECASE)
_MOST_OF_COUNTER_W = 2000.0  # of a card or a socket: twice what any draws for a moment
_MOST_OF_SOCKET_W = 600.0  # Grace and its memory: 500 W with 960 GB (NVIDIA Grace CPU Superchip data sheet)


def jetson_rail(label: str, labels: Collection[str]) -> Rail | str | None:
    """The rail *label* of a board that has *labels*; why it doesn't count; `None` if nothing is connected."""
    if label in _UNUSED:
        return None
    if label in TOTALS:
        return Rail(domain=Domain.CPU, most_w=TOTALS[label], name=label, read_by=_NVML)
    for total in TOTALS:
        if total in labels:
            return f"it is inside {total}"
    if (outer := _PERHAPS_INSIDE.get(label)) in labels:
        return f"it may be inside {outer}, and each joule counts once"
    if label in _JETSON:
        domain, most_w = _JETSON[label]
        return Rail(
            domain=domain,
            most_w=most_w,
            name=label,
            may_be_off=label in _SWITCHED,
            read_by=_NVML if domain is Domain.GPU else "",
        )
    return f"this rail {'is not known' if label else 'has no label'}: it may be inside another"


def power_meter_rail(label: str, labels: Collection[str]) -> Rail | str:
    """The meter of an ACPI power meter that calls itself *label*, among *labels*; or why it doesn't count."""
    match = _SOCKET.fullmatch(label)
    if match is None:
        return "it doesn't say what it measures: that may be the whole machine, its GPUs included"
    part, socket = match[1].lower(), match[2]
    if part == "module":
        return "it includes the GPU, which has a counter of its own"
    if part != "grace" and f"grace power socket {socket}" in {one.lower() for one in labels}:
        return f"it is inside Grace Power Socket {socket}"
    return Rail(domain=Domain.CPU, most_w=_MOST_OF_SOCKET_W, name=f"{part}-{socket}")


def amdgpu_rail(
    place: int, *, unique_id: str, limit_w: float | None, is_with_cpu: bool, is_of_now: bool, is_alone: bool
) -> Rail | str:
    """The power of the *place*-th card of the driver `amdgpu`; or why it doesn't count.

    Args:
        place: Among the cards of this driver.
        unique_id: The maker's number, by which other libraries know the card, too.
        limit_w: Its power limit; `None` if it has none.
        is_with_cpu: It is inside a processor.
        is_of_now: Its power is of the moment, not a mean.
        is_alone: It is the only card of its own.

    Source:
        Linux, Documentation/gpu/amdgpu/thermal.rst and drivers/gpu/drm/amd/pm/amdgpu_pm.c: `power1_input` is
        of the moment, `power1_average` a mean; processors with graphics alone have the voltage `vddnb`.
    """
    if is_with_cpu:
        return "its power includes the CPU, which rapl reads"
    if not is_of_now:
        return f"its power is a mean over an unknown time; {_AMDSMI}"
    if not is_alone:
        return f"which of the cards a program uses is not known here; {_AMDSMI}"
    if not limit_w or not unique_id:
        return f"its {'unique_id' if limit_w else 'power limit'} can't be read"
    most_w = _MOST_ABOVE_LIMIT * limit_w
    return Rail(
        domain=Domain.GPU,
        most_w=most_w,
        name=f"amdgpu-{place}",
        device=f"GPU-{unique_id.lower()}",
    )


def counter_rail(chip: str, place: int, label: str, labels: Collection[str]) -> Rail | str:
    """The energy counter *label* of the *place*-th chip of its kind, among *labels*; or why it doesn't count.

    Source:
        Linux, Documentation/ABI/testing/sysfs-driver-intel-i915-hwmon and sysfs-driver-intel-xe-hwmon: a
        counter without a label is the whole device. drivers/gpu/drm/xe/xe_hwmon.c: some cards have a counter
        of their package alone, the one that i915 shows. drivers/hwmon/amd_energy.c of Linux 5.8 to 5.12:
        sockets hold their cores, and their counters are those that RAPL reads.
    """
    if chip in {"i915", "xe"}:
        if label in {"", "card"}:
            return _counter(Domain.GPU, f"{chip}-{place}")
        if label == "pkg" and not {"", "card"} & set(labels):
            return _counter(Domain.GPU, f"{chip}-{place}-pkg")
        return "it is inside the card" if {"", "card"} & set(labels) else "it is a part of the card"
    if match := re.fullmatch(r"Esocket([0-9]+)", label):
        return _counter(Domain.CPU, f"package-{match[1]}", read_by=_RAPL)
    return "it is inside its socket" if label.startswith("Ecore") else "this counter is not known"


def _counter(domain: Domain, name: str, *, read_by: str = "") -> Rail:
    return Rail(domain=domain, most_w=_MOST_OF_COUNTER_W, name=name, read_by=read_by)
