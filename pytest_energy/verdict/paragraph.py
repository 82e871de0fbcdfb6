"""What a sentence about a verdict is about, and what several of them make."""

import shlex
from dataclasses import dataclass

from pytest_energy.model import Provenance, Record

_GATE = "--energy-estimates=gate"  # without it, no estimate is judged or kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What joules are held against, as sentences call it.

    Attributes:
        name: `against ...`
        level: `..., ... 100 J`
        facts: `differs from ...`
        then: `samples: 10 ...`
        now: `..., 20 ...`
    """

    name: str
    level: str
    facts: str
    then: str
    now: str


THE_BASELINE = Reference(
    name="the baseline",
    level="baseline",
    facts="the baseline's newest session",
    then="in the baseline",
    now="now",
)


def revision(before: str, after: str) -> Reference:
    """The side *before*, held against which the side *after* is judged."""
    return Reference(name=before, level="there", facts=before, then=f"on {before}", now=f"on {after}")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One finding in words; an empty detail is not to be shown."""

    headline: str
    details: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the sentences are about: a record, its joules in words (empty without), and a reference.

    Attributes:
        is_by_counts: The verdict hangs on the counts.
    """

    record: Record
    energy: str
    reference: Reference
    is_by_counts: bool = False

    def command(self, *options: str) -> str:
        """How to run the test again."""
        return " ".join(("pytest", shlex.quote(self.record.test_id), *options, *self._gate))

    def counts_command(self, option: str) -> str:
        """How to run the test again for its counts, whether its marker asks for them or an option did."""
        return f"pytest {shlex.quote(self.record.test_id)} --energy-basis=counts {option}"

    @property
    def counts_option(self) -> str | None:
        """What has the counts judged; `None` without counts, or where they are."""
        if self.record.counts is None or self.is_by_counts:
            return None
        return "--energy-basis=counts" if self.reference is THE_BASELINE else "--basis=counts"

    @property
    def _gate(self) -> tuple[str, ...]:
        return (_GATE,) if self.record.provenance is Provenance.ESTIMATED else ()

    @property
    def acceptance(self) -> str:
        """How to take this run's joules for a new level, as the documented pipeline does after a merge."""
        estimates = " --estimates" if self._gate else ""
        return f"pytest-energy accept RUN.json{estimates} (written by --energy-out=RUN.json)"

    @property
    def ab(self) -> str:
        """How to measure the test against another revision."""
        return " ".join(("pytest-energy ab REVISION --", shlex.quote(self.record.test_id), *self._gate))

    @property
    def more_rounds(self) -> str:
        """How to have more rounds than there are."""
        count = len(self.record.usable_rounds)
        if count == 1:
            return "take more rounds: measure the work with energy.measure(...), which repeats it"
        return f"take more rounds: {self.command(f'--energy-rounds={2 * count}')}"
