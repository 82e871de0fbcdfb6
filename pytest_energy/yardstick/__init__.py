"""The yardstick: fixed loads at a run's start, to separate changes of the GPU from changes of the code.

Rule 1: a load is the same work in every run on one kind of machine; how much of it is in its record, and
records of other amounts are not comparable.
Rule 2: a load is measured as any work is, over the domains that it exercises, and gives an ordinary record.
Rule 3: nothing here imports torch, and nothing opens a GPU unasked.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pytest_energy.model import Record

FILE = "yardstick"
"""In place of a test's file, in the ids of the loads and in the path of their baselines."""


def load_id(device: str, name: str) -> str:
    """Id of the record of the load *name* on the *device*, `gpu` or `cpu`.

    >>> load_id("gpu", "compute")
    'yardstick::gpu-compute'
    """
    return f"{FILE}::{device}-{name}"


def is_yardstick(test_id: str) -> bool:
    """Whether *test_id* is the id of a load, not of a test."""
    return test_id.startswith(f"{FILE}::")


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """What the loads used in one run.

    Attributes:
        records: One a load and process; a load that could not be measured says why. Each process has a card
            and an hour of its own, and its records name its session.
        absent_because: Why there is none at all, or `None`.
    """

    records: tuple[Record, ...] = ()
    absent_because: str | None = None

    @classmethod
    def of(cls, processes: Iterable["Yardstick"]) -> "Yardstick":
        """That of a run of *processes*: the records of all; without any, the first reason for that."""
        all_of_them = tuple(processes)
        records = tuple(record for one in all_of_them for record in one.records)
        reasons = (one.absent_because for one in all_of_them if one.absent_because is not None)
        return cls(records=records, absent_because=None if records else next(reasons, None))

    @property
    def process_count(self) -> int:
        """Of the processes that measured: a baseline of a load gets so many sessions of one run."""
        return max(1, len({record.session for record in self.records}))
