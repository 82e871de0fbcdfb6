"""How far a fresh record is from its baseline, and how sure that is. Pure: joules in, bounds out.

Rule 1: energies are compared in logarithms, so that a bound is a ratio and no unit or size matters.
Rule 2: one formula for every number of sessions K. With f the centre of the fresh rounds, b the mean of the
    sessions' centres (all of ln J), n and n_k their round counts, the bounds of the true ratio are

        exp(f - b -+ sqrt(t^2 (V_between + V_within) + z^2 V_own))
        V_between = tau^2 (1 + 1/K)             tau^2 = (nu0 tau0^2 + (K-1) s_tau^2) / (nu0 + K - 1)
        V_within  = s_f^2/n + sum(s^2/n_k)/K^2  s^2 pooled over all rounds; s_f^2 the larger of it and the
                                                fresh record's own: a noisy run is not judged by quiet ones
        V_own     = u_f^2 + sum(u_k^2)/K^2      u the mean relative standard uncertainty of a record's rounds

    s_tau^2 is the variance of the sessions' centres less the share of s^2 in it, never below 0; t has the
    Satterthwaite degrees of freedom of its two terms (nu0 + K - 1 and those of the pool).
Rule 3: a round's own uncertainty is not divided by the number of rounds. What part of it is the same in each
    round is not known, and that part does not average away.
Rule 4: no round is deleted silently: from 8 rounds on the mean is trimmed, and the bounds say by how many.

Source:
    Shrunk variance: the posterior scale of a scaled inverse chi-square prior, Gelman et al., Bayesian Data
    Analysis, 3rd ed., section 2.6. Degrees of freedom: Satterthwaite 1946, Biometrics Bulletin 2, 110.
    Trimmed mean: Yuen 1974, Biometrika 61, 165. Constants: simulated for this project.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance

from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Summary
from pytest_energy.stats.centre import Centre, Spread, centre_of, half_width, plain_centre_of, spread_of

PRIOR_BETWEEN_SD = 0.01
"""tau0: standard deviation in ln J between sessions of unchanged code, where no baseline tells. On an H100
five processes of ResNet-18 had 1.4 %, the scatter within them included; vLLM at a fixed rate 0.2 to 0.3 %."""

PRIOR_BETWEEN_DF = 4
"""nu0: how many degrees of freedom the prior is worth. The smallest that catches a rise of 10 % from one
session with some reserve over 80 % (simulated at tolerance 5 %, 5 rounds of CV 1 %, between-session SD 1 %:
82 % with 3, 85 % with 4, 88 % with 8); a larger one trusts the prior longer where sessions differ by more."""

PRIOR_ROUND_CV = 0.03
"""Spread of rounds when there is nothing to take it from: the middle of the 1 to 5 % that GPU work shows."""

POWER = 0.8
_LARGEST_EXPONENT = 700.0  # math.exp overflows at 709.8


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundEnergies:
    """The rounds of one record.

    Attributes:
        energies_j: Joules of each round, above 0, at least one.
        uncertainties_j: Standard uncertainty of each round, in joules.

    Raises:
        NotMeasurable: There is no round, or one that has no logarithm or no uncertainty.
    """

    energies_j: tuple[float, ...]
    uncertainties_j: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.energies_j:
            raise NotMeasurable("a sample without rounds can't be compared")
        if len(self.energies_j) != len(self.uncertainties_j):
            raise NotMeasurable(
                f"{len(self.energies_j)} rounds but {len(self.uncertainties_j)} uncertainties; each has one"
            )
        for energy_j, uncertainty_j in zip(self.energies_j, self.uncertainties_j, strict=True):
            if not (math.isfinite(energy_j) and energy_j > 0):
                raise NotMeasurable(f"a round reads {energy_j} J; work that ran uses more than 0 J")
            if not (math.isfinite(uncertainty_j) and uncertainty_j >= 0):
                raise NotMeasurable(
                    f"a round's uncertainty reads {uncertainty_j} J; it is finite and not negative"
                )

    def part(self, start: int, stop: int) -> "RoundEnergies":
        """The rounds from number *start* on, to the one before number *stop*."""
        return RoundEnergies(
            energies_j=self.energies_j[start:stop], uncertainties_j=self.uncertainties_j[start:stop]
        )

    @property
    def relative_uncertainty(self) -> float:
        """Mean over the rounds of uncertainty over energy: what is left if all of it is common to them."""
        pairs = zip(self.energies_j, self.uncertainties_j, strict=True)
        return fmean([uncertainty_j / energy_j for energy_j, uncertainty_j in pairs])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The ratio of a fresh record to its baseline.

    Attributes:
        ratio: Fresh over baseline.
        lower: The true ratio is above this, at confidence 1 - alpha.
        upper: The true ratio is below this, at confidence 1 - alpha.
        detectable_ratio: Smallest true ratio whose lower bound passes the tolerance with 80 % power.
        baseline_j: Joules of the baseline: geometric mean of the sessions' (trimmed) geometric means.
        spread: What the bounds rest on.
    """

    ratio: float
    lower: float
    upper: float
    detectable_ratio: float
    baseline_j: float
    spread: Spread


def compare(
    fresh: RoundEnergies,
    sessions: Sequence[RoundEnergies],
    *,
    tolerance: float,
    alpha: float,
    round_count: int | None = None,
) -> Bounds:
    """Bounds of the true ratio of *fresh* to the baseline *sessions*: rule 2.

    Args:
        fresh: The record to judge.
        sessions: The baseline, at least one session.
        tolerance: Accepted rise, a share; decides only what is detectable.
        alpha: Chance, for each bound, that the true ratio lies beyond it.
        round_count: Rounds that *fresh* would have, of the same centre and spread; its own if `None`.

    Raises:
        NotMeasurable: There is no session.
    """
    if not sessions:
        raise NotMeasurable("a baseline without sessions can't be compared with")
    new = _log_centre(fresh.energies_j)
    olds = [_log_centre(session.energies_j) for session in sessions]
    pooled, pooled_df = _pooled_variance([new, *olds])
    new_count = new.count if round_count is None else round_count
    baseline_ln = fmean([old.centre for old in olds])
    between = shrunk_variance([old.centre for old in olds], known=fmean([pooled / old.count for old in olds]))
    count, between_df = len(olds), PRIOR_BETWEEN_DF + len(olds) - 1
    v_between = between * (1 + 1 / count)
    v_within = (
        max(pooled, new.variance) / new_count + math.fsum(pooled / old.count for old in olds) / count**2
    )
    v_own = fresh.relative_uncertainty**2 + math.fsum(s.relative_uncertainty**2 for s in sessions) / count**2
    df = satterthwaite_df((v_between, between_df), (v_within, pooled_df))
    half, half_at_power = (
        half_width(v_between + v_within, df, math.sqrt(v_own), tail) for tail in (alpha, 1 - POWER)
    )
    difference = new.centre - baseline_ln
    return Bounds(
        ratio=_exp(difference),
        lower=_exp(difference - half),
        upper=_exp(difference + half),
        detectable_ratio=(1 + tolerance) * _exp(half + half_at_power),
        baseline_j=_exp(baseline_ln),
        spread=spread_of(new.count, has_baseline=pooled_df > 0),
    )


def baseline_centre_j(sample: RoundEnergies) -> float:
    """Level of one record as `compare` takes it: (trimmed) geometric mean of its rounds."""
    return _exp(_log_centre(sample.energies_j).centre)


def centre_ratio(fresh: Sequence[float], sessions: Iterable[Sequence[float]]) -> float:
    """Ratio of fresh values, such as seconds of each round, to the sessions': exp(f - b) of rule 2."""
    return _exp(_log_centre(fresh).centre - fmean([_log_centre(session).centre for session in sessions]))


def shrunk_variance(values: Sequence[float], *, known: float = 0.0) -> float:
    """Between-session variance of ln J, drawn towards the prior: tau^2 of rule 2.

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

    From 8 rounds on of the 20 % trimmed mean. One round has no scatter: the prior CV of 3 % stands in.

    Source:
        Yuen 1974, Biometrika 61, 165; JCGM 100:2008 (GUM), section 5.2.
    """
    return _linear_bounds(centre_of(sample.energies_j), fmean(sample.uncertainties_j), tail=alpha)


def _linear_bounds(rounds: Centre, own_j: float, *, tail: float) -> tuple[float, float]:
    half_j = half_width(_with_prior(rounds).centre_variance, rounds.df, own_j, tail)
    return max(0.0, rounds.centre - half_j), rounds.centre + half_j


def _with_prior(rounds: Centre) -> Centre:
    """*rounds*, with the prior spread in place of one that a single round can't have."""
    return rounds if rounds.df else replace(rounds, variance=(PRIOR_ROUND_CV * rounds.centre) ** 2)


def _pooled_variance(records: Sequence[Centre]) -> tuple[float, int]:
    """Variance of a round within a record, with its degrees of freedom; the prior and 0 without any."""
    df = sum(record.df for record in records)
    if df == 0:
        return PRIOR_ROUND_CV**2, 0
    return math.fsum(record.df * record.variance for record in records) / df, df


def satterthwaite_df(*terms: tuple[float, float]) -> float:
    """Degrees of freedom of a sum of variances; a term with none is known, not estimated.

    Source:
        Satterthwaite 1946, Biometrics Bulletin 2, 110.
    """
    total = math.fsum(variance for variance, _ in terms)
    spread = math.fsum((variance / total) ** 2 / df for variance, df in terms if df)
    return 1 / spread


def _log_centre(values: Sequence[float]) -> Centre:
    return centre_of([math.log(value) for value in values])


def _exp(value: float) -> float:
    return math.exp(max(-_LARGEST_EXPONENT, min(_LARGEST_EXPONENT, value)))
