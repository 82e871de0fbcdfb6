"""The loads of a processor: one thread, from the standard library alone.

Rule 1: neither numpy nor another library, which would be there in one run and not in the next, and which
brings as many threads as it likes.
"""

import hashlib
from collections.abc import Callable
from itertools import repeat

from pytest_energy.meter.clock import Clock
from pytest_energy.model import Domain
from pytest_energy.yardstick.load import FixedLoad, LoadSet, Repeat, ladder, rest

_HASHED_BYTES = 2**20
_COPIED_BYTES = 2**27  # more than the caches of a processor hold

# Amounts of about 0.3 s on a server's core of 2023: RAPL's millisecond is then 0.3 % of a round.
_HASH_COUNT = 512
_COPY_COUNT = 16
_CALL_COUNT = 2**22

_LONGEST_S = 1.0
_EXPECTED_S = 5.0  # three loads of three rounds of 0.3 s, what is loaded once, and the rest


def cpu_loads(clock: Clock) -> LoadSet:
    """The loads of the processor that this process runs on."""
    return LoadSet(
        domains=frozenset({Domain.CPU, Domain.DRAM}),
        loads=(
            rest("cpu", clock),
            _load("compute", "SHA-256 of 1 MiB", _HASH_COUNT, _compute),
            _load("memory", "copy of 128 MiB", _COPY_COUNT, _memory),
            _load("launches", "call of an empty Python function", _CALL_COUNT, _launches),
        ),
        expected_s=_EXPECTED_S,
        why_not_ready=lambda _: None,
        release=lambda: None,
    )


def _load(name: str, unit: str, most_count: int, make: Callable[[], Repeat]) -> FixedLoad:
    return FixedLoad(
        device="cpu",
        name=name,
        unit=unit,
        unit_counts=ladder(most_count),
        longest_s=_LONGEST_S,
        make=make,
    )


def _compute() -> Repeat:
    return hashing(_bytes(_HASHED_BYTES))


def _memory() -> Repeat:
    return copying(_bytes(_COPIED_BYTES), bytearray(_COPIED_BYTES))


def _launches() -> Repeat:
    return calling(lambda: None)


def _bytes(count: int) -> bytes:
    return bytes(range(256)) * (count // 256)


def hashing(block: bytes) -> Repeat:
    """Hashes *block* so many times."""

    def hash_block(count: int) -> None:
        for _ in repeat(None, count):
            hashlib.sha256(block, usedforsecurity=False)

    return hash_block


def copying(content: bytes, place: bytearray) -> Repeat:
    """Copies *content* to *place*, which is as long, so many times."""
    source, target = memoryview(content), memoryview(place)

    def copy(count: int) -> None:
        for _ in repeat(None, count):
            target[:] = source

    return copy


def calling(function: Callable[[], object]) -> Repeat:
    """Calls *function* so many times."""

    def call(count: int) -> None:
        for _ in repeat(None, count):
            function()

    return call
