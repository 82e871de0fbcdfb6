"""When requests are sent: an open-loop schedule that does not wait for answers.

Rule 1: the last request is sent at exactly count / rate, whatever the seed. Without that the drawn gaps alone
would change the offered rate by 1 to 2 % from one seed to the next.
Rule 2: equal arguments give equal schedules; nothing else is looked at.
"""

import math
import random
from itertools import accumulate

from pytest_energy.errors import SettingsError


def schedule(count: int, rate: float, *, burstiness: float = 1.0, seed: int = 0) -> tuple[float, ...]:
    """Seconds after the start at which each of *count* requests is sent.

    The gaps are Gamma distributed with shape *burstiness* and mean 1 / *rate*, then scaled together so that
    they span count / rate.

    Args:
        count: Requests, at least 1.
        rate: Requests a second; infinity sends all of them at once.
        burstiness: Shape of the gaps: below 1 in bursts, 1 a Poisson process, above 1 more even, infinity
            a constant gap.
        seed: Of the gaps.

    Raises:
        SettingsError: An argument is outside its range.

    Source:
        The open-loop load of `vllm bench serve`: options `--request-rate` and `--burstiness`.

    >>> schedule(4, 2.0, burstiness=float("inf"))
    (0.5, 1.0, 1.5, 2.0)
    >>> schedule(3, float("inf"))
    (0.0, 0.0, 0.0)
    """
    _check(count, rate, burstiness)
    if math.isinf(rate):
        return (0.0,) * count
    span_s = count / rate
    if math.isinf(burstiness):
        return tuple((position + 1) / count * span_s for position in range(count))
    rng = random.Random(seed)  # noqa: S311 (a reproducible load, no secret)
    elapsed = tuple(accumulate(rng.gammavariate(burstiness, 1.0) for _ in range(count)))
    if elapsed[-1] <= 0 or not math.isfinite(elapsed[-1]):
        msg = f"burstiness {burstiness:g} gives gaps outside floating point; use 0.01 to 1e6, or infinity"
        raise SettingsError(msg)
    return tuple(min(span_s, gap / elapsed[-1] * span_s) for gap in elapsed)


def _check(count: int, rate: float, burstiness: float) -> None:
    if count < 1:
        raise SettingsError(f"a load of {count} requests; it needs at least 1 prompt")
    if not rate > 0:
        raise SettingsError(
            f"a rate of {rate} requests a second; it must be above 0, or infinity for all at once"
        )
    if not burstiness > 0:
        raise SettingsError(f"burstiness {burstiness}; it must be above 0 (1 is a Poisson process)")
