import math

from hypothesis import assume, given
from hypothesis import strategies as st

from pytest_energy.stats.compare import budget_bounds, compare, summarise
from pytest_energy.stats.correlate import spearman
from pytest_energy.stats.drift import cusum
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.rounds import needs_more

energies = st.floats(min_value=1e-3, max_value=1e6)
alphas = st.floats(min_value=0.01, max_value=0.4)
tolerances = st.floats(min_value=0.0, max_value=1.0)
factors = st.floats(min_value=0.01, max_value=100.0)
columns = st.lists(st.integers(min_value=-5, max_value=5), min_size=5, max_size=7)


@st.composite
def samples(draw: st.DrawFn) -> RoundEnergies:
    values = draw(st.lists(energies, min_size=1, max_size=12))
    shares = [draw(st.floats(min_value=0.0, max_value=0.3)) for _ in values]
    return RoundEnergies(
        energies_j=tuple(values),
        uncertainties_j=tuple(value * share for value, share in zip(values, shares, strict=True)),
    )


def scaled(sample: RoundEnergies, factor: float) -> RoundEnergies:
    return RoundEnergies(
        energies_j=tuple(value * factor for value in sample.energies_j),
        uncertainties_j=tuple(value * factor for value in sample.uncertainties_j),
    )


baselines = st.lists(samples(), min_size=1, max_size=4)


@given(samples(), baselines, tolerances, alphas)
def test_bounds_hold_the_ratio(
    fresh: RoundEnergies, olds: list[RoundEnergies], tolerance: float, alpha: float
) -> None:
    """lower < ratio < upper, all above 0, and the detectable ratio is past the tolerance."""
    bounds = compare(fresh, olds, tolerance=tolerance, alpha=alpha)
    assert 0 < bounds.lower < bounds.ratio < bounds.upper < math.inf
    assert bounds.detectable_ratio > 1 + tolerance


@given(samples(), baselines, factors)
def test_the_unit_does_not_matter(fresh: RoundEnergies, olds: list[RoundEnergies], factor: float) -> None:
    """Joules or watt-hours: the same bounds."""
    joules = compare(fresh, olds, tolerance=0.05, alpha=0.05)
    others = compare(scaled(fresh, factor), [scaled(old, factor) for old in olds], tolerance=0.05, alpha=0.05)
    assert math.isclose(joules.lower, others.lower, rel_tol=1e-6)
    assert math.isclose(joules.upper, others.upper, rel_tol=1e-6)


@given(samples(), baselines)
def test_order_does_not_matter(fresh: RoundEnergies, olds: list[RoundEnergies]) -> None:
    """Neither the order of rounds nor that of sessions changes the bounds."""
    backwards = RoundEnergies(
        energies_j=fresh.energies_j[::-1],
        uncertainties_j=fresh.uncertainties_j[::-1],
    )
    one = compare(fresh, olds, tolerance=0.05, alpha=0.05)
    other = compare(backwards, olds[::-1], tolerance=0.05, alpha=0.05)
    assert math.isclose(one.lower, other.lower, rel_tol=1e-9)
    assert math.isclose(one.upper, other.upper, rel_tol=1e-9)


@given(samples(), baselines, st.floats(min_value=0.0, max_value=0.3))
def test_less_certain_rounds_never_narrow_the_bounds(
    fresh: RoundEnergies, olds: list[RoundEnergies], share: float
) -> None:
    """More uncertainty in each round, wider bounds."""
    worse = RoundEnergies(
        energies_j=fresh.energies_j,
        uncertainties_j=tuple(
            u + share * e for e, u in zip(fresh.energies_j, fresh.uncertainties_j, strict=True)
        ),
    )
    before = compare(fresh, olds, tolerance=0.05, alpha=0.05)
    after = compare(worse, olds, tolerance=0.05, alpha=0.05)
    assert after.lower <= before.lower
    assert after.upper >= before.upper


@given(samples())
def test_mean_lies_in_its_interval(sample: RoundEnergies) -> None:
    """The interval holds the mean, and no negative joules."""
    summary = summarise(sample.energies_j, sample.uncertainties_j)
    assert 0 <= summary.energy_ci_j[0] <= summary.energy_j <= summary.energy_ci_j[1]
    assert summary.uncertainty_j >= 0


@given(samples(), alphas, alphas)
def test_budget_bounds_widen_with_confidence(sample: RoundEnergies, one: float, other: float) -> None:
    """A smaller alpha gives wider bounds."""
    wide, narrow = budget_bounds(sample, min(one, other)), budget_bounds(sample, max(one, other))
    assert wide[0] <= narrow[0] <= narrow[1] <= wide[1]


@given(samples(), st.floats(min_value=0.0, max_value=0.1), st.integers(min_value=1, max_value=12))
def test_rounds_end_at_the_cap(sample: RoundEnergies, precision: float, cap: int) -> None:
    """Whatever the noise, the cap is the end, and before the least there is none."""
    count = len(sample.energies_j)
    more = needs_more(sample.energies_j, sample.uncertainties_j, precision=precision, least=2, cap=cap)
    assert more is False if count >= cap else more or count > 2


@given(columns, st.data())
def test_rho_knows_only_order(x: list[int], data: st.DataObject) -> None:
    """A rising transform changes nothing, a falling one the sign only; x and y may change places."""
    y = data.draw(st.lists(st.integers(-5, 5), min_size=len(x), max_size=len(x)))
    result = spearman(x, y, seed=1)
    assume(result.rho is not None)
    assert result.rho is not None
    turned = spearman(x, [-value for value in y], seed=1)
    assert spearman([value**3 for value in x], y, seed=1).rho == result.rho
    assert turned.rho == -result.rho
    assert turned.p_exact == result.p_exact
    assert spearman(y, x, seed=1).rho == result.rho
    assert -1 <= result.rho <= 1
    assert result.p_exact is not None
    assert 0 < result.p_exact <= 1


@given(st.lists(st.floats(-10, 10), max_size=20), st.integers(0, 19), st.floats(0, 5))
def test_more_energy_never_lowers_a_chart(values: list[float], place: int, rise: float) -> None:
    """A session that uses more lowers no height, its own or a later one's."""
    higher = [value + rise if index == place else value for index, value in enumerate(values)]
    assert all(before <= after for before, after in zip(cusum(values), cusum(higher), strict=True))
