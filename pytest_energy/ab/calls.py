"""Compares the counts of two sides, to explain a rise in joules or seconds. Pure.

Rule 1: calls are the same only where all counts of the code are equal, its switches too, and repeat. What an
    operator runs inside may differ: that is the library's.
Rule 2: what was not counted says nothing.
"""

from dataclasses import dataclass, replace
from enum import Enum

from pytest_energy.counts import OF_THE_LIBRARY, CountEntry, Counts
from pytest_energy.judgement import CountsComparison, Verdict
from pytest_energy.model import Record
from pytest_energy.verdict.count_history import CountHistory, against_counts, counted_sessions
from pytest_energy.verdict.findings import AgainstCounts, NoCounts, OfCounts
from pytest_energy.verdict.policy import Policy


class Calls(Enum):
    """Relation of one side's calls to the other's."""

    SAME = "same"
    MORE = "more"
    UNKNOWN = "unknown"
    """Nobody counted, or the counts differ and none of those that are judged has risen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted of a test on both sides.

    Attributes:
        finding: What the counts say by themselves; `None` if not judged.
        record: Of the side that is judged, with its counts or the reason why there are none.
        calls: How the sides are to each other.
    """

    finding: OfCounts | None = None
    record: Record | None = None
    calls: Calls = Calls.UNKNOWN

    @classmethod
    def of(cls, before: Record, after: Record, before_name: str, policy: Policy) -> "Counted":
        """What the counts of *after* are to those of *before*, the side *before_name*."""
        if before.counts is None and after.counts is not None:
            reason = before.absent.get("counts", "no reason was given")
            return cls(finding=NoCounts(because=f"on {before_name}: {reason}"), record=after)
        history = CountHistory(by_key={before.machine.key: counted_sessions([before])})
        finding = against_counts(after, history, policy)
        return cls(finding=finding, record=after, calls=_calls(before.counts, after.counts, finding))

    @property
    def comparison(self) -> CountsComparison | None:
        return self.finding.comparison if isinstance(self.finding, AgainstCounts) else None

    def put_into(self, record: Record) -> Record:
        """*record*, of a later block that counted nothing, with these counts."""
        if self.record is None:
            return record
        absent = {name: reason for name, reason in record.absent.items() if name != "counts"}
        if (reason := self.record.absent.get("counts")) is not None:
            absent["counts"] = reason
        return replace(record, counts=self.record.counts, absent=absent)


NOT_COUNTED = Counted()


def _calls(before: Counts | None, after: Counts | None, finding: OfCounts) -> Calls:
    if before is None or after is None or not isinstance(finding, AgainstCounts):
        return Calls.UNKNOWN
    if finding.verdict is Verdict.REGRESSION:
        return Calls.MORE
    return Calls.SAME if _are_same(before, after) else Calls.UNKNOWN


def _are_same(before: Counts, after: Counts) -> bool:
    if before.source != after.source or not (before.is_repeating and after.is_repeating):
        return False
    is_all = before.digest == after.digest or before.omitted_count == after.omitted_count == 0
    return is_all and before.settings == after.settings and _of_the_code(before) == _of_the_code(after)


def _of_the_code(counts: Counts) -> dict[object, tuple[object, ...]]:
    """What of *counts* is compared and doesn't hang on the library."""
    return {entry.key: _compared(entry) for entry in counts.entries if entry.kind not in OF_THE_LIBRARY}


def _compared(entry: CountEntry) -> tuple[object, ...]:
    return entry.bounds, entry.flops, entry.size_bytes, entry.inputs
