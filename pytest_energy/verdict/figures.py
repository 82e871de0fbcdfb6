"""Figures of a verdict as text.

Rule 1: a figure is shown with as many digits as keep it on its own side of the limit it is compared with.
"""

import math
from decimal import Decimal

from pytest_energy.judgement import Summary
from pytest_energy.meter.scope import scope_text
from pytest_energy.model import Provenance, Record
from pytest_energy.stats.centre import Spread
from pytest_energy.stats.compare import PRIOR_ROUND_CV
from pytest_energy.units import percent_change_text, to_text, with_uncertainty_text

_SURE_FACTOR = 2.0  # so far from any tolerance that three digits keep it on its side
DUST = 1e-12  # a change smaller than this is the rounding of floats, not of energy
_SHOWN_CHANGE = 0.001  # of time or power; less explains nothing
_EXACT_DIGITS = 17  # as many significant digits as tell any two floats apart


def change_text(ratio: float, tolerance: float | None = None) -> str:
    """Change from 1 in percent, on its own side of *tolerance*; a factor where percent reads badly."""
    if not 0.01 <= ratio < 10:
        return _factor_text(ratio)
    text = percent_change_text(1.0 if abs(ratio - 1) < DUST else ratio)
    if tolerance is None:
        return text
    for decimals in range(2, _EXACT_DIGITS):
        rounded = 1 + float(text.removesuffix(" %")) / 100
        if all(_is_same_side(rounded, ratio, limit) for limit in (1 + tolerance, 1 - tolerance)):
            break
        text = f"{(ratio - 1) * 100:+.{decimals}f} %"
    return text


def change_or_none(ratio: float) -> str:
    """Change of a factor, such as time or power, in percent, if it explains anything."""
    return change_text(ratio) if abs(ratio - 1) >= _SHOWN_CHANGE else "unchanged"


def bounds_text(ratios: tuple[float, float], tolerance: float | None = None) -> str:
    """Bounds of a change, as `change_text` has each; two percentages without their signs, or two factors.

    >>> bounds_text((1.116, 1.293)), bounds_text((8.37, 21.9))
    ('[+11.6, +29.3]', '[x 8.37, x 21.9]')
    """
    texts = [change_text(ratio, tolerance) for ratio in ratios]
    if all(text.endswith(" %") for text in texts):
        texts = [text.removesuffix(" %") for text in texts]
    elif min(ratios) >= _SURE_FACTOR:
        texts = [_factor_text(ratio) for ratio in ratios]
    return f"[{', '.join(texts)}]"


def _factor_text(ratio: float) -> str:
    return f"x {Decimal(f'{ratio:.3g}'):f}"


def share_text(ratio: float) -> str:
    """*ratio* in percent, on its own side of 100 %.

    >>> share_text(2.0), share_text(1 + 1e-7), share_text(1e-4)
    ('200 %', '100.00001 %', '0.01 %')
    """
    for digits in range(3, _EXACT_DIGITS):
        rounded = float(f"{100 * ratio:.{digits}g}")
        if _is_same_side(rounded, 100 * ratio, 100.0):
            break
    return f"{Decimal(repr(rounded)).normalize():f} %"


def count_text(count: int, noun: str) -> str:
    """*count* of what *noun* names, in words."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ln_text(ratio: float) -> str:
    return "+0" if abs(ratio - 1) < DUST else f"{math.log(ratio):+.3g}"


def joules_beside(value_j: float, limit_j: float) -> str:
    """*value_j* with enough digits to be on its own side of *limit_j*."""
    for digits in range(4, _EXACT_DIGITS):
        if _is_same_side(float(f"{value_j:.{digits}g}"), value_j, limit_j):
            return to_text(value_j, "J", digits=digits)
    return to_text(value_j, "J", digits=_EXACT_DIGITS)


def _is_same_side(rounded: float, value: float, limit: float) -> bool:
    return (rounded > limit) == (value > limit) and (rounded < limit) == (value < limit)


def energy_text(record: Record, summary: Summary) -> str:
    """Mean joules per round with their standard uncertainty; what they are of, if something is missing."""
    count = count_text(len(record.usable_rounds), "round")
    return f"{_joules_text(summary)} per round ({', '.join((*_marks(record), count))})"


def brief_energy_text(record: Record, summary: Summary) -> str:
    """The same without the rounds: `12.35 +- 0.23 J (estimated)`."""
    return marked(_joules_text(summary), record)


def marked(joules: str, record: Record) -> str:
    """*joules* of *record* as text, with what a reader must know of them: `12.35 J (estimated)`."""
    marks = ", ".join(_marks(record))
    return f"{joules} ({marks})" if marks else joules


def _joules_text(summary: Summary) -> str:
    is_dust = summary.uncertainty_j < DUST * summary.energy_j
    return with_uncertainty_text(summary.energy_j, 0.0 if is_dust else summary.uncertainty_j, "J")


def _marks(record: Record) -> tuple[str, ...]:
    """What a reader must know of its joules: where they are from, what they are of."""
    mark = "" if record.provenance is Provenance.MEASURED else record.provenance.value
    return tuple(filter(None, (mark, scope_text(record))))


def busy_text(share: float, usual_share: float = 0.0) -> str:
    """That other programs used *share* of the joules at most, and in the baseline *usual_share*."""
    usual = f", {usual_share * 100:.0f} % in the baseline" if usual_share else ""
    return f"the machine was busy: other programs used up to {share * 100:.0f} % of the joules{usual}"


def confidence_text(alpha: float) -> str:
    return f"{(1 - alpha) * 100:.6g} % confidence"


def spread_notes(spread: Spread, without: str, noun: str) -> tuple[str, ...]:
    """What bounds are made of, if that isn't the spread of all values (of the *noun*) themselves.

    *without* explains why no spread is available.
    """
    notes = []
    if spread.source == "assumed":
        notes.append(
            f"{without}: a coefficient of variation of {PRIOR_ROUND_CV * 100:g} % per round is assumed"
        )
    elif spread.source == "baseline":
        notes.append("one round has no spread: the spread of the baseline is used")
    if spread.trimmed_count:
        notes.append(
            f"20 % trimmed mean: the {spread.trimmed_count} highest and {spread.trimmed_count} lowest of "
            f"{spread.count} {noun} are not in the mean"
        )
    return tuple(notes)
