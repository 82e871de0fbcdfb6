"""How far a fresh record is from its baseline, and how sure that is. Pure: levels in, bounds out.

Rule 1: one formula for every number of sessions K, for one test or many. With f the level of the fresh rounds
    and b the mean of the sessions' levels (all of ln J, each less its session's own factor), n and n_k their
    round counts, the bounds of the true ratio are

        exp(f - b -+ sqrt(t^2 (V_between + V_within + V_factor) + z^2 V_own))
        V_between = tau^2 (1/J + 1/K)           tau^2 = (nu0 tau0^2 + (K-1) s_tau^2) / (nu0 + K - 1); J is 1,
                                                or how many attempts at the same code f is the mean of
        V_within  = r (s_f^2/n + sum(s^2/n_k)/K^2)   s^2 pooled over all rounds; s_f^2 the larger of it and
                                                the fresh record's own; r where neighbouring rounds are alike
        V_factor  = variance of the fresh session's factor
        V_own     = u_f^2 + sum(u_k^2)/K^2      u the mean relative standard uncertainty of a record's rounds

    tau0 and nu0 are what is known of sessions before this test's own tell: of one test alone an assumption,
    of many what they show together (`suite`). s_tau^2 is the variance of the sessions' levels less the share
    of s^2 in it, never below 0; t has the Satterthwaite degrees of freedom of the terms.
Rule 2: a round's own uncertainty is not divided by the number of rounds. What part of it is the same in each
    round is not known, and that part does not average away.
Rule 3: a session that is off by itself is left out of b and tau, from four sessions on, and is named: one
    that lies four standard deviations from the others, by what they show or is known before them, whichever
    is more. Where more than one in four are off, none is: sessions then differ, and that is what tau is for.
    Nor is one of single rounds: how those differ only the sessions tell, all of them.
Rule 4: one round compared with single rounds proves no rise below five sessions: nothing shows their spread.
    From five on the sessions show it: what they differ by holds their rounds, and no scatter of rounds is
    assumed.
Rule 5: what is detectable holds the confirming batch. With L the limit that a rise must pass, w the part of
    V_within that the fresh rounds have and V the sum of the variances,

        detectable = exp(L + sqrt(w/pi) + sqrt(t^2 (V - w/pi) + z^2 V_own))      t, z at 1 - POWER
        L = max(ln(1 + tolerance) + half(alpha), half(alpha / m))

    as both batches must pass L, and they share all but their own rounds: the smaller of two normal values
    lies sqrt(w/pi) below their mean, with the variance w (1 - 1/pi).

Source:
    Shrunk variance: the posterior scale of a scaled inverse chi-square prior, Gelman et al., Bayesian Data
    Analysis, 3rd ed., section 2.6. Degrees of freedom: Satterthwaite 1946, Biometrics Bulletin 2, 110.
    Trimmed mean: Yuen 1974, Biometrika 61, 165. Smaller of two normal values: David and Nagaraja, Order
    Statistics, 3rd ed., section 3.2. Constants: simulated for this project.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import fmean, median

from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Summary
from pytest_energy.stats.centre import Centre, Spread, half_width, plain_centre_of, spread_of, variance
from pytest_energy.stats.level import Level, RoundEnergies, correlation_factor, level_of, rounds_level
from pytest_energy.stats.ratio import ratio_of

PRIOR_BETWEEN_SD = 0.01
"""tau0: standard deviation in ln J between sessions of unchanged code, where no baseline tells. On an H100
five processes of ResNet-18 had 1.4 %, the scatter within them included; vLLM at a fixed rate 0.2 to 0.3 %."""

PRIOR_BETWEEN_DF = 4
"""nu0: how many degrees of freedom the prior is worth. The smallest that catches a rise of 10 % from one
session with some reserve over 80 % (simulated at tolerance 5 %, 5 rounds of CV 1 %, between-session SD 1 %:
82 % with 3, 85 % with 4, 88 % with 8); a larger one trusts the prior longer where sessions differ by more."""

PRIOR_ROUND_CV = 0.03
"""Spread of rounds when there is nothing to take it from: the middle of the 1 to 5 % that GPU work shows."""

PRIOR_ROUND_DF = 4
"""What that assumption is worth where it decides a comparison."""

POWER = 0.8
"""Chance to detect a rise of just what is said to be detectable."""

LEAST_PROVING_SESSIONS = 5
"""Sessions of one round that show how single rounds differ."""

_LEAST_ROBUST_SESSIONS = 4
_MOST_ODD_SHARE = 0.25
_ODD_LIMIT = 4.0  # standard deviations; of normal sessions one in 16,000 is beyond


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How sessions of unchanged code differ, as far as something else than the test's own sessions tells.

    Attributes:
        between_sd: Standard deviation of a level between sessions, in ln.
        between_df: Degrees of freedom that this is worth.
        factor: What the fresh session has in common over all tests, in ln.
        factor_sd: Standard deviation of *factor*.
        session_factors: The same of each session of the baseline, in their order; empty if it isn't known.
    """

    between_sd: float = PRIOR_BETWEEN_SD
    between_df: float = PRIOR_BETWEEN_DF
    factor: float = 0.0
    factor_sd: float = 0.0
    session_factors: tuple[float, ...] = ()


ALONE = Noise()
"""Of a test by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The ratio of a fresh record to its baseline.

    Attributes:
        ratio: Fresh over baseline.
        lower: The true ratio is above this, at confidence 1 - alpha.
        upper: The true ratio is below this, at confidence 1 - alpha.
        chance_lower: As *lower*, at alpha over the number of tests: what a rise among many must exclude.
        plain_ratio: Ratio of the plain means, in which a few large rounds count.
        repeated_ratio: The same if the fresh record's largest round came once more.
        detectable_ratio: Smallest true ratio that is called a regression with 80 % power.
        baseline_j: Joules of the baseline: geometric mean of the sessions' (trimmed) geometric means.
        spread: What the bounds rest on.
        odd_places: Places of the sessions that were left out because they are off by themselves.
        is_proof: Whether the bounds may prove a rise (rule 4).
    """

    ratio: float
    lower: float
    upper: float
    chance_lower: float
    plain_ratio: float
    repeated_ratio: float
    detectable_ratio: float
    baseline_j: float
    spread: Spread
    odd_places: tuple[int, ...] = ()
    is_proof: bool = True


def compare(
    fresh: RoundEnergies,
    sessions: Sequence[RoundEnergies],
    *,
    tolerance: float,
    alpha: float,
    round_count: int | None = None,
) -> Bounds:
    """`compare_levels` of the rounds of one test by itself."""
    return compare_levels(
        rounds_level(fresh),
        [rounds_level(session) for session in sessions],
        tolerance=tolerance,
        alpha=alpha,
        round_count=round_count,
    )


def compare_levels(
    fresh: Level,
    sessions: Sequence[Level],
    *,
    tolerance: float,
    alpha: float,
    noise: Noise = ALONE,
    test_count: int = 1,
    round_count: int | None = None,
) -> Bounds:
    """Bounds of the true ratio of *fresh* to the baseline *sessions*: rule 1.

    Args:
        fresh: The record to judge.
        sessions: The baseline, at least one session.
        tolerance: Accepted rise, a share; decides only what is detectable.
        alpha: Chance, for each bound, that the true ratio lies beyond it.
        noise: How sessions of unchanged code differ.
        test_count: Tests that are judged together; a rise must also exclude no change at *alpha* over that.
        round_count: Rounds that *fresh* would have, of the same centre and spread; its own if `None`.

    Raises:
        NotMeasurable: There is no session.
    """
    if not sessions:
        raise NotMeasurable("a baseline without sessions can't be compared with")
    factors = noise.session_factors or (0.0,) * len(sessions)
    odd = odd_places(sessions, factors, noise)
    kept = [place for place in range(len(sessions)) if place not in odd]
    olds, factors = [sessions[place] for place in kept], tuple(factors[place] for place in kept)
    centres = [old.centre - factor for old, factor in zip(olds, factors, strict=True)]
    error = _Error.of(fresh, olds, centres, noise, fresh.count if round_count is None else round_count)
    half = error.half(alpha)
    chance_half = error.half(alpha / test_count) if test_count > 1 else half
    plain = fmean(old.plain for old in olds) + noise.factor - fmean(factors)
    difference = fresh.centre - noise.factor - fmean(centres)
    limit = max(math.log1p(tolerance) + half, chance_half if test_count > 1 else 0.0)
    is_single = _is_single(fresh, olds)
    return Bounds(
        ratio=ratio_of(difference),
        lower=ratio_of(difference - half),
        upper=ratio_of(difference + half),
        chance_lower=ratio_of(difference - chance_half),
        plain_ratio=ratio_of(fresh.plain - plain),
        repeated_ratio=ratio_of(fresh.repeated - plain),
        detectable_ratio=ratio_of(limit + error.reserve),
        baseline_j=ratio_of(fmean(old.centre for old in olds)),
        spread=spread_of(fresh.count, has_baseline=not is_single),
        odd_places=odd,
        is_proof=not is_single or len(olds) >= LEAST_PROVING_SESSIONS,
    )


def odd_places(sessions: Sequence[Level], factors: Sequence[float], noise: Noise) -> tuple[int, ...]:
    """Places of the sessions that are off by themselves: rule 3."""
    if len(sessions) < _LEAST_ROBUST_SESSIONS or max(session.count for session in sessions) == 1:
        return ()
    centres = [session.centre - factor for session, factor in zip(sessions, factors, strict=True)]
    middle, round_variance = median(centres), _pooled_variance(sessions)[0]
    nearest_first = sorted(range(len(sessions)), key=lambda place: abs(centres[place] - middle))
    for count in range(int(_MOST_ODD_SHARE * len(sessions)), 0, -1):
        near, far = nearest_first[:-count], nearest_first[-count:]
        rest = [centres[place] for place in near]
        own = _own_variance([sessions[place] for place in near], rest, round_variance)
        between = max(noise.between_sd**2, own)
        limits = (
            _ODD_LIMIT * math.sqrt((between + round_variance / sessions[place].count) * (1 + 1 / len(near)))
            for place in far
        )
        if all(abs(centres[p] - fmean(rest)) > limit for p, limit in zip(far, limits, strict=True)):
            return tuple(sorted(far))
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Error:
    """The variances of rule 1, with their degrees of freedom.

    Attributes:
        batch_variance: Of the fresh centre, what its rounds bring; 0 if no second batch confirms them.
    """

    scatter: float
    df: float
    own_sd: float
    batch_variance: float

    @classmethod
    def of(
        cls, fresh: Level, olds: Sequence[Level], centres: Sequence[float], noise: Noise, round_count: int
    ) -> "_Error":
        """Of *fresh* as if it had *round_count* rounds, against *olds* whose freed centres are *centres*."""
        is_single = _is_single(fresh, olds)
        pooled, round_df, alike = _scatter_of([fresh, *olds])
        if is_single and len(olds) >= LEAST_PROVING_SESSIONS:
            pooled = 0.0  # rule 4: what the sessions show holds the scatter of their rounds
        count = len(olds)
        own = _own_variance(olds, centres, alike * pooled)
        between, between_df = _towards(noise, own, count - 1)
        if is_single and own > between:
            between, between_df = own, count - 1
        of_fresh = alike * max(pooled, fresh.variance) / round_count
        within = of_fresh + alike * math.fsum(pooled / old.count for old in olds) / count**2
        session = between * (1 / fresh.session_count + 1 / count) + noise.factor_sd**2
        return cls(
            scatter=session + within,
            df=satterthwaite_df((session, between_df), (within, round_df)),
            own_sd=math.sqrt(fresh.own_sd**2 + math.fsum(old.own_sd**2 for old in olds) / count**2),
            batch_variance=of_fresh if round_count > 1 else 0.0,
        )

    def half(self, tail: float) -> float:
        """Distance from the ratio to a bound that the truth passes with chance *tail*, in ln."""
        return half_width(self.scatter, self.df, self.own_sd, tail)

    @property
    def reserve(self) -> float:
        """How far past the limit a rise passes it in both batches with the chance `POWER`: rule 5."""
        scatter = self.scatter - self.batch_variance / math.pi
        lost = math.sqrt(self.batch_variance / math.pi)
        return lost + half_width(scatter, self.df, self.own_sd, 1 - POWER)


def _is_single(fresh: Level, sessions: Iterable[Level]) -> bool:
    """Whether every record is one round."""
    return max(level.count for level in (fresh, *sessions)) == 1


def _towards(noise: Noise, own: float, df: float) -> tuple[float, float]:
    """tau^2 of rule 1 and its degrees of freedom, where sessions show *own* with *df*."""
    total = noise.between_df + df
    return (noise.between_df * noise.between_sd**2 + df * own) / total, total


def _own_variance(sessions: Sequence[Level], centres: Sequence[float], round_variance: float) -> float:
    """s_tau^2 of rule 1."""
    if len(sessions) < 2:
        return 0.0
    explained = fmean([round_variance / session.count for session in sessions])
    return max(0.0, variance(centres) - explained)


def _scatter_of(records: Sequence[Level]) -> tuple[float, float, float]:
    """s^2 of rule 1, its degrees of freedom, and r.

    Source:
        Rounds that are alike tell less of their variance too, by (1 - r1^2) / (1 + r1^2), r1 the lag-1
        correlation: Bayley and Hammersley 1946, JRSS Supplement 8, 184.
    """
    pooled, df = _pooled_variance(records)
    alike = correlation_factor(records)
    return pooled, df * 2 * alike / (alike**2 + 1), alike


def informed(noise: Noise, sessions: Sequence[Level]) -> Noise:
    """*noise* drawn towards how *sessions* of a test, the oldest first, differ: to compare with others.

    Source:
        Half the mean square of successive differences, of which a creep is hardly a part; two thirds of the
        degrees of freedom: von Neumann et al. 1941, Annals of Mathematical Statistics 12, 153.
    """
    factors = noise.session_factors or (0.0,) * len(sessions)
    odd = odd_places(sessions, factors, noise)
    kept = [place for place in range(len(sessions)) if place not in odd]
    if len(kept) < 2:
        return noise
    centres = [sessions[place].centre - factors[place] for place in kept]
    round_variance, _, alike = _scatter_of([sessions[place] for place in kept])
    explained = fmean([alike * round_variance / sessions[place].count for place in kept])
    square = fmean([(after - one) ** 2 for one, after in pairwise(centres)]) / 2
    between, df = _towards(noise, max(0.0, square - explained), 2 / 3 * (len(kept) - 1))
    return replace(noise, between_sd=math.sqrt(between), between_df=df)


def centre_ratio(fresh: Sequence[float], sessions: Iterable[Sequence[float]]) -> float:
    """Ratio of fresh values, such as seconds of each round, to the sessions': exp(f - b) of rule 1."""
    return ratio_of(level_of(fresh).centre - fmean([level_of(session).centre for session in sessions]))


def shrunk_variance(values: Sequence[float], *, known: float = 0.0) -> float:
    """Between-session variance of ln J, drawn towards the prior: tau^2 of rule 1.

    Args:
        values: ln J of each session, at least one.
        known: The share of their variance that is explained otherwise, and taken out.
    """
    df = len(values) - 1
    return towards_prior(max(0.0, variance(values) - known) if df else 0.0, df)


def towards_prior(variance: float, df: float) -> float:
    """*variance*, known with *df* degrees of freedom, drawn towards that of sessions in general."""
    return (PRIOR_BETWEEN_DF * PRIOR_BETWEEN_SD**2 + df * variance) / (PRIOR_BETWEEN_DF + df)


def summarise(energies_j: Sequence[float], uncertainties_j: Sequence[float]) -> Summary:
    """Mean joules a round with its 95 % interval.

    The interval holds the scatter of the rounds and, undivided, their own uncertainty. One round has no
    scatter: the prior CV of 3 % stands in.

    Raises:
        NotMeasurable: There is no round, or one without usable joules.

    Source:
        JCGM 100:2008 (GUM), sections 4.2 (type A) and 5.2 (correlated inputs).
    """
    sample = RoundEnergies(energies_j=tuple(energies_j), uncertainties_j=tuple(uncertainties_j))
    rounds, own_j = plain_centre_of(sample.energies_j), fmean(sample.uncertainties_j)
    lower_j, upper_j = _linear_bounds(rounds, own_j, tail=0.025)
    return Summary(
        energy_j=rounds.centre,
        energy_ci_j=(lower_j, upper_j),
        uncertainty_j=math.hypot(math.sqrt(_with_prior(rounds).centre_variance), own_j),
    )


def budget_bounds(sample: RoundEnergies, alpha: float) -> tuple[float, float]:
    """Bounds of the true mean joules of a round, each at confidence 1 - *alpha*.

    Of the plain mean: a budget is for what is paid, and a few large rounds are paid too. One round has no
    scatter: the prior CV of 3 % stands in.

    Source:
        JCGM 100:2008 (GUM), section 5.2.
    """
    return _linear_bounds(plain_centre_of(sample.energies_j), fmean(sample.uncertainties_j), tail=alpha)


def _linear_bounds(rounds: Centre, own_j: float, *, tail: float) -> tuple[float, float]:
    half_j = half_width(_with_prior(rounds).centre_variance, rounds.df, own_j, tail)
    return max(0.0, rounds.centre - half_j), rounds.centre + half_j


def _with_prior(rounds: Centre) -> Centre:
    """*rounds*, with the prior spread in place of one that a single round can't have."""
    return rounds if rounds.df else replace(rounds, variance=(PRIOR_ROUND_CV * rounds.centre) ** 2)


def _pooled_variance(records: Sequence[Level]) -> tuple[float, int]:
    """Variance of a round within a record, with its degrees of freedom; an assumption without any."""
    df = sum(record.df for record in records)
    if df == 0:
        return PRIOR_ROUND_CV**2, PRIOR_ROUND_DF
    return math.fsum(record.df * record.variance for record in records) / df, df


def satterthwaite_df(*terms: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of variances; a term with none is known, not estimated.

    Source:
        Satterthwaite 1946, Biometrics Bulletin 2, 110.
    """
    total = math.fsum(variance for variance, _ in terms)
    return 1 / math.fsum((variance / total) ** 2 / df for variance, df in terms if df)
