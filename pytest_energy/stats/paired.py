"""Two revisions measured in turns: bounds of their ratio from pairs of rounds, in blocks. Pure.

Rule 1: a pair's two rounds follow each other, A B or B A, in turns that take turns themselves: A B, B A, then
    B A, A B, and those four the other way round. What drifts evenly with time cancels after two pairs, what
    drifts ever more slowly after few more; plain A B, B A, A B, ... leaves half of its first difference.
    Every second block has all of its pairs the other way round.
Rule 2: a process has a level of its own, which no number of pairs averages away. So the pairs come in blocks,
    each of two fresh processes, and there are two variances. With D_i = ln B_i - ln A_i, d_b the centre of
    block b's n_b pairs, K blocks, and d the mean of the d_b, the bounds of the ratio are

        exp(d -+ sqrt(t^2 (V_between + V_within) + z^2 (u_B - u_A)^2))
        V_between = tau^2 / K               tau^2 from the spread of the d_b and a prior: `process_levels`
        V_within  = s^2 sum(1/n_b) / K^2    s^2 the variance of D_i within blocks, pooled over them

    t has the Satterthwaite degrees of freedom of its two terms. u is the mean relative standard uncertainty
    of a side's rounds. What is the same in every window of one machine within minutes (a board's gain, what
    an edge hides) is the same share of both sides and cancels in the ratio, all but the difference of the
    shares, which is not divided. What differs from window to window is in s^2, which is not believed below
    what the readings themselves don't know.
Rule 3: when to stop is decided by the width that the pairs leave, never by the verdict, and two narrow ones
    in a row are asked for.
Rule 4: no pair is deleted silently: from 8 pairs on the mean is trimmed by up to 20 %, over the blocks
    together, and the bounds say so.
Rule 5: blocks of one pair each have one variance, that of rule 2 without V_between. A single pair has none:
    an assumed one stands in, and it proves nothing.

Source:
    Paired comparison in crossover order: Jones and Kenward, Design and Analysis of Cross-Over Trials, 3rd
    ed., chapter 2. Degrees of freedom: Satterthwaite 1946, Biometrics Bulletin 2, 110. Correlated
    uncertainties: JCGM 100:2008 (GUM), section 5.2.2. Trimmed mean: Yuen 1974, Biometrika 61, 165.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean, median, variance

from pytest_energy.errors import NotMeasurable
from pytest_energy.stats.centre import half_width, spread_of, trimmed_count
from pytest_energy.stats.compare import POWER, PRIOR_ROUND_CV, Bounds, satterthwaite_df
from pytest_energy.stats.level import RoundEnergies
from pytest_energy.stats.process_levels import PRIOR_LEVELS, BlockSpread, ProcessLevels, levels_of_others
from pytest_energy.stats.ratio import ratio_of
from pytest_energy.stats.rounds import precision_for, wants_another

LEAST_PAIR_COUNT = 5  # over all blocks; below it the spread of the differences is hardly known
LEAST_BLOCK_PAIR_COUNT = 2  # one pair says nothing of the spread within its block
MOST_PAIR_COUNT = 45  # enough to tell 1 % at a CV of 1 %, and 2 % at one of 3 %, processes alike
_LEAST_DF = 5  # that trimming leaves: t at 5 % is 2.0 there, and 2.9 at 2
MUCH_SURER = 10  # by so much less chance is a rise proved where noise is large, and of no known shape
BLOCK_COUNT = 3  # the fewest whose spread is a spread; each costs the start of two processes and every set-up


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBlock:
    """The pairs of one block: a round of each side, in the same order.

    Raises:
        NotMeasurable: One side has more rounds than the other.
    """

    before: RoundEnergies
    after: RoundEnergies

    def __post_init__(self) -> None:
        before_count, after_count = len(self.before.energies_j), len(self.after.energies_j)
        if before_count != after_count:
            raise NotMeasurable(f"{before_count} rounds before, {after_count} after; a pair has one of each")

    @property
    def pair_count(self) -> int:
        return len(self.before.energies_j)

    @property
    def changes(self) -> tuple[float, ...]:
        """The change in ln J within each pair: ln B - ln A."""
        pairs = zip(self.before.energies_j, self.after.energies_j, strict=True)
        return tuple(math.log(after_j / before_j) for before_j, after_j in pairs)

    def first(self, count: int) -> "PairBlock":
        return PairBlock(before=self.before.part(0, count), after=self.after.part(0, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Within:
    """What the pairs say within their blocks.

    Attributes:
        centres: Of each block.
        pair_variance: Of one pair: s^2 of rule 2.
        df: Degrees of freedom of *pair_variance*; 0 if it is assumed.
        per_pair: Mean over the blocks of one over the number of pairs.
    """

    centres: tuple[float, ...]
    pair_variance: float
    df: int
    per_pair: float

    @property
    def spread(self) -> BlockSpread:
        df = len(self.centres) - 1
        return BlockSpread(
            variance=variance(self.centres) if df else 0.0, noise=self.pair_variance * self.per_pair, df=df
        )


def is_turned(number: int, *, block: int = 0) -> bool:
    """Whether the pair *number* of *block*, both counted from 0, is taken the other way round: B A.

    Source:
        Thue-Morse sequence, whose first 2^k members cancel polynomials below degree k: Allouche and Shallit
        1999, Sequences and Their Applications, p. 1.

    >>> "".join("BA " if is_turned(number) else "AB " for number in range(6))
    'AB BA BA AB BA AB '
    """
    return (number.bit_count() + block) % 2 == 1


def share_of(count: int, *, block: int, block_count: int) -> int:
    """How many of *count* pairs are *block*'s, counted from 0.

    >>> [share_of(8, block=block, block_count=3) for block in range(3)]
    [3, 3, 2]
    """
    return count // block_count + (block < count % block_count)


def precision_of_pairs(tolerance: float) -> float:
    """Half-width of the change's 95 % interval that pairs are taken for.

    A third of what rounds of one side are taken for: the levels of the processes, which more pairs don't
    narrow, have to fit in as well.

    >>> precision_of_pairs(0.06)
    0.006666666666666667
    """
    return precision_for(tolerance) / 3


def compare_pairs(
    blocks: Sequence[PairBlock],
    *,
    tolerance: float,
    alpha: float,
    levels: ProcessLevels | None = PRIOR_LEVELS,
) -> Bounds:
    """Bounds of the true ratio of after to before: rule 2.

    Args:
        blocks: At least one.
        tolerance: Accepted rise, a share; decides only what is detectable.
        alpha: Chance, for each bound, that the true ratio lies beyond it.
        levels: How far processes differ, as far as that is known without *blocks*; `None` if each pair is
            of fresh processes.

    Returns:
        The bounds; *chance_lower* is at a tenth of *alpha*, for noise of no known shape.

    Raises:
        NotMeasurable: There is no block.
    """
    if not blocks:
        raise NotMeasurable("a comparison without pairs of rounds has no ratio")
    if len(blocks) > 1 and all(block.pair_count == 1 for block in blocks):
        blocks, levels = [_as_one(blocks)], None
    within, count = _within(blocks), len(blocks)
    scatter, df = within.pair_variance * within.per_pair / count, float(within.df)
    if levels is not None:
        own = levels.updated([within.spread])
        between = own.variance / count
        df = satterthwaite_df((between, own.df), (scatter, within.df))
        scatter += between
    centre, own_sd = fmean(within.centres), _own_difference(blocks)
    half, half_at_power, sure_half = (
        half_width(scatter, df, own_sd, tail) for tail in (alpha, 1 - POWER, alpha / MUCH_SURER)
    )
    before_j = [energy_j for block in blocks for energy_j in block.before.energies_j]
    return Bounds(
        ratio=ratio_of(centre),
        lower=ratio_of(centre - half),
        upper=ratio_of(centre + half),
        chance_lower=ratio_of(centre - sure_half),
        plain_ratio=_plain_ratio(blocks),
        repeated_ratio=_plain_ratio(blocks),
        detectable_ratio=ratio_of(math.log1p(tolerance) + half + half_at_power),
        baseline_j=math.exp(fmean(map(math.log, before_j))),
        spread=replace(spread_of(len(before_j)), trimmed_count=_cut_of(len(before_j), count)),
    )


def _plain_ratio(blocks: Sequence[PairBlock]) -> float:
    """Ratio of the plain means: a few large rounds count in it."""
    before_j = [energy_j for block in blocks for energy_j in block.before.energies_j]
    after_j = [energy_j for block in blocks for energy_j in block.after.energies_j]
    return fmean(after_j) / fmean(before_j)


def _as_one(blocks: Sequence[PairBlock]) -> PairBlock:
    sides = ([block.before for block in blocks], [block.after for block in blocks])
    before, after = (
        RoundEnergies(
            energies_j=tuple(energy_j for part in side for energy_j in part.energies_j),
            uncertainties_j=tuple(error_j for part in side for error_j in part.uncertainties_j),
        )
        for side in sides
    )
    return PairBlock(before=before, after=after)


def suite_levels(
    suite: Sequence[Sequence[PairBlock]], prior: ProcessLevels = PRIOR_LEVELS
) -> tuple[ProcessLevels, ...]:
    """For each test of *suite*, how far processes differ as *prior* and the other tests' blocks have it."""
    return levels_of_others([_within(blocks).spread for blocks in suite], prior)


def needs_more_pairs(
    blocks: Sequence[PairBlock], *, precision: float, least: int, cap: int, block_count: int
) -> bool:
    """Whether the last of *blocks* should have another pair: as `needs_more`, of the change in ln J.

    Args:
        blocks: Those so far.
        precision: Half-width of a 95 % interval that is good enough, once all blocks are like it.
        least: Pairs that the last block has in any case.
        cap: Pairs after which it gets no more.
        block_count: Blocks that there will be.
    """
    *earlier, last = blocks

    def is_narrow(count: int) -> bool:
        """Whether what more pairs could narrow is narrow enough."""
        within = _within([*earlier, last.first(count)])
        scatter = within.pair_variance / (count * block_count)
        return bool(within.df) and half_width(scatter, within.df, 0.0, 0.025) <= precision

    return wants_another(last.pair_count, is_narrow, least=least, cap=cap)


def _within(blocks: Sequence[PairBlock]) -> _Within:
    """Centres of the blocks, and the variance within them, never below that of the readings (rule 2)."""
    changes = [block.changes for block in blocks]
    own = fmean(
        block.before.relative_uncertainty**2 + block.after.relative_uncertainty**2 for block in blocks
    )
    per_pair = fmean(1 / block.pair_count for block in blocks)
    centres, pair_variance, df = _trimmed(changes)
    if df == 0:
        return _Within(centres=centres, pair_variance=2 * PRIOR_ROUND_CV**2 + own, df=0, per_pair=per_pair)
    return _Within(centres=centres, pair_variance=max(pair_variance, own), df=df, per_pair=per_pair)


def _trimmed(changes: Sequence[Sequence[float]]) -> tuple[tuple[float, ...], float, int]:
    """Centre of each block, variance of a value within blocks, and its degrees of freedom.

    The values that lie furthest from their own block's median, 20 % of all at each end, are kept out of the
    centres and winsorised for the variance. For one block that is Yuen's trimmed mean.
    """
    levels = [median(block) for block in changes]
    offsets = [[value - level for value in block] for block, level in zip(changes, levels, strict=True)]
    ordered = sorted(chain.from_iterable(offsets))
    count, cut = len(ordered), _cut_of(len(ordered), len(changes))
    low, high = ordered[cut], ordered[count - 1 - cut]
    left_count, df = count - 2 * cut, count - 2 * cut - len(changes)
    centres = tuple(
        level + fmean([offset for offset in block if low <= offset <= high] or [0.0])
        for block, level in zip(offsets, levels, strict=True)
    )
    if df <= 0:
        return centres, 0.0, 0
    winsorised = [[min(high, max(low, offset)) for offset in block] for block in offsets]
    squares = math.fsum(_squares(block) for block in winsorised)
    return centres, squares * count / (left_count * df), df


def _cut_of(pair_count: int, block_count: int) -> int:
    """Pairs that are kept out at each end; never so many that the variance within blocks is hardly known."""
    return min(trimmed_count(pair_count), max(0, (pair_count - block_count - _LEAST_DF) // 2))


def _squares(values: Sequence[float]) -> float:
    """Sum of the squared distances from their mean."""
    mean = fmean(values)
    return math.fsum((value - mean) ** 2 for value in values)


def _own_difference(blocks: Sequence[PairBlock]) -> float:
    """What only one side doesn't know: the standard uncertainty that can't average away."""
    return abs(
        fmean(block.after.relative_uncertainty - block.before.relative_uncertainty for block in blocks)
    )
