"""What is asked of a record: how far it may be from its baseline, and how sure that must be."""

import math
from dataclasses import dataclass, field

from pytest_energy.basis import Basis
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import FAILING, UNDECIDED, Judgement, Part, Terms, Verdict
from pytest_energy.run_judgement import BaselineMode

ALL_PHASES = "all"
"""Stands for each phase that a baseline has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The limits that a record is judged by.

    Attributes:
        tolerance: Accepted rise, a share, at least 0.
        alpha: Accepted chance of a false alarm at the edge of the tolerance, one-sided, 0 to 0.5.
        gates_estimates: Estimated joules may pass and fail tests.
        basis: Which joules are compared with the baseline.
        parts: Which parts of them may fail a test.
        is_by_counts: Counts are compared with the baseline, and joules with a budget alone.
        counts_tolerance: Accepted rise of counts, a share; 0, as they have no noise.
        is_server: The work runs in another program on this machine, so what others use may be the work.
        ignores_baselines: No baseline is looked at.
        phase_baselines: Phases that may fail the test by their own baseline, or `ALL_PHASES`.

    Raises:
        SettingsError: *tolerance* or *alpha* is out of its range.
    """

    tolerance: float = 0.05
    alpha: float = 0.05
    gates_estimates: bool = False
    basis: Basis = field(default_factory=Basis)
    parts: frozenset[Part] = frozenset({Part.WORK, Part.WAITING})
    is_by_counts: bool = False
    counts_tolerance: float = 0.0
    is_server: bool = False
    ignores_baselines: bool = False
    phase_baselines: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise SettingsError(f"tolerance is {self.tolerance}; it is a share of at least 0, such as 0.05")
        if not 0 < self.alpha < 0.5:
            raise SettingsError(f"alpha is {self.alpha}; it is a chance above 0 and below 0.5, such as 0.05")

    @classmethod
    def of(cls, terms: Terms) -> "Policy":
        """What was asked of a test that was judged by *terms*.

        Raises:
            SettingsError: As for a policy.
        """
        return cls(
            tolerance=terms.tolerance,
            alpha=terms.alpha,
            gates_estimates=terms.gates_estimates,
            basis=Basis(is_net=terms.is_net, is_per_sample=terms.is_per_sample),
            parts=terms.parts,
            is_by_counts=terms.is_by_counts,
            counts_tolerance=terms.counts_tolerance,
            is_server=terms.is_server,
            phase_baselines=terms.phase_baselines,
        )

    def gates_phase(self, name: str) -> bool:
        """Whether the phase *name* may fail the test by its own baseline."""
        return name in self.phase_baselines or ALL_PHASES in self.phase_baselines

    @property
    def terms(self) -> Terms:
        """The same as it is kept with what was judged by it."""
        return Terms(
            tolerance=self.tolerance,
            alpha=self.alpha,
            gates_estimates=self.gates_estimates,
            is_net=self.basis.is_net,
            is_per_sample=self.basis.is_per_sample,
            parts=self.parts,
            is_by_counts=self.is_by_counts,
            counts_tolerance=self.counts_tolerance,
            is_server=self.is_server,
            phase_baselines=self.phase_baselines,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundsWanted:
    """Rounds that are wanted before the verdict: to confirm a regression, or to decide what is in doubt."""

    count: int
    is_confirming: bool


ANSWERED = {
    BaselineMode.CHECK: frozenset[Verdict](),
    BaselineMode.OFF: frozenset({Verdict.NO_BASELINE}),
    BaselineMode.ADD: frozenset({Verdict.NO_BASELINE}),
    BaselineMode.REPLACE: frozenset({Verdict.NO_BASELINE, Verdict.NOT_COMPARABLE, Verdict.REGRESSION}),
}
"""Verdicts that a run answers by writing a baseline, or by not looking at any: no failure then."""


def is_failing(judgement: Judgement, *, strict: bool, mode: BaselineMode = BaselineMode.CHECK) -> bool:
    """Whether the test must fail: past a limit, under *strict* for any doubt, unless *mode* answers it."""
    if judgement.verdict in ANSWERED[mode]:
        return False
    return judgement.verdict in FAILING or (strict and judgement.verdict in UNDECIDED)
