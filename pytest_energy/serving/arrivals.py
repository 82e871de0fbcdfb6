"""When requests are sent: an open-loop schedule that does not wait for answers.

Rule 1: the last request is sent at exactly count / rate, whatever the seed. Without that the drawn gaps alone
would change the offered rate by 1 to 2 % from one seed to the next.
Rule 2: equal schedules give equal times; nothing else is looked at.
"""

import math
import random
from dataclasses import dataclass
from itertools import accumulate

from pytest_energy.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How the requests of a load leave: at a rate, under a cap, or both.

    Attributes:
        rate: Requests a second; infinity sends all at once, as far as *concurrency* lets them.
        burstiness: Shape of the gaps, which are Gamma distributed: below 1 in bursts, 1 a Poisson process,
            above 1 more even, infinity a constant gap.
        concurrency: Most requests under way at once, or `None` for no cap; with an infinite rate a closed
            loop.
        seed: Seed of the gaps.

    Raises:
        SettingsError: One is outside its range.

    Source:
        The load of `vllm bench serve`: options `--request-rate`, `--burstiness` and `--max-concurrency`.
    """

    rate: float
    burstiness: float = 1.0
    concurrency: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise SettingsError(
                f"a rate of {self.rate} requests per second; it must be above 0, or infinity for all at once"
            )
        if not self.burstiness > 0:
            raise SettingsError(f"burstiness {self.burstiness}; it must be above 0 (1 is a Poisson process)")
        if self.concurrency is not None and self.concurrency < 1:
            raise SettingsError(
                f"concurrency is {self.concurrency}; it must be at least 1, or None for no cap"
            )

    @property
    def is_closed_loop(self) -> bool:
        """Whether only answers let further requests go: a cap, and no rate."""
        return self.concurrency is not None and math.isinf(self.rate)

    def due_s(self, count: int) -> tuple[float, ...]:
        """Seconds after the start at which each of *count* requests is sent.

        The gaps have mean 1 / `rate`, and are scaled together so that they span count / rate.

        Raises:
            SettingsError: *count* is below 1, or the gaps are outside floating point.

        >>> Schedule(rate=2.0, burstiness=float("inf")).due_s(4)
        (0.5, 1.0, 1.5, 2.0)
        >>> Schedule(rate=float("inf")).due_s(3)
        (0.0, 0.0, 0.0)
        """
        if count < 1:
            raise SettingsError(f"a load of {count} requests; it needs at least 1 prompt")
        if math.isinf(self.rate):
            return (0.0,) * count
        span_s = count / self.rate
        if math.isinf(self.burstiness):
            return tuple((position + 1) / count * span_s for position in range(count))
        rng = random.Random(self.seed)  # noqa: S311 (a reproducible load, no secret)
        elapsed = tuple(accumulate(rng.gammavariate(self.burstiness, 1.0) for _ in range(count)))
        if elapsed[-1] <= 0 or not math.isfinite(elapsed[-1]):
            raise SettingsError(
                f"burstiness {self.burstiness:g} gives gaps outside floating point; use 0.01 to 1e6, or "
                "infinity"
            )
        return tuple(min(span_s, gap / elapsed[-1] * span_s) for gap in elapsed)
