"""The steps that an engine took: one pass of its model each, over all requests that it has scheduled.

Rule 1: an engine reports the prompt tokens of a request when its first token comes. Where a step holds no
more tokens than its limit, those beyond it were computed in the steps before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step.

    Attributes:
        time_s: When it ended, as the engine's front end heard of it a moment later: in a load's result in
            seconds since the load began, from an engine on the clock of the meter.
        prompt_tokens: Prompt tokens computed in it, without those from a cache.
        output_tokens: Tokens written.
        first_tokens: How many of those are the first of their answers: a prompt's last step writes one.
        running: Requests that it leaves under way.
    """

    time_s: float
    prompt_tokens: int
    output_tokens: int
    first_tokens: int
    running: int

    @property
    def decoded_tokens(self) -> int:
        """Tokens that followed another one of their answer."""
        return self.output_tokens - self.first_tokens


@runtime_checkable
class TellsSteps(Protocol):
    """An engine that reports its steps."""

    def take_steps(self) -> tuple[Step, ...]:
        """The steps since this was last called, the oldest first, on the clock of the meter."""
        ...


def since(steps: Sequence[Step], start_s: float) -> tuple[Step, ...]:
    """*steps* from *start_s* on, in seconds since then."""
    return tuple(replace(step, time_s=step.time_s - start_s) for step in steps if step.time_s >= start_s)


def tokens_per_turn(steps: Sequence[Step]) -> float | None:
    """Tokens that a step writes to each request that it decodes: 1, and more with speculative decoding.

    Requests in the middle of their prompt are among those under way, so it is a little less. `None` where
    nothing was decoded.

    >>> before = Step(time_s=1.0, prompt_tokens=9, output_tokens=2, first_tokens=2, running=2)
    >>> step = Step(time_s=2.0, prompt_tokens=0, output_tokens=6, first_tokens=0, running=2)
    >>> tokens_per_turn([before, step])
    3.0
    """
    pairs = [(before.running, step.decoded_tokens) for before, step in pairwise(steps) if step.decoded_tokens]
    turns = sum(running for running, _ in pairs)
    return sum(tokens for _, tokens in pairs) / turns if turns else None


def laid_back(steps: Sequence[Step], most_tokens: int | None) -> tuple[Step, ...]:
    """*steps* of one engine, prompt tokens beyond *most_tokens* in a step moved to those before it.

    Tokens that no step before has room for remain in the first.

    >>> first = Step(time_s=1.0, prompt_tokens=0, output_tokens=4, first_tokens=0, running=5)
    >>> last = Step(time_s=2.0, prompt_tokens=150, output_tokens=5, first_tokens=1, running=5)
    >>> [step.prompt_tokens for step in laid_back([first, last], 100)]
    [54, 96]
    """
    if most_tokens is None:
        return tuple(steps)
    moved: list[Step] = []
    beyond = 0
    for step in reversed(steps):
        wanted = step.prompt_tokens + beyond
        room = max(0, most_tokens - step.decoded_tokens)
        beyond = max(0, wanted - room)
        moved.append(replace(step, prompt_tokens=wanted - beyond))
    if moved and beyond:
        moved[-1] = replace(moved[-1], prompt_tokens=moved[-1].prompt_tokens + beyond)
    return tuple(reversed(moved))
