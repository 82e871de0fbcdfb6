"""A point of a history: one test in one run, with its joules, machine and outcome. Pure.

Rule 1: a test that failed, by its joules or by itself, is a point as any other is: what was measured was
    measured. A point without joules keeps the reason.
Rule 2: rounds are not kept: of two hundred runs they are most of what was read.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from pytest_energy.baselines.machine import comparable_facts, free_length
from pytest_energy.baselines.schema import moment_of
from pytest_energy.codec import LEAST_NUMBER
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import FAILING, Judgement, Verdict
from pytest_energy.model import Machine, Provenance, Record
from pytest_energy.stats.compare import summarise

_MOST_REASON = 600  # characters: a paragraph; a page of ten thousand points holds no essays


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One test in one run.

    Attributes:
        created: In UTC.
        run: Names what ran together: what tests of one run have in common is found by it.
        energy_j: Mean joules per round; `None` if there are none that may be used.
        uncertainty_j: Standard uncertainty of *energy_j*.
        absent_because: Why there are no joules, or empty.
        facts: What must be equal for two points to be compared.
        verdict: `None` for a session of a baseline, which was accepted.
        reason: The verdict in words, cut where it is long.
        outcome: Of the test, in pytest's words: a verdict that fails it is among the reasons to fail.
        free_length: Tokens of an answer in the mean, where the load left that open.
        is_per_sample: It was judged by joules per sample.
        source: The file that it was read from.
    """

    test_id: str
    created: datetime
    run: str
    machine: Machine
    provenance: Provenance
    energy_j: float | None = None
    uncertainty_j: float = 0.0
    samples: int | None = None
    absent_because: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    verdict: Verdict | None = None
    reason: str = ""
    outcome: str = "passed"
    free_length: float | None = None
    is_per_sample: bool = False
    is_saturated: bool = False
    source: str = ""

    @property
    def commit(self) -> str:
        """Whole name of the commit, or empty if it isn't known."""
        return self.machine.varying.get("git_commit", "")

    @property
    def is_dirty(self) -> bool:
        return self.machine.varying.get("git_dirty") == "yes"

    @property
    def is_failed(self) -> bool:
        """Whether the test failed, by its joules or by itself."""
        return self.verdict in FAILING or self.outcome == "failed"

    @property
    def why_unused(self) -> str:
        """Why no level rests on it, or empty."""
        if self.energy_j is None:
            return self.absent_because
        if self.energy_j < LEAST_NUMBER:
            return "its joules are 0, so they have no ratio"
        return "the server did not keep up with its load" if self.is_saturated else ""


def point_of(record: Record, source: str, judgement: Judgement | None = None) -> Point:
    """The point of *record*, from the file *source*, with the *judgement* of it where it was judged.

    Raises:
        BaselineError: The record's time is none.
    """
    energy_j = record.energy_j
    point = Point(
        test_id=record.test_id,
        created=moment_of(record),
        run=record.session or (source if judgement else f"{source} {record.created}"),
        machine=record.machine,
        provenance=record.provenance,
        energy_j=energy_j,
        uncertainty_j=0.0 if energy_j is None else _uncertainty_j(record, judgement),
        samples=record.samples,
        absent_because=(record.absent_because or "")[:_MOST_REASON],
        facts=tuple(sorted(comparable_facts(record).items())),
        free_length=free_length(record),
        is_saturated=record.saturated_because is not None,
        source=source,
    )
    return point if judgement is None else _judged(point, judgement)


def _judged(point: Point, judgement: Judgement) -> Point:
    return replace(
        point,
        verdict=judgement.verdict,
        reason=judgement.reason[:_MOST_REASON],
        outcome=judgement.outcome,
        is_per_sample=judgement.terms is not None and judgement.terms.is_per_sample,
    )


def _uncertainty_j(record: Record, judgement: Judgement | None) -> float:
    if judgement is not None and judgement.summary is not None:
        return judgement.summary.uncertainty_j
    own_j = [reading.uncertainty_j for reading in record.usable_rounds]
    try:
        return summarise(record.round_energies_j, own_j).uncertainty_j
    except NotMeasurable:
        return 0.0


def once(points: Iterable[Point]) -> list[Point]:
    """*points* without those that are another one again: a run, and the baseline that took it."""
    kept: dict[tuple[str, str, datetime], Point] = {}
    for point in points:
        key = (point.test_id, point.machine.key, point.created)
        other = kept.get(key)
        if other is None or (other.verdict is None and point.verdict is not None):
            kept[key] = point
    return list(kept.values())
