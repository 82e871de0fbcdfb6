"""Judgements of a commit against the good one, by the one fact that matters."""

from dataclasses import replace

from pytest_energy.judgement import Comparison, CountsComparison, Judgement, Part, PartComparison, Verdict
from tests.builders import comparison, judgement

WORK = "t.py::test_work"


def by_joules(
    ratio: float,
    *,
    half: float = 0.01,
    test_id: str = WORK,
    allowed: float = 0.02,
    parts: tuple[PartComparison, ...] = (),
) -> Judgement:
    """All joules *ratio* times the good commit's 10 J; bounds *half* (a share) to each side."""
    bounds = (ratio * (1 - half), ratio * (1 + half))
    compared = replace(comparison(ratio, bounds, energy_j=10.0), tolerance=allowed, parts=parts)
    is_risen = bounds[0] > 1 + allowed or any(one.verdict is Verdict.REGRESSION for one in parts)
    is_passed = bounds[1] < 1 + allowed and not is_risen
    verdict = Verdict.REGRESSION if is_risen else Verdict.PASS if is_passed else Verdict.INCONCLUSIVE
    return judgement(test_id=test_id, energy_j=10.0 * ratio, verdict=verdict, compared=compared)


def part(kind: Part, ratio: float, *, half: float = 0.01, allowed: float = 1.02) -> PartComparison:
    bounds = (ratio * (1 - half), ratio * (1 + half))
    return PartComparison(
        part=kind,
        ratio=ratio,
        ratio_ci=bounds,
        detectable_ratio=1.05,
        allowed_ratio=allowed,
        energy_j=5.0,
        duration_s=1.0,
        verdict=Verdict.REGRESSION if bounds[0] > allowed else Verdict.PASS,
        is_judged=True,
    )


def by_counts(
    *,
    weight_ratio: float | None = None,
    rises: dict[str, tuple[float, float]] | None = None,
    lines: tuple[str, ...] = (),
    test_id: str = WORK,
) -> Judgement:
    """Counts of which those of *rises* rose; nothing was measured."""
    verdict = Verdict.REGRESSION if rises else Verdict.PASS
    counted = CountsComparison(
        entry_count=1, weight_ratio=weight_ratio, rises=rises or {}, verdict=verdict, lines=lines
    )
    one = judgement(test_id=test_id, energy_j=None, verdict=verdict)
    return replace(one, counts_comparison=counted)


def compared(one: Judgement) -> Comparison:
    assert one.comparison is not None
    return one.comparison
