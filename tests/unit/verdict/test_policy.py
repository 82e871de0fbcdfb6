import math

import pytest

from pytest_energy.basis import Basis
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import FAILING, UNDECIDED, Judgement, Part, Verdict
from pytest_energy.run_judgement import BaselineMode
from pytest_energy.verdict.policy import Policy, is_failing
from tests.builders import judgement, record


@pytest.mark.parametrize("tolerance", [-0.01, math.nan, math.inf])
def test_tolerance_is_a_share(tolerance: float) -> None:
    """A tolerance that switches the gate off is refused."""
    with pytest.raises(SettingsError, match="tolerance is"):
        Policy(tolerance=tolerance)


@pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan])
def test_alpha_is_a_chance(alpha: float) -> None:
    """Bounds need an alpha between 0 and one half."""
    with pytest.raises(SettingsError, match="alpha is"):
        Policy(alpha=alpha)


@pytest.mark.parametrize("verdict", list(Verdict))
@pytest.mark.parametrize("strict", [False, True])
def test_what_fails(verdict: Verdict, *, strict: bool) -> None:
    """Past a limit always; any doubt under strict; a pass or an improvement never."""
    judgement = Judgement(record=record(), verdict=verdict, reason="")
    expected = verdict in FAILING or (strict and verdict in UNDECIDED)
    assert is_failing(judgement, strict=strict) is expected
    assert not is_failing(Judgement(record=record(), verdict=Verdict.PASS, reason=""), strict=strict)


@pytest.mark.parametrize("verdict", Verdict)
def test_what_a_run_answers_fails_nothing(verdict: Verdict) -> None:
    """A baseline that a run writes answers its want; one that it replaces also what the old one says."""
    one = judgement(verdict=verdict)
    wanting = verdict is Verdict.NO_BASELINE
    for mode in (BaselineMode.ADD, BaselineMode.OFF):
        assert is_failing(one, strict=True, mode=mode) is (is_failing(one, strict=True) and not wanting)
    is_old = wanting or verdict in {Verdict.REGRESSION, Verdict.NOT_COMPARABLE}
    assert is_failing(one, strict=True, mode=BaselineMode.REPLACE) is (
        is_failing(one, strict=True) and not is_old
    )


def test_terms_say_all_of_a_policy() -> None:
    """What is kept of it gives it back."""
    policy = Policy(
        tolerance=0.2,
        alpha=0.01,
        gates_estimates=True,
        basis=Basis(is_net=True, is_per_sample=True),
        parts=frozenset({Part.JOULES}),
        is_by_counts=True,
        counts_tolerance=0.03,
    )
    assert Policy.of(policy.terms) == policy
