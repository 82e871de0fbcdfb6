"""What a call of the work did, in exact numbers: operators, kernels, copies, waits. Frozen values.

Rule 1: what is compared repeats from run to run; time is never compared.
Rule 2: a count that was not the same in two traces of the same code is kept as an interval.
Rule 3: what the work itself calls is the code's. What an operator then runs inside itself is the choice of
    the library, the driver or the card.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_energy.errors import NotMeasurable


class Kind(StrEnum):
    """The kind of thing that was counted."""

    OPERATOR = "operator"
    """An operator that the work calls, or a node of its backward pass: the topmost, none inside another."""
    WAIT = "wait"
    """The host waits for the device: a value is read, a device or stream synchronised."""
    COPY = "copy"
    """Bytes between host and device, or between devices."""
    GRADIENT = "gradient"
    """Nodes that are recorded for a backward pass."""
    GRAPH = "graph"
    """Of torch.compile: compiled regions, graph breaks, compilations; and replays of captured CUDA graphs."""
    FUNCTION = "function"
    """A function of Python, or one built in."""
    REQUEST = "request"
    """What an engine counted: requests, tokens, preemptions."""
    INNER = "inner"
    """An operator that another operator runs."""
    KERNEL = "kernel"
    """A kernel of the device, by its name without what changes with each build."""
    LAUNCH = "launch"
    """A call that gives the device work: a kernel, a graph."""
    ALLOCATION = "allocation"
    """Memory taken from the allocator."""


OF_THE_LIBRARY = frozenset({Kind.INNER, Kind.KERNEL, Kind.LAUNCH, Kind.ALLOCATION})
"""What equal code may do otherwise with another library, driver or card: rule 3."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPlace:
    """Where the user's code makes a call.

    Attributes:
        file: Relative to the folder of the suite where it is in it.
        line: Of the call; another commit may have moved it.
        function: Name of the function that makes it.
        count: Of the entry's calls, those made here.
    """

    file: str
    line: int
    function: str
    count: int

    def __post_init__(self) -> None:
        if self.line < 0 or self.count < 0:
            raise NotMeasurable(f"{self.count} calls are made at line {self.line}")

    @property
    def text(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountEntry:
    """How often one thing was done in a call of the work.

    Attributes:
        kind: What it is.
        name: Such as `aten::layer_norm`, `host to device, pageable` or `ampere_sgemm_128x64_tn`.
        dtype: Type of the numbers it works on, such as `bfloat16`; empty if there is none.
        count: How often; the least of several traces.
        most: The most of several traces, where they differ; else `None`.
        flops: Floating-point operations, all calls together; 0 if they are not counted.
        size_bytes: Bytes that all calls together read, copy or allocate.
        inputs: Digest of shapes, types and scalars of all calls; empty if they are not known.
        example: Of the largest call: `[64, 512, 768], dim 1`.
        duration_s: Of the device, or of the host where no device was at work; shown, never compared.
        places: Where the user's code makes the calls, the most frequent first; none if they are unknown.
    """

    kind: Kind
    name: str
    dtype: str = ""
    count: int
    most: int | None = None
    flops: float = 0.0
    size_bytes: float = 0.0
    inputs: str = ""
    example: str = ""
    duration_s: float = 0.0
    places: tuple[CallPlace, ...] = ()

    def __post_init__(self) -> None:
        if self.count < 0 or (self.most is not None and self.most <= self.count):
            raise NotMeasurable(f"{self.name} was counted {self.count} to {self.most} times")
        amounts = (self.flops, self.size_bytes, self.duration_s)
        if not all(math.isfinite(amount) and amount >= 0 for amount in amounts):
            raise NotMeasurable(f"{self.name}: its operations, bytes and seconds are {amounts}")

    @property
    def key(self) -> tuple[Kind, str, str]:
        """What it is compared by."""
        return self.kind, self.name, self.dtype

    @property
    def bounds(self) -> tuple[int, int]:
        """Least and most count."""
        return self.count, self.count if self.most is None else self.most


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Exact counts of one call of the work.

    Attributes:
        source: What counted, such as `torch.profiler (CPU, CUDA)`.
        entries: Each key once, the heaviest first; without those left out.
        digest: Of all that is compared, entries left out included.
        omitted_count: Entries that were left out, the lightest.
        settings: Switches that say how operators work, name to value: `float32 matmul precision`: `highest`.
        trace_s: Seconds that counting has cost, the call included.
        trace_count: Calls that were counted.
        is_piece: A smaller piece of the work was counted in its place: joules of the work are not its.
    """

    source: str
    entries: tuple[CountEntry, ...]
    digest: str
    omitted_count: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)
    trace_s: float = 0.0
    trace_count: int = 1
    is_piece: bool = False

    def __post_init__(self) -> None:
        if self.trace_count < 1 or self.omitted_count < 0:
            raise NotMeasurable(
                f"{self.trace_count} calls were counted, {self.omitted_count} entries left out"
            )
        if not (math.isfinite(self.trace_s) and self.trace_s >= 0):
            raise NotMeasurable(f"counting took {self.trace_s} s")
        keys = Counter(entry.key for entry in self.entries)
        if twice := next((key for key, count in keys.items() if count > 1), None):
            raise NotMeasurable(f"{' '.join(filter(None, twice))} is in the counts {keys[twice]} times")

    @property
    def is_repeating(self) -> bool:
        """Whether all traces were the same; as far as is known, if there was only one."""
        return all(entry.most is None for entry in self.entries)
