"""The columns of a study: machines, or boards, commits or runs. Pure.

Rule 1: joules of other provenance are another column: estimated joules are never averaged with measured ones.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pytest_energy.baselines.topology import NODES, RANKS
from pytest_energy.model import Machine, Provenance
from pytest_energy.report.text import COMMIT_LENGTH, commit_of
from pytest_energy.study.samples import Sample

_UNKNOWN = "unknown"


def _board(sample: Sample) -> str:
    return sample.record.machine.varying.get("gpu_uuid", _UNKNOWN)


def _commit(sample: Sample) -> str:
    return commit_of(sample.record.machine)[:COMMIT_LENGTH] or _UNKNOWN


COLUMNS: Mapping[str, Callable[[Sample], str]] = {
    "machine": lambda _: "",
    "board": _board,
    "commit": _commit,
    "run": lambda sample: sample.run,
}
"""What a column is of, besides its machine: name to what separates two of one machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """One column.

    Attributes:
        label: `HC-1`, `HC-2`, ... in the order met. Those of the paper are shown as `paper HC-1`.
        machine: Of its first test.
        part: What separates it from others of its machine: a board, a commit or a file; else empty.
        runs: Names of the files.
        test_count: Tests with a group.
    """

    label: str
    machine: Machine
    provenance: Provenance
    part: str
    runs: tuple[str, ...]
    test_count: int

    @property
    def name(self) -> str:
        """The GPUs, or the processor of a machine without any."""
        fixed = self.machine.fixed
        gpus = [one.strip() for one in fixed.get("gpu_model", "").split(",") if one.strip()]
        count = int(fixed["gpu_count"]) if fixed.get("gpu_count", "").isdecimal() else len(gpus)
        names = list(dict.fromkeys(gpus))
        if not names or count < 1:
            return fixed.get("cpu_model", self.machine.key)
        return ", ".join(names) if count == 1 else f"{count} x {', '.join(names)}"

    @property
    def topology(self) -> str:
        """Nodes and ranks of a machine of several, else `1 node`."""
        fixed = self.machine.fixed
        ranks = f", {fixed[RANKS]} ranks" if RANKS in fixed else ""
        return f"{fixed.get(NODES, '1 node')}{ranks}"


def columns_of(
    samples: Iterable[Sample], by: str
) -> tuple[tuple[Hardware, ...], dict[str, tuple[Sample, ...]]]:
    """The columns, and the samples of each by its label."""
    members: dict[tuple[str, Provenance, str], list[Sample]] = {}
    for one in samples:
        key = (one.record.machine.key, one.record.provenance, COLUMNS[by](one))
        members.setdefault(key, []).append(one)
    columns = tuple(
        Hardware(
            label=f"HC-{number}",
            machine=own[0].record.machine,
            provenance=provenance,
            part=part,
            runs=tuple(dict.fromkeys(one.run for one in own)),
            test_count=len(own),
        )
        for number, ((_, provenance, part), own) in enumerate(members.items(), 1)
    )
    return columns, {one.label: tuple(own) for one, own in zip(columns, members.values(), strict=True)}
