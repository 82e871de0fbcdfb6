"""Limits of latency that an answer must keep to count as good, and how many answers must."""

import math
from dataclasses import dataclass

from pytest_energy.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Slo:
    """Service level objective: longest times of one answer; `None` is no limit.

    Attributes:
        ttft_s: To the first token.
        tpot_s: For each token after the first; an answer of one token keeps it always.
        e2e_s: To the last token.
        least_share: Share of answers that must keep all limits, or the test fails; `None` only counts them.

    Raises:
        SettingsError: No limit is given, or one is not above 0; or *least_share* isn't, or is above 1.

    Source:
        `vllm bench serve --goodput`: a time that equals its limit keeps it.
    """

    ttft_s: float | None = None
    tpot_s: float | None = None
    e2e_s: float | None = None
    least_share: float | None = None

    def __post_init__(self) -> None:
        limits = {"ttft_s": self.ttft_s, "tpot_s": self.tpot_s, "e2e_s": self.e2e_s}
        if all(limit is None for limit in limits.values()):
            raise SettingsError("Slo needs at least one limit: ttft_s, tpot_s or e2e_s")
        for name, limit in limits.items():
            if limit is not None and not (limit > 0 and math.isfinite(limit)):
                raise SettingsError(f"Slo({name}={limit!r}): a limit must be a number of seconds above 0")
        if self.least_share is not None and not 0 < self.least_share <= 1:
            raise SettingsError(
                f"Slo(least_share={self.least_share!r}): a share must be above 0 and at most 1, such as 0.99"
            )

    @property
    def limits_s(self) -> dict[str, float]:
        """The limits that are given, by the name of their time."""
        limits = {"ttft": self.ttft_s, "tpot": self.tpot_s, "e2e": self.e2e_s}
        return {name: limit_s for name, limit_s in limits.items() if limit_s is not None}

    def is_kept(self, *, ttft_s: float, tpot_s: float | None, e2e_s: float) -> bool:
        """Whether an answer with these times keeps every limit.

        >>> Slo(ttft_s=0.2).is_kept(ttft_s=0.2, tpot_s=None, e2e_s=9.0)
        True
        """
        pairs = ((ttft_s, self.ttft_s), (tpot_s, self.tpot_s), (e2e_s, self.e2e_s))
        return all(time_s is None or limit_s is None or time_s <= limit_s for time_s, limit_s in pairs)
