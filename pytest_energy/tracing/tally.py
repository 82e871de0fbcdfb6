"""Calls of one kind, added up to an entry."""

from collections import Counter
from dataclasses import dataclass, field

from pytest_energy.counts import CountEntry, Kind
from pytest_energy.masking import masked
from pytest_energy.tracing.call_places import places_of
from pytest_energy.tracing.events import Site
from pytest_energy.tracing.operator_inputs import digest

_NS_PER_S = 1e9

Key = tuple[Kind, str, str]


@dataclass(slots=True)
class Tally:
    """Grows while events are read; frozen into a `CountEntry` at the end.

    Attributes:
        signatures: Of the arguments of each call: signature to how many calls.
        largest: Bytes and operations of the largest call, and what it was in words.
    """

    count: int = 0
    flops: float = 0.0
    size_bytes: float = 0.0
    duration_ns: float = 0.0
    signatures: Counter[str] = field(default_factory=Counter)
    largest: tuple[float, str] = (-1.0, "")
    sites: Counter[Site] = field(default_factory=Counter)

    def add(
        self,
        *,
        site: Site | None = None,
        duration_ns: float = 0.0,
        flops: float = 0.0,
        size_bytes: float = 0.0,
        count: int = 1,
    ) -> None:
        self.count += count
        self.flops += flops
        self.size_bytes += size_bytes
        self.duration_ns += duration_ns
        if site is not None:
            self.sites[site] += count

    def entry(self, key: Key) -> CountEntry:
        kind, name, dtype = key
        return CountEntry(
            kind=kind,
            name=masked(name),
            dtype=dtype,
            count=self.count,
            flops=self.flops,
            size_bytes=self.size_bytes,
            inputs=digest(f"{count} {text}" for text, count in self.signatures.items())
            if self.signatures
            else "",
            example=self.largest[1],
            duration_s=self.duration_ns / _NS_PER_S,
            places=places_of(self.sites),
        )
