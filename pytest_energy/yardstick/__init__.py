"""The yardstick: fixed loads at a run's start, so that a change of the card is told from one of the code.

Rule 1: a load is the same work in every run on one kind of machine; how much of it is in its record, and
records of other amounts are not comparable.
Rule 2: a load is measured as any work is, over the domains that it exercises, and gives an ordinary record.
Rule 3: nothing here imports torch, and nothing opens a GPU that nobody has asked for.
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
        records: One a load; a load that could not be measured says why.
        absent_because: Why there is none at all, or `None`.
    """

    records: tuple[Record, ...] = ()
    absent_because: str | None = None

    @classmethod
    def of(cls, processes: Iterable["Yardstick"]) -> "Yardstick":
        """That of a run of *processes*: of each load the first record with joules, or else the first."""
        records: dict[str, Record] = {}
        because: str | None = None
        for one in processes:
            because = because or one.absent_because
            for record in one.records:
                known = records.get(record.test_id)
                if known is None or (record.is_measured and not known.is_measured):
                    records[record.test_id] = record
        return cls(records=tuple(records.values()), absent_because=None if records else because)
