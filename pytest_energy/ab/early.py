"""Looks at a test before its last block: whether what is known is enough. Pure.

Rule 1: where the calls of both sides are the same, a look may end in a pass; where there are more, in a
    regression. Where nobody knows there is no look.
Rule 2: every other verdict waits for the last block. What looks cost: `stats.looks`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from pytest_energy.ab.calls import Calls
from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.ab.judge import Suite, comparer_of, judge_pairs
from pytest_energy.ab.part_changes import Look, PartComparer
from pytest_energy.errors import NotMeasurable
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.stats.looks import Chances
from pytest_energy.verdict.policy import Policy

ENOUGH = {Calls.SAME: Verdict.PASS, Calls.MORE: Verdict.REGRESSION}
"""The verdict that a look may end in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyLook:
    """State of a test at the end of a block.

    Attributes:
        judgement: Final, where no further block is needed; else `None`.
        left: Chances of the looks that may still come.
    """

    judgement: Judgement | None
    left: Chances


def look_early(
    blocks: Sequence[PairedRounds],
    test_id: str,
    names: tuple[str, str],
    policy: Policy,
    suite: Suite,
    *,
    look: Look,
) -> EarlyLook:
    """Look at the *blocks* so far; *look* has the chances that are left, and how many blocks there will be.

    Raises:
        FormatError: A side's judgement is none.
    """
    left = look.chances or Chances.both(policy.alpha)
    if not all(block.is_interleaved and block.void_because is None for block in blocks):
        return EarlyLook(judgement=None, left=left)
    try:
        now, later = next_look(look, left, lambda one: comparer_of(blocks, test_id, policy, suite, one))
    except NotMeasurable:
        return EarlyLook(judgement=None, left=left)
    if now is None:
        return EarlyLook(judgement=None, left=left)
    result = judge_pairs(blocks, test_id, names, policy, suite, look=now)
    if isinstance(result, Judgement) and result.verdict is ENOUGH[look.counted.calls]:
        return EarlyLook(judgement=result, left=later)
    return EarlyLook(judgement=None, left=later)


def next_look(
    look: Look, left: Chances, comparer: Callable[[Look], PartComparer]
) -> tuple[Look | None, Chances]:
    """The look to take now, if any, and the chances that are left after it.

    Raises:
        NotMeasurable: A block has no pair, or a round of 0 J.
    """
    if look.counted.calls is Calls.MORE:
        now, later = left.for_a_rise()
        return replace(look, chances=now), later
    now, later = left.for_a_pass()
    wanted = replace(look, chances=now)
    if look.counted.calls is Calls.SAME and comparer(wanted).is_worth_a_look():
        return wanted, later
    return None, left
