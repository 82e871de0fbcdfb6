"""Two revisions measured in turns: bounds of their ratio from pairs of rounds. Pure.

Rule 1: a pair's two rounds follow each other, A B or B A, in turns that take turns themselves: A B, B A, then
    B A, A B, and those four the other way round. What drifts evenly with time cancels after two pairs, what
    drifts ever more slowly after few more; plain A B, B A, A B, ... leaves half of its first difference.
Rule 2: with D_i = ln B_i - ln A_i, n pairs, their centre d and variance s_D^2, the bounds of the ratio are

        exp(d -+ sqrt(t^2 max(s_D^2, u_A^2 + u_B^2) / n + z^2 (u_B - u_A)^2))

    u the mean relative standard uncertainty of a side's rounds. What is the same in every window of one
    machine within minutes (a board's gain, what an edge hides) is the same share of both sides and cancels in
    the ratio, all but the difference of the shares, which is not divided by n. What differs from window to
    window is in s_D, which is not believed below what the readings themselves don't know.
Rule 3: when to stop is decided by the width of the interval of d, never by the verdict, and two narrow ones
    in a row are asked for.
Rule 4: no pair is deleted silently: from 8 pairs on d is the 20 % trimmed mean, and the bounds say so.
Rule 5: one pair has no spread: an assumed one stands in, and it proves nothing.

Source:
    Paired comparison in crossover order: Jones and Kenward, Design and Analysis of Cross-Over Trials, 3rd
    ed., chapter 2. Correlated uncertainties: JCGM 100:2008 (GUM), section 5.2.2. Trimmed mean: Yuen 1974,
    Biometrika 61, 165.
"""

import math
from dataclasses import replace
from statistics import fmean

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.centre import Centre, centre_of, half_width, spread_of
from pytest_energy.stats.compare import POWER, PRIOR_ROUND_CV, Bounds, RoundEnergies
from pytest_energy.stats.rounds import wants_another

LEAST_PAIR_COUNT = 5  # below it the spread of the differences is hardly known
MOST_PAIR_COUNT = 30  # enough to tell 1 % at a CV of 1 %, and 2 % at one of 3 %


def is_turned(number: int) -> bool:
    """Whether the pair *number*, counted from 0, is taken the other way round: B A.

    Source:
        Thue-Morse sequence, whose first 2^k members cancel polynomials below degree k: Allouche and Shallit
        1999, Sequences and Their Applications, p. 1.

    >>> "".join("BA " if is_turned(number) else "AB " for number in range(6))
    'AB BA BA AB BA AB '
    """
    return number.bit_count() % 2 == 1


def compare_pairs(before: RoundEnergies, after: RoundEnergies, *, tolerance: float, alpha: float) -> Bounds:
    """Bounds of the true ratio of *after* to *before*: rule 2.

    Args:
        before: One round of each pair.
        after: The other round of each pair, in the same order.
        tolerance: Accepted rise, a share; decides only what is detectable.
        alpha: Chance, for each bound, that the true ratio lies beyond it.

    Raises:
        NotMeasurable: One side has more rounds than the other.
    """
    change, own_sd = _change(before, after)
    half, half_at_power = (
        half_width(change.centre_variance, change.df, own_sd, tail) for tail in (alpha, 1 - POWER)
    )
    return Bounds(
        ratio=math.exp(change.centre),
        lower=math.exp(change.centre - half),
        upper=math.exp(change.centre + half),
        detectable_ratio=(1 + tolerance) * math.exp(half + half_at_power),
        baseline_j=math.exp(fmean(map(math.log, before.energies_j))),
        spread=spread_of(len(before.energies_j)),
    )


def needs_more_pairs(
    before: RoundEnergies, after: RoundEnergies, *, precision: float, least: int, cap: int
) -> bool:
    """Whether another pair should be taken: as `needs_more`, with the *precision* of the change in ln J.

    Raises:
        NotMeasurable: One side has more rounds than the other.
    """

    def is_narrow(count: int) -> bool:
        """Whether what more pairs could narrow is narrow enough."""
        change, _ = _change(before.part(0, count), after.part(0, count))
        return bool(change.df) and half_width(change.centre_variance, change.df, 0.0, 0.025) <= precision

    return wants_another(len(before.energies_j), is_narrow, least=least, cap=cap)


def _change(before: RoundEnergies, after: RoundEnergies) -> tuple[Centre, float]:
    """Centre of the differences, and the standard uncertainty that can't average away."""
    if len(before.energies_j) != len(after.energies_j):
        raise NotMeasurable(
            f"{len(before.energies_j)} rounds before, {len(after.energies_j)} after; a pair has one of each"
        )
    centre = centre_of([math.log(b / a) for a, b in zip(before.energies_j, after.energies_j, strict=True)])
    u_before, u_after = before.relative_uncertainty, after.relative_uncertainty
    own_variance = u_before**2 + u_after**2
    variance = max(centre.variance, own_variance) if centre.df else 2 * PRIOR_ROUND_CV**2 + own_variance
    return replace(centre, variance=variance), abs(u_after - u_before)
