"""How a run was judged as a whole: with which baselines, and what its tests have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pytest_energy.judgement import Part


class BaselineMode(StrEnum):
    """What a run does with stored baselines."""

    CHECK = "check"
    ADD = "add"
    REPLACE = "replace"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFactor:
    """What all tests of a session have in common, compared with the sessions that judge.

    Attributes:
        part: Of work where tests have parts, else of all joules.
        channels: That the tests measure.
        ratio: This session over the baselines' sessions.
        ratio_ci: Bounds of it, each one-sided at alpha.
        test_count: Tests that it is of.
        yardstick: By how much the yardstick's loads have moved for certain, by name; empty without one.
        session: Name of the process that measured; `None` if not recorded.
    """

    part: Part
    channels: tuple[str, ...]
    ratio: float
    ratio_ci: tuple[float, float]
    test_count: int
    yardstick: Mapping[str, float] = field(default_factory=dict)
    session: str | None = None

    @property
    def unexplained_ratio(self) -> float:
        """What is left of the lower bound if the machine has moved as far as some load of the yardstick."""
        moves = [*self.yardstick.values(), 1.0]
        return self.ratio_ci[0] / min(max(self.ratio_ci[0], min(moves)), max(moves))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunJudgement:
    """How a run was judged as a whole, and the result.

    Attributes:
        baseline_mode: What it did with stored baselines.
        is_strict: A verdict that is undecided fails a test, too.
        tolerance: Accepted rise of what all tests of a process have in common, a share.
        alpha: Chance that the truth of that lies beyond one of its bounds.
        failures: Why the run failed as a whole, one sentence a process.
        factors: What the tests of each process have in common.
    """

    baseline_mode: BaselineMode
    is_strict: bool
    tolerance: float
    alpha: float
    failures: tuple[str, ...] = ()
    factors: tuple[SessionFactor, ...] = ()

    @property
    def failure_notes(self) -> tuple[str, ...]:
        """*failures* as notes of the run."""
        return tuple(f"FAILED: {failure}" for failure in self.failures)
