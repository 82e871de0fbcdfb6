"""Figures of a verdict as text.

Rule 1: a figure is shown with as many digits as keep it on its own side of the limit it is held against.
"""

import math
from decimal import Decimal

from pytest_energy.judgement import Summary
from pytest_energy.meter.scope import scope_text
from pytest_energy.model import Provenance, Record
from pytest_energy.stats.centre import Spread
from pytest_energy.stats.compare import PRIOR_ROUND_CV
from pytest_energy.units import percent_change_text, to_text, with_uncertainty_text

DUST = 1e-12  # a change smaller than this is the rounding of floats, not of energy
_EXACT_DIGITS = 17  # as many significant digits as tell any two floats apart


def change_text(ratio: float, tolerance: float | None = None) -> str:
    """Change from 1 in percent, on its own side of *tolerance*; a factor where percent reads badly."""
    if not 0.01 <= ratio < 10:
        return f"x {Decimal(f'{ratio:.3g}'):f}"
    text = percent_change_text(1.0 if abs(ratio - 1) < DUST else ratio)
    if tolerance is None:
        return text
    for decimals in range(2, _EXACT_DIGITS):
        rounded = 1 + float(text.removesuffix(" %")) / 100
        if all(_is_same_side(rounded, ratio, limit) for limit in (1 + tolerance, 1 - tolerance)):
            break
        text = f"{(ratio - 1) * 100:+.{decimals}f} %"
    return text


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
    """Mean joules a round with their standard uncertainty; what they are of, where something is missing."""
    is_dust = summary.uncertainty_j < DUST * summary.energy_j
    energy = with_uncertainty_text(summary.energy_j, 0.0 if is_dust else summary.uncertainty_j, "J")
    mark = "" if record.provenance is Provenance.MEASURED else record.provenance.value
    count = count_text(len(record.usable_rounds), "round")
    return f"{energy} a round ({', '.join(filter(None, (mark, scope_text(record), count)))})"


def confidence_text(alpha: float) -> str:
    return f"{(1 - alpha) * 100:.6g} % confidence"


def spread_notes(spread: Spread, without: str, noun: str) -> tuple[str, ...]:
    """What bounds rest on, where that isn't the spread of all values (of the *noun*) themselves.

    *without* says that there is no spread to be had.
    """
    notes = []
    if spread.source == "assumed":
        notes.append(f"{without}: a CV of {PRIOR_ROUND_CV * 100:g} % a round is assumed")
    elif spread.source == "baseline":
        notes.append("one round has no spread of its own: the baseline's is used")
    if spread.trimmed_count:
        notes.append(
            f"20 % trimmed mean: {spread.trimmed_count} of {spread.count} {noun} at each end kept out of the "
            "mean, none deleted"
        )
    return tuple(notes)
