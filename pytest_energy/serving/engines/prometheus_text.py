"""Single figures out of a page of metrics in Prometheus' text format.

A page of vLLM has a thousand lines, most of them histograms. It is read while a load runs on the same thread,
so only the lines of the asked names are looked at.

Source:
    Prometheus documentation, "Exposition formats", text-based format.
"""

import math
import re

from pytest_energy.errors import FormatError


def metric_sum(page: str, name: str) -> int | None:
    r"""Sum of the metric *name* over its label sets (engines, ranks), or `None` where the page has none.

    Raises:
        FormatError: A value is no whole number.

    >>> metric_sum('hits_total{engine="0"} 3.0\nhits_total{engine="1"} 4.0\n', "hits_total")
    7
    >>> metric_sum("hits_total 3.0", "hits") is None
    True
    """
    samples = re.findall(rf"^{re.escape(name)}(?:[ \t]*\{{.*\}})?[ \t]+(\S+)", page, re.MULTILINE)
    return sum(_whole(name, value) for value in samples) if samples else None


def _whole(name: str, text: str) -> int:
    try:
        value = float(text)
    except ValueError as error:
        raise FormatError(f"metric {name} is {text!r}, not a number") from error
    if not math.isfinite(value) or value != round(value) or value < 0:
        raise FormatError(f"metric {name} is {text}, not a count")
    return round(value)
