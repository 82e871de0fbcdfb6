import math

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import FAILING, UNDECIDED, Judgement, Verdict
from pytest_energy.verdict.policy import Policy, is_failing
from tests.builders import record


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
