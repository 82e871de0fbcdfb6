"""Unit conversions and physical values as text for people.

Rule 1: the only file that holds the factors between units.
Rule 2: a rounded text never says zero for a value that is not zero.
"""

import math

JOULES_PER_MILLIJOULE = 1e-3
JOULES_PER_MICROJOULE = 1e-6
WATTS_PER_MILLIWATT = 1e-3
WATTS_PER_MICROWATT = 1e-6
JOULES_PER_KILOWATT_HOUR = 3.6e6

_SCALES = {"n": 1e-9, "u": 1e-6, "\N{MICRO SIGN}": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6}
ENERGY_UNITS = {f"{prefix}J": scale for prefix, scale in _SCALES.items()} | {
    f"{prefix}Wh": 3600.0 * _SCALES[prefix] for prefix in ("m", "", "k")
}
"""Joules in a unit of energy that a person writes."""
POWER_UNITS = {f"{prefix}W": scale for prefix, scale in _SCALES.items()}
"""Watts in a unit of power."""
TIME_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
"""Seconds in a unit of time."""
SHARE_UNITS = {"%": 0.01}

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"))


def factor_of(prefix: str) -> float:
    """The factor of the SI prefix *prefix*.

    >>> factor_of("m")
    0.001
    """
    return next(factor for factor, name in _PREFIXES if name == prefix)


def to_text(value: float, unit: str, *, digits: int = 4) -> str:
    """Value with an SI prefix and *digits* significant digits.

    >>> to_text(12345.0, "J")
    '12.35 kJ'
    >>> to_text(0.00042, "J")
    '420 uJ'
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    factor, prefix = prefix_of(value)
    return f"{float(f'{value / factor:.{digits}g}'):.{max(6, digits)}g} {prefix}{unit}"


def prefix_of(value: float) -> tuple[float, str]:
    """Factor and symbol of the prefix that *value* is written with; none for 0.

    >>> prefix_of(0.0042), prefix_of(12.0)
    ((0.001, 'm'), (1.0, ''))
    """
    if value == 0 or not math.isfinite(value):
        return 1.0, ""
    size = abs(value)
    for prefix in _PREFIXES:
        if size >= prefix[0]:
            return prefix
    return _PREFIXES[-1]


def with_uncertainty_text(value: float, uncertainty: float, unit: str) -> str:
    """Value and its standard uncertainty, rounded to the same decimal.

    The uncertainty keeps two significant digits and the value at least one. Of the prefixes that leave
    1 to 4 digits before the point, the one with the shortest text is taken. An uncertainty below a hundred
    thousandth of the value is shown as that: rounded up it stays true, and the text stays readable.

    >>> with_uncertainty_text(12.3456, 0.2349, "J")
    '12.35 +- 0.23 J'
    >>> with_uncertainty_text(2217.83, 3.31, "J")
    '2217.8 +- 3.3 J'
    >>> with_uncertainty_text(10.0, 0.0, "J")
    '10 +- 0 J'
    """
    if value == 0 or uncertainty == 0 or not (math.isfinite(value) and math.isfinite(uncertainty)):
        number, symbol = to_text(value, unit).split(" ", 1)
        return f"{number} +- {uncertainty:.2g} {symbol if uncertainty == 0 else unit}"
    wide = [p for p in _PREFIXES if 1 <= abs(value) / p[0] < 10_000]
    texts = (
        _rounded_pair(value / f, uncertainty / f) + f" {prefix}{unit}" for f, prefix in wide or _PREFIXES[3:4]
    )
    return min(texts, key=len)


def _rounded_pair(value: float, uncertainty: float) -> str:
    error = float(f"{max(uncertainty, abs(value) * 1e-5):.1e}")
    decimals = max(1 - math.floor(math.log10(error)), -math.floor(math.log10(abs(value))))
    places = max(decimals, 0)
    return f"{round(value, decimals):.{places}f} +- {round(error, decimals):.{places}f}"


def percent_change_text(ratio: float) -> str:
    """Change of *ratio* from 1 in percent; a change that is not zero never reads as zero.

    >>> percent_change_text(1.304)
    '+30.4 %'
    >>> percent_change_text(1.0002)
    '+0.02 %'
    >>> percent_change_text(1.0)
    '0 %'
    """
    change = (ratio - 1.0) * 100.0
    if change == 0:
        return "0 %"
    decimals = max(1, min(12, -math.floor(math.log10(abs(change)))))
    return f"{change:+.{decimals}f} %"
