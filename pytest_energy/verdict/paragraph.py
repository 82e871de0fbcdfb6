"""What a sentence about a verdict is about, and what several of them make.

Rule 1: of a finding one headline, at most one cause and one piece of advice are always shown; its details are
    for those who ask for all.
"""

import shlex
from dataclasses import dataclass

from pytest_energy.model import Provenance, Record

_GATE = "--energy-estimates=gate"  # without it, no estimate is judged or kept

BASELINES_OFF = "baselines are off (--energy-baseline=off)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What joules are compared with, as sentences call it.

    Attributes:
        name: `compared with ...`
        facts: `differs from ...`
        then: `samples: 10 ...`
        now: `..., 20 ...`
    """

    name: str
    facts: str
    then: str
    now: str

    def level_text(self, energy: str) -> str:
        """*energy*, which is the reference's, as a headline has it."""
        return f"baseline {energy}" if self is THE_BASELINE else f"{energy} on {self.name}"


THE_BASELINE = Reference(
    name="the baseline",
    facts="the newest session of the baseline",
    then="in the baseline",
    now="now",
)


def revision(before: str, after: str) -> Reference:
    """The side *before*, with which the side *after* is compared."""
    return Reference(name=before, facts=before, then=f"on {before}", now=f"on {after}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """One finding in words; what is empty is not shown.

    Attributes:
        headline: The number first, where there is one.
        cause: What is behind the number.
        advice: What to do.
        other_advice: What else may be done.
    """

    headline: str
    cause: str = ""
    advice: str = ""
    details: tuple[str, ...] = ()
    other_advice: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What the sentences are about: a record, its joules in words (empty without), and a reference.

    Attributes:
        energy: With the rounds that they are of, for a detail.
        brief_energy: Without, for a headline.
        is_by_counts: The verdict depends on the counts.
    """

    record: Record
    energy: str
    brief_energy: str
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
        estimates = " --estimates=gate" if self._gate else ""
        return f"pytest-energy accept RUN.json{estimates} (written by --energy-out=RUN.json)"

    @property
    def ab(self) -> str:
        """How to measure the test against another revision."""
        return " ".join(("pytest-energy ab REVISION --", shlex.quote(self.record.test_id), *self._gate))

    @property
    def when_quiet(self) -> tuple[str, str]:
        """What to do on a busy machine."""
        return (
            f"Close other programs and run the test again: {self.command()}",
            "If another program does the work (a server, a container), add server=True to the energy marker.",
        )

    @property
    def more_rounds(self) -> str:
        """How to have more rounds than there are; those of an estimate share the error of their process."""
        count = len(self.record.usable_rounds)
        if self.record.provenance is Provenance.ESTIMATED:
            counts = '@pytest.mark.energy(basis="counts")'
            return f"More rounds don't make an estimate more precise. Compare counts: {counts}"
        if count == 1:
            return "Take more rounds: measure the work with energy.measure(...), which repeats it."
        return f"Take more rounds: {self.command(f'--energy-rounds={2 * count}')}"
