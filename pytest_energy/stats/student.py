"""Student's t distribution, of which the bounds of a mean take one quantile.

Source: Press et al., Numerical Recipes, 3rd edition, section 6.4 (incomplete beta function by its continued
fraction, with Lentz's method) and 6.14 (Student's t in terms of it).
"""

import math
from statistics import NormalDist

_TINY = 1e-300
# Of a double's 2.2e-16; the fraction takes about sqrt(df) terms, and a quantile some ten steps.
_EPSILON = 1e-15
_MOST_TERMS = 10_000
_MOST_STEPS = 500
_LARGE_DF = 1000.0  # the first term left out of the series for it is 1 / (20 df^5)


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
    # Left of the answer, since t's tail is the heavier one; from there Newton's steps on the tail, which is
    # convex, go right without passing it.
    value = -NormalDist().inv_cdf(tail)
    for _ in range(_MOST_STEPS):
        step = (t_tail(df, value) - tail) / _density(df, value)
        value += step
        if abs(step) <= _EPSILON * value:
            break
    return value


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
    c, d = 1.0, _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    d = 1.0 / d
    value = d
    for m in range(1, _MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for term in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + term * d)
            c = _away_from_zero(1.0 + term / c)
            value *= d * c
        if abs(d * c - 1.0) < _EPSILON:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
