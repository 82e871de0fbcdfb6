"""Student's t distribution, of which the bounds of a mean take one quantile.

Source: Press et al., Numerical Recipes, 3rd edition, section 6.4 (incomplete beta function by its continued
fraction, with Lentz's method) and 6.14 (Student's t in terms of it).
"""

import math
from functools import lru_cache
from statistics import NormalDist

_TINY = 1e-300  # in place of a 0 that would be divided by
# Of a double's 2.2e-16; the fraction takes about sqrt(df) terms, and a quantile some ten steps.
_EPSILON = 1e-15
_MOST_TERMS = 10_000
_MOST_STEPS = 500
_LAST_STEP = 1e-9  # of the value: each step squares the error, so that after such a one 1e-16 is left
_SERIES_DF = 3.0  # below it the series in 1 / df may be far off
_LARGE_DF = 1000.0  # the first term left out of the series for it is 1 / (20 df^5)


@lru_cache(maxsize=1024)  # a part is often asked about twice
def t_quantile(df: float, tail: float) -> float:
    """The value that Student's t with *df* degrees of freedom passes with chance *tail*.

    Args:
        df: At least 0.5, and not necessarily whole.
        tail: Above 0 and below 1.

    >>> round(t_quantile(4, 0.05), 4)
    2.1318
    """
    if tail > 0.5:
        return -t_quantile(df, 1.0 - tail)
    # The normal quantile is left of the answer, since t's tail is the heavier one; from there Newton's steps
    # on the tail, which is convex, go right without passing it. From a value that is too large the first
    # step leads to the left of the answer.
    least = -NormalDist().inv_cdf(tail)
    value = least if df < _SERIES_DF else max(least, _by_series(df, least))
    for _ in range(_MOST_STEPS):
        step = (t_tail(df, value) - tail) / _density(df, value)
        value = max(least, value + step)
        if abs(step) <= _LAST_STEP * value:
            break
    return value


def _by_series(df: float, normal: float) -> float:
    """The quantile, nearly, from the normal one of the same tail: four or more correct digits.

    Source:
        Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.5.
    """
    x, square = normal, normal**2
    terms = (
        x * (square + 1) / 4,
        x * ((5 * square + 16) * square + 3) / 96,
        x * (((3 * square + 19) * square + 17) * square - 15) / 384,
        x * ((((79 * square + 776) * square + 1482) * square - 1920) * square - 945) / 92160,
    )
    return x + math.fsum(term / df**power for power, term in enumerate(terms, 1))


def t_tail(df: float, value: float) -> float:
    """The chance that Student's t passes *value*, which is at least 0.

    It is half the regularised incomplete beta function of a = df / 2 and b = 1/2, at x = df / (df + value^2).
    """
    if value == 0.0:
        return 0.5
    a, b = 0.5 * df, 0.5
    x, y = df / (df + value**2), value**2 / (df + value**2)  # each by itself: 1 - x would lose a small y
    log_beta = math.lgamma(0.5) - _log_gamma_ratio(df)
    front = math.exp(b * math.log(y) - a * math.log1p(value**2 / df) - log_beta)
    # The fraction converges fast on one side of the distribution's middle; the other is its mirror.
    if x < (a + 1.0) / (a + b + 2.0):
        return 0.5 * front * _fraction(a, b, x) / a
    return 0.5 - 0.5 * front * _fraction(b, a, y) / b


def _density(df: float, value: float) -> float:
    log_scale = _log_gamma_ratio(df) - 0.5 * math.log(df * math.pi)
    return math.exp(log_scale - 0.5 * (df + 1.0) * math.log1p(value**2 / df))


def _log_gamma_ratio(df: float) -> float:
    """Logarithm of gamma((df + 1) / 2) / gamma(df / 2)."""
    if df < _LARGE_DF:
        return math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df)
    # Two large numbers less one another; their series, by the terms that count (DLMF 5.11.13).
    return 0.5 * math.log(0.5 * df) - 1.0 / (4.0 * df) + 1.0 / (24.0 * df**3)


def _fraction(a: float, b: float, x: float) -> float:
    """The continued fraction, by Lentz's method."""
    # Written out: bounds of ten thousand tests take a million of these terms.
    c, d = 1.0, 1.0 / ((1.0 - (a + b) * x / (a + 1.0)) or _TINY)
    value = d
    for m in range(1, _MOST_TERMS):
        place = a + 2 * m
        even = m * (b - m) * x / ((place - 1.0) * place)
        d = 1.0 / ((1.0 + even * d) or _TINY)
        c = (1.0 + even / c) or _TINY
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / (place * (place + 1.0))
        d = 1.0 / ((1.0 + odd * d) or _TINY)
        c = (1.0 + odd / c) or _TINY
        value *= d * c
        if abs(d * c - 1.0) < _EPSILON:
            break
    return value
