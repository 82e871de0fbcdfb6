import math
import random
from statistics import fmean, stdev

import pytest
from scipy.stats import norm, t, trim_mean

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.centre import Spread
from pytest_energy.stats.compare import (
    ALONE,
    PRIOR_BETWEEN_DF,
    PRIOR_BETWEEN_SD,
    PRIOR_ROUND_CV,
    PRIOR_ROUND_DF,
    Bounds,
    budget_bounds,
    centre_ratio,
    compare,
    compare_levels,
    informed,
    odd_places,
    shrunk_variance,
    summarise,
)
from pytest_energy.stats.level import Level, RoundEnergies, level_of, rounds_level
from tests.builders import rounds_of, steady_rounds


def bounds(
    fresh: RoundEnergies, *sessions: RoundEnergies, tolerance: float = 0.05, alpha: float = 0.05
) -> Bounds:
    return compare(fresh, sessions, tolerance=tolerance, alpha=alpha)


def drawn(
    rng: random.Random, *, ratio: float = 1.0, cv: float, between_sd: float, round_count: int = 5
) -> RoundEnergies:
    """A session of 100 J with noise between and within sessions."""
    centre = math.log(100 * ratio) + rng.gauss(0, between_sd)
    return rounds_of(*(math.exp(centre + rng.gauss(0, cv)) for _ in range(round_count)))


def regression_share(
    *, ratio: float, cv: float, between_sd: float, sessions: int, trials: int = 2000
) -> float:
    """Share of trials that 5 fresh rounds are called a regression of more than 5 %."""
    rng = random.Random(7)  # noqa: S311  # noise that repeats
    called = 0
    for _ in range(trials):
        olds = [drawn(rng, cv=cv, between_sd=between_sd) for _ in range(sessions)]
        fresh = drawn(rng, ratio=ratio, cv=cv, between_sd=between_sd)
        called += bounds(fresh, *olds).lower > 1.05
    return called / trials


class TestRoundEnergies:
    @pytest.mark.parametrize("energy_j", [0.0, -1.0, math.nan, math.inf])
    def test_a_round_without_a_logarithm_is_refused(self, energy_j: float) -> None:
        """A round that is 0, negative or not finite can't be compared, and the message shows it."""
        with pytest.raises(NotMeasurable, match=f"reads {energy_j} J"):
            rounds_of(10.0, energy_j)

    @pytest.mark.parametrize("uncertainty_j", [-0.1, math.nan, math.inf])
    def test_an_uncertainty_that_is_none_is_refused(self, uncertainty_j: float) -> None:
        """An uncertainty is finite and not negative."""
        with pytest.raises(NotMeasurable, match="uncertainty"):
            rounds_of(10.0, uncertainty_j=uncertainty_j)

    def test_no_round_is_no_sample(self) -> None:
        """A sample has at least one round."""
        with pytest.raises(NotMeasurable, match="without rounds"):
            rounds_of()

    def test_each_round_has_its_uncertainty(self) -> None:
        """As many uncertainties as rounds."""
        with pytest.raises(NotMeasurable, match="2 rounds but 1 uncertainties"):
            RoundEnergies(energies_j=(1.0, 2.0), uncertainties_j=(0.1,))


class TestCompare:
    def test_formula_from_one_session(self) -> None:
        """K = 1: tau0 with its prior degrees of freedom, and the pooled spread of both records."""
        fresh, old = (110.0, 111.0, 112.0), (99.0, 100.0, 102.0)
        f, b = [math.log(v) for v in fresh], [math.log(v) for v in old]
        pooled = (stdev(f) ** 2 + stdev(b) ** 2) / 2
        between, within = 2 * PRIOR_BETWEEN_SD**2, max(pooled, stdev(f) ** 2) / 3 + pooled / 3
        df = (between + within) ** 2 / (between**2 / PRIOR_BETWEEN_DF + within**2 / 4)
        half = float(t.ppf(0.95, df)) * math.sqrt(between + within)
        result = bounds(rounds_of(*fresh), rounds_of(*old))
        assert result.ratio == pytest.approx(math.exp(fmean(f) - fmean(b)))
        assert result.lower == pytest.approx(math.exp(fmean(f) - fmean(b) - half))
        assert result.upper == pytest.approx(math.exp(fmean(f) - fmean(b) + half))

    def test_formula_from_three_sessions(self) -> None:
        """K = 3: the spread between the sessions, less what is from within them, joins the prior."""
        fresh, olds = (100.0, 101.0), ((95.0, 96.0), (100.0, 102.0), (106.0, 104.0))
        f, bs = [math.log(v) for v in fresh], [[math.log(v) for v in old] for old in olds]
        pooled = fmean([stdev(x) ** 2 for x in (f, *bs)])
        seen = stdev([fmean(b) for b in bs]) ** 2 - pooled / 2
        tau2 = (PRIOR_BETWEEN_DF * PRIOR_BETWEEN_SD**2 + 2 * seen) / (PRIOR_BETWEEN_DF + 2)
        between, within = tau2 * 4 / 3, max(pooled, stdev(f) ** 2) / 2 + pooled / 6
        df = (between + within) ** 2 / (between**2 / (PRIOR_BETWEEN_DF + 2) + within**2 / 4)
        expected = fmean(f) - fmean(map(fmean, bs)) - float(t.ppf(0.95, df)) * math.sqrt(between + within)
        assert bounds(rounds_of(*fresh), *(rounds_of(*old) for old in olds)).lower == pytest.approx(
            math.exp(expected)
        )

    def test_own_uncertainty_is_not_averaged_away(self) -> None:
        """With u = 2 % in each of a hundred rounds, the bounds stay at least z 2 % sqrt(1 + 1/K) apart."""
        fresh, old = (
            rounds_of(*[100.0] * 100, uncertainty_j=2.0),
            rounds_of(*[100.0] * 100, uncertainty_j=2.0),
        )
        floor = float(norm.ppf(0.95)) * 0.02 * math.sqrt(2)
        assert math.log(bounds(fresh, old).upper) > floor

    def test_own_uncertainty_adds_in_quadrature(self) -> None:
        """half^2 grows by z^2 (u_f^2 + sum u_k^2 / K^2), each u the mean of its rounds."""
        own = float(norm.ppf(0.95)) ** 2 * (0.03**2 + (0.02**2 + 0.04**2) / 4)
        plain = bounds(rounds_of(100.0, 100.0), rounds_of(50.0, 50.0), rounds_of(200.0, 200.0))
        fresh = RoundEnergies(energies_j=(100.0, 100.0), uncertainties_j=(2.0, 4.0))
        olds = rounds_of(50.0, 50.0, uncertainty_j=1.0), rounds_of(200.0, 200.0, uncertainty_j=8.0)
        half = math.log(bounds(fresh, *olds).upper / plain.ratio)
        assert half**2 == pytest.approx(math.log(plain.upper / plain.ratio) ** 2 + own)

    def test_own_uncertainty_widens(self) -> None:
        """A larger uncertainty of the rounds gives wider bounds around the same ratio."""
        sure, unsure = (bounds(steady_rounds(uncertainty_j=u), steady_rounds()) for u in (0.0, 3.0))
        assert unsure.ratio == sure.ratio
        assert unsure.lower < sure.lower
        assert unsure.upper > sure.upper

    def test_sessions_that_differ_widen(self) -> None:
        """Five sessions 3 % apart give wider bounds than five equal ones."""
        equal = bounds(steady_rounds(), *[steady_rounds()] * 5)
        apart = bounds(steady_rounds(), *(steady_rounds(100 * (1 + 0.03 * i)) for i in (-2, -1, 0, 1, 2)))
        assert apart.upper / apart.lower > equal.upper / equal.lower

    def test_a_noisy_run_is_not_judged_by_quiet_sessions(self) -> None:
        """The fresh record's own spread counts where it is larger than the pooled one."""
        noisy = rounds_of(80.0, 120.0, 95.0, 105.0, 100.0)
        quiet = [rounds_of(100.0, 100.1, 99.9, 100.0, 100.0)] * 9
        own = stdev([math.log(v) for v in noisy.energies_j]) / math.sqrt(5)
        assert math.log(bounds(noisy, *quiet).upper / bounds(noisy, *quiet).ratio) > 1.645 * own

    def test_one_fresh_round_takes_the_baselines_spread(self) -> None:
        """A record of one round pools from the sessions and says so."""
        result = bounds(rounds_of(100.0), steady_rounds())
        assert result.spread == Spread(source="baseline", count=1)
        assert math.isfinite(result.lower)

    def test_nothing_to_pool_takes_the_prior(self) -> None:
        """Single rounds everywhere: the prior CV of 3 % stands in, and that is told."""
        result = bounds(rounds_of(100.0), rounds_of(100.0))
        between, within = 2 * PRIOR_BETWEEN_SD**2, 2 * PRIOR_ROUND_CV**2
        df = (between + within) ** 2 / (between**2 / PRIOR_BETWEEN_DF + within**2 / PRIOR_ROUND_DF)
        half = float(t.ppf(0.95, df)) * math.sqrt(between + within)
        assert result.spread == Spread(source="assumed", count=1)
        assert result.upper == pytest.approx(math.exp(half))

    def test_several_rounds_show_their_own_spread(self) -> None:
        """Nothing is assumed or left out."""
        assert bounds(steady_rounds(), steady_rounds()).spread == Spread(source="own", count=5)

    def test_a_spike_does_not_move_the_trimmed_mean(self) -> None:
        """One round of ten at three times the energy changes neither centre nor verdict."""
        calm = [100.0 + i * 0.1 for i in range(10)]
        spiked = [*calm[:-1], 300.0]
        assert (
            bounds(rounds_of(*spiked), rounds_of(*calm)).ratio
            == bounds(rounds_of(*calm), rounds_of(*calm)).ratio
        )

    def test_trimming_is_told(self) -> None:
        """How many rounds are not in the mean is counted."""
        spread = bounds(rounds_of(*[100.0] * 12), steady_rounds()).spread
        assert spread == Spread(source="own", count=12, trimmed_count=2)

    def test_trimmed_mean_is_yuens(self) -> None:
        """From 8 rounds on the centre is the 20 % trimmed mean of ln J."""
        values = (90.0, 97.0, 99.0, 100.0, 100.5, 101.0, 103.0, 104.0, 106.0, 140.0)
        expected = float(trim_mean([math.log(v) for v in values], 0.2))
        assert math.log(bounds(rounds_of(*values), rounds_of(1.0, 1.0)).ratio) == pytest.approx(expected)

    def test_baseline_energy_is_the_geometric_mean_of_sessions(self) -> None:
        """Each session counts once, however many rounds it has."""
        result = bounds(rounds_of(1.0), rounds_of(100.0, 100.0, 100.0), rounds_of(400.0))
        assert result.baseline_j == pytest.approx(200.0)

    def test_detectable_ratio_is_caught_with_80_percent_power(self) -> None:
        """A true rise of the detectable ratio is called a regression about four times in five."""
        rng = random.Random(3)  # noqa: S311  # noise that repeats
        typical = [
            bounds(drawn(rng, cv=0.02, between_sd=0.01), drawn(rng, cv=0.02, between_sd=0.01))
            for _ in range(200)
        ]
        ratio = fmean(result.detectable_ratio for result in typical)
        caught = regression_share(ratio=ratio, cv=0.02, between_sd=0.01, sessions=1)
        assert 0.7 < caught < 0.95

    def test_detectable_ratio_is_past_the_tolerance(self) -> None:
        """What can be told starts above what is allowed."""
        assert bounds(steady_rounds(), steady_rounds(), tolerance=0.2).detectable_ratio > 1.2

    def test_a_smaller_alpha_widens(self) -> None:
        """Fewer false alarms cost width."""
        wide, narrow = (bounds(steady_rounds(), steady_rounds(), alpha=a) for a in (0.01, 0.1))
        assert wide.lower < narrow.lower
        assert wide.upper > narrow.upper

    def test_no_session_is_refused(self) -> None:
        """Nothing to compare with is an error, not a ratio of 1."""
        with pytest.raises(NotMeasurable, match="without sessions"):
            bounds(steady_rounds())

    def test_bounds_of_absurd_noise_stay_finite(self) -> None:
        """No overflow, however wide the bounds."""
        result = bounds(rounds_of(1e-300, 1e300), rounds_of(1e300, 1e-300), alpha=1e-6)
        assert all(math.isfinite(value) for value in (result.lower, result.upper, result.detectable_ratio))


class TestOperatingCharacteristics:
    """The table of the gate at a tolerance of 5 % and 5 rounds, on 2000 seeded trials a cell.

    Cells that are slow tests have as many trials as the others.
    """

    @pytest.mark.parametrize("sessions", [1, pytest.param(5, marks=pytest.mark.slow)])
    @pytest.mark.parametrize("cv", [0.01, 0.03])
    @pytest.mark.parametrize("between_sd", [pytest.param(0.0, marks=pytest.mark.slow), 0.02])
    def test_no_change_is_no_regression(self, cv: float, between_sd: float, sessions: int) -> None:
        """At most 1 % false regressions with up to 2 % between sessions."""
        assert regression_share(ratio=1.0, cv=cv, between_sd=between_sd, sessions=sessions) <= 0.01

    @pytest.mark.slow
    def test_no_change_between_sessions_that_differ_much(self) -> None:
        """At most 3 % false regressions with 3 % between sessions, from five sessions."""
        assert regression_share(ratio=1.0, cv=0.01, between_sd=0.03, sessions=5) <= 0.03

    @pytest.mark.parametrize(
        "sessions", [1, *(pytest.param(count, marks=pytest.mark.slow) for count in (5, 10))]
    )
    @pytest.mark.parametrize("cv", [0.01, 0.03])
    def test_at_the_tolerance_few_regressions(self, cv: float, sessions: int) -> None:
        """At most 7 % called at exactly +5 %."""
        assert regression_share(ratio=1.05, cv=cv, between_sd=0.01, sessions=sessions, trials=1000) <= 0.07

    @pytest.mark.parametrize(("sessions", "least"), [(1, 0.8), pytest.param(5, 0.95, marks=pytest.mark.slow)])
    def test_ten_percent_is_caught(self, sessions: int, least: float) -> None:
        """+10 % is caught four times in five from one session, and nearly always from five."""
        assert regression_share(ratio=1.1, cv=0.01, between_sd=0.01, sessions=sessions) >= least

    def test_twenty_percent_is_caught_from_one_session(self) -> None:
        """+20 % is always caught."""
        assert regression_share(ratio=1.2, cv=0.01, between_sd=0.01, sessions=1) >= 0.99


class TestShrunkVariance:
    def test_one_session_has_the_prior(self) -> None:
        """With one session the between-session variance is tau0 squared."""
        assert shrunk_variance([4.6]) == pytest.approx(PRIOR_BETWEEN_SD**2)

    def test_what_is_explained_is_taken_out_down_to_zero(self) -> None:
        """The part from within the sessions is taken out, and never more than there is."""
        values = [0.0, 0.01, 0.02]
        assert shrunk_variance(values, known=1.0) == pytest.approx(PRIOR_BETWEEN_SD**2 * 4 / 6)


class TestSummarise:
    def test_interval_is_students_without_own_uncertainty(self) -> None:
        """The 95 % t interval of the mean."""
        values = [99.0, 100.0, 103.0]
        half = float(t.ppf(0.975, 2)) * stdev(values) / math.sqrt(3)
        summary = summarise(values, [0.0] * 3)
        assert summary.energy_j == pytest.approx(fmean(values))
        assert summary.energy_ci_j == pytest.approx((fmean(values) - half, fmean(values) + half))
        assert summary.uncertainty_j == pytest.approx(stdev(values) / math.sqrt(3))

    def test_own_uncertainty_alone(self) -> None:
        """Rounds that agree exactly are still only known to their own uncertainty, undivided."""
        summary = summarise([100.0] * 10, [2.0] * 10)
        assert summary.uncertainty_j == pytest.approx(2.0)
        assert summary.energy_ci_j == pytest.approx((100 - 2 * 1.959964, 100 + 2 * 1.959964))

    def test_one_round_has_the_prior_spread(self) -> None:
        """The spread of one round is 3 %, and its own uncertainty comes on top."""
        assert summarise([100.0], [4.0]).uncertainty_j == pytest.approx(5.0)

    def test_joules_are_not_negative(self) -> None:
        """The interval of a wildly scattered mean ends at 0 J."""
        assert summarise([1.0, 100.0], [0.0, 0.0]).energy_ci_j[0] == 0.0

    def test_the_mean_is_of_all_rounds(self) -> None:
        """The reported mean is not trimmed: it is what the run used."""
        assert summarise([*[100.0] * 9, 200.0], [0.0] * 10).energy_j == pytest.approx(110.0)


class TestBudgetBounds:
    def test_one_sided_t(self) -> None:
        """Each bound is one-sided at alpha."""
        values = (99.0, 100.0, 103.0)
        half = float(t.ppf(0.95, 2)) * stdev(values) / math.sqrt(3)
        assert budget_bounds(rounds_of(*values), 0.05) == pytest.approx(
            (fmean(values) - half, fmean(values) + half)
        )

    def test_one_round_has_the_prior_spread(self) -> None:
        """One round is known to z times 3 %."""
        assert budget_bounds(rounds_of(100.0), 0.05)[1] == pytest.approx(100 + 3 * 1.644854)

    def test_all_rounds_count(self) -> None:
        """A budget is for what is paid: a few large rounds are in the mean and in its variance."""
        values = (90.0, 97.0, 99.0, 100.0, 101.0, 103.0, 104.0, 140.0)
        upper = fmean(values) + float(t.ppf(0.95, 7)) * stdev(values) / math.sqrt(8)
        assert budget_bounds(rounds_of(*values), 0.05)[1] == pytest.approx(upper)


def test_centre_ratio_is_the_ratio_of_geometric_means() -> None:
    """Seconds are centred as joules are."""
    assert centre_ratio([2.0, 8.0], [[1.0, 4.0], [2.0]]) == pytest.approx(2.0)


def levels(*centres: float, sd: float = 0.004, count: int = 6) -> list[Level]:
    """Records of *count* rounds around *centres*, in ln, each with the same small scatter."""
    off = [sd * (-1) ** place for place in range(count)]
    return [level_of([math.exp(centre + one) for one in off]) for centre in centres]


class TestOddSessions:
    @pytest.mark.parametrize("size", [0.06, 0.12, 0.30])
    def test_one_that_is_off_is_named(self, size: float) -> None:
        """One of five that is far above the others is the odd one, whatever its place."""
        sessions = levels(0.004, -0.003, size, 0.001, -0.005)
        assert odd_places(sessions, [0.0] * 5, ALONE) == (2,)

    def test_sessions_that_differ_are_not_odd(self) -> None:
        """Where all are far apart, the farthest is no exception."""
        sessions = levels(0.05, -0.06, 0.14, 0.02, -0.03)
        assert odd_places(sessions, [0.0] * 5, ALONE) == ()

    def test_two_of_five_are_none(self) -> None:
        """More than one in four are a way of sessions, not an accident."""
        assert odd_places(levels(0.0, 0.001, 0.3, 0.3, -0.002), [0.0] * 5, ALONE) == ()

    def test_two_of_eight_are_named(self) -> None:
        """Two that are off hide neither each other nor themselves."""
        sessions = levels(0.0, 0.2, 0.003, -0.002, 0.21, 0.001, -0.004, 0.002)
        assert odd_places(sessions, [0.0] * 8, ALONE) == (1, 4)

    def test_a_single_round_is_never_odd(self) -> None:
        """Nothing but the sessions tells how single rounds differ."""
        assert odd_places(levels(0.0, 0.001, 0.3, -0.002, 0.002, count=1), [0.0] * 5, ALONE) == ()

    def test_a_factor_explains_a_session(self) -> None:
        """What the session has in common over all tests makes it no odd one."""
        sessions = levels(0.0, 0.001, 0.3, -0.002, 0.002)
        assert odd_places(sessions, [0.0, 0.0, 0.3, 0.0, 0.0], ALONE) == ()


class TestInformed:
    def test_sessions_that_differ_widen_the_noise(self) -> None:
        """Half the mean square of successive differences, drawn towards what was known before."""
        noise = informed(ALONE, levels(0.0, 0.06, 0.0, 0.06, sd=0.0))
        assert noise.between_df == pytest.approx(PRIOR_BETWEEN_DF + 2)
        expected = (PRIOR_BETWEEN_DF * PRIOR_BETWEEN_SD**2 + 2 * 0.06**2 / 2) / (PRIOR_BETWEEN_DF + 2)
        assert noise.between_sd == pytest.approx(math.sqrt(expected))

    def test_a_creep_hardly_does(self) -> None:
        """Seven sessions, each 1 % above the last, differ by less than sessions in general do."""
        assert informed(ALONE, levels(*(0.01 * k for k in range(7)), sd=0.0)).between_sd < PRIOR_BETWEEN_SD

    def test_one_session_tells_nothing(self) -> None:
        """What differs takes two."""
        assert informed(ALONE, levels(0.1)) is ALONE


class TestSingleRounds:
    def test_five_sessions_show_how_single_rounds_differ(self) -> None:
        """From five sessions on the bounds are Student's of the sessions, with no assumed scatter in them."""
        centres = [0.0, 0.08, -0.05, 0.03, -0.06]
        fresh, *sessions = (rounds_of(100 * math.exp(centre)) for centre in (0.1, *centres))
        found = bounds(fresh, *sessions)
        half = float(t.isf(0.05, 4)) * stdev(centres) * math.sqrt(1 + 1 / 5)
        assert found.is_proof
        assert math.log(found.upper / found.ratio) == pytest.approx(half, rel=1e-9)

    def test_four_prove_nothing(self) -> None:
        """Below five no rise is proven, however large."""
        assert not bounds(rounds_of(200.0), *[rounds_of(100.0)] * 4).is_proof


class TestDetectable:
    def test_it_holds_the_confirming_batch(self) -> None:
        """The limit, what the smaller of two batches loses, and the spread that is left: rule 5."""
        fresh, session = steady_rounds(), steady_rounds()
        found = bounds(fresh, session)
        scatter = stdev(math.log(energy_j) for energy_j in fresh.energies_j) ** 2 / 5
        between = 2 * PRIOR_BETWEEN_SD**2
        df = (between + 2 * scatter) ** 2 / (between**2 / PRIOR_BETWEEN_DF + (2 * scatter) ** 2 / 8)
        left = between + 2 * scatter - scatter / math.pi
        reserve = math.sqrt(scatter / math.pi) + float(t.isf(0.2, df)) * math.sqrt(left)
        limit = math.log(1.05) + math.log(found.ratio / found.lower)
        assert math.log(found.detectable_ratio) == pytest.approx(limit + reserve, rel=1e-9)

    def test_a_rise_among_many_tests_must_be_larger(self) -> None:
        """At no tolerance the number of tests decides what is detectable."""
        fresh, session = (rounds_level(steady_rounds()) for _ in range(2))
        one, many = (
            compare_levels(fresh, [session], tolerance=0.0, alpha=0.05, test_count=count)
            for count in (1, 200)
        )
        assert many.detectable_ratio / one.detectable_ratio == pytest.approx(one.lower / many.chance_lower)


def test_a_large_round_that_may_come_again_is_in_the_repeated_ratio() -> None:
    """Of ten rounds one of 200 J: the plain mean is +10 %, with one more of them +18 %."""
    found = bounds(rounds_of(*[100.0] * 9, 200.0), rounds_of(*[100.0] * 10))
    assert found.plain_ratio == pytest.approx(1.10)
    assert found.repeated_ratio == pytest.approx(1300 / 1100)


def test_few_rounds_leave_none_out() -> None:
    """Below eight rounds the mean is the plain one, and no round counts twice."""
    found = bounds(rounds_of(100.0, 100.0, 100.0, 130.0, 100.0), rounds_of(*[100.0] * 5))
    assert found.repeated_ratio == found.plain_ratio == pytest.approx(1.06)
