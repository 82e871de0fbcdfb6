"""What each run is asked to do, and its schedule as the other client reads it. Pure."""

import json
import math
from dataclasses import dataclass
from typing import Literal

from pytest_energy.errors import SettingsError
from pytest_energy.serving.arrivals import Schedule

Arrivals = Literal["same", "own"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What each run is asked to do.

    Attributes:
        size: Of the model, one of `benchmarks.llm.models.SIZES`.
        prompt_tokens: Length of each prompt.
        output_tokens: Length of each answer, at least 2, or there is no time per token.
        count: Requests.
        rate: Requests a second.
        burstiness: Of the arrivals.
        arrivals: Who makes them, see Rule 2.
    """

    size: str
    prompt_tokens: int
    output_tokens: int
    count: int
    rate: float
    burstiness: float
    arrivals: Arrivals

    def __post_init__(self) -> None:
        if self.output_tokens < 2:
            raise SettingsError(f"answers of {self.output_tokens} tokens have no TPOT; ask for at least 2")
        if not 0 < self.rate < math.inf:
            raise SettingsError(f"a rate of {self.rate} requests a second; it must be above 0 and finite")

    @property
    def longest(self) -> int:
        """Tokens of a request, answer included."""
        return self.prompt_tokens + self.output_tokens

    @property
    def room(self) -> int:
        """Tokens that the server is to allow a request.

        More than it has: where the other client sends text (vLLM 0.24), the server refuses one of more
        characters than so many of the longest words, and doesn't count the spaces between them.
        """
        return self.longest + self.prompt_tokens

    def due_s(self, seed: int) -> tuple[float, ...]:
        """When our load generator sends each request."""
        return Schedule(rate=self.rate, burstiness=self.burstiness, seed=seed).due_s(self.count)


def trace(work: Work, seed: int) -> str:
    """The arrivals and lengths of our load as the other client's dataset `timed_trace` reads them.

    One hash stands for a whole prompt, from which that client draws its token ids.
    """
    rows = (
        {
            "timestamp": due_s,
            "input_length": work.prompt_tokens,
            "output_length": work.output_tokens,
            "hash_ids": [seed * work.count + position],
        }
        for position, due_s in enumerate(work.due_s(seed))
    )
    return "".join(f"{json.dumps(row)}\n" for row in rows)
