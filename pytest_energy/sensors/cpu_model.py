"""The name of the processor, as the kernel's list has it."""

from pathlib import Path


def listed_cpu_model(cpuinfo: Path) -> str:
    """Name of the processor in *cpuinfo*, or nothing; on Arm its implementer's and part's numbers.

    Source:
        Linux, arch/x86/kernel/cpu/proc.c and arch/arm64/kernel/cpuinfo.c, which has no names.
    """
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    processors = [_fields_of(block) for block in text.split("\n\n")]
    names = {fields["model name"]: None for fields in processors if fields.get("model name")}
    arm = {
        f"ARM {fields.get('CPU implementer', 'unknown')} part {fields['CPU part']}": None
        for fields in processors
        if fields.get("CPU part")
    }
    return ", ".join(names or arm)


def _fields_of(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
