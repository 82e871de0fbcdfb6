"""Why what bounds say by themselves is not the verdict, in words."""

from functools import singledispatch

from pytest_energy.stats.compare import LEAST_PROVING_SESSIONS
from pytest_energy.verdict.figures import busy_text, change_text, confidence_text, count_text
from pytest_energy.verdict.findings import (
    ByChance,
    Doubt,
    FewLargeRounds,
    MachineBusy,
    MachineMoved,
    NotConfirmed,
    SameCalls,
)


@singledispatch
def doubt_text(doubt: Doubt) -> str:
    raise NotImplementedError(f"{type(doubt).__name__} has no words")


@doubt_text.register
def _same_calls(_: SameCalls) -> str:
    return (
        "both sides make the same calls, and processes alone can differ this much: "
        "the longer time is attributed to the host"
    )


@doubt_text.register
def _machine_busy(doubt: MachineBusy) -> str:
    return busy_text(doubt.share, doubt.usual_share)


@doubt_text.register
def _few_large_rounds(doubt: FewLargeRounds) -> str:
    repeated = doubt.repeated_ratio
    more = "" if repeated is None else f" ({change_text(repeated)} with one more of them)"
    plain = change_text(doubt.plain_ratio)
    return f"a few large rounds: the plain mean is {plain}{more}, the usual round is not"


@doubt_text.register
def _machine_moved(doubt: MachineMoved) -> str:
    change = change_text(doubt.ratio)
    return (
        f"the machine may be the cause: the yardstick's {doubt.load} changed by {change} or more, "
        "and fewer than five tests can't separate it from the code"
    )


@doubt_text.register
def _not_confirmed(doubt: NotConfirmed) -> str:
    if doubt.batch == "only":
        return f"one round compared with single rounds proves no rise below {LEAST_PROVING_SESSIONS} sessions"
    rounds = count_text(doubt.round_count, "round")
    return f"not confirmed: the {doubt.batch} batch of {rounds} alone does not show it"


@doubt_text.register
def _by_chance(doubt: ByChance) -> str:
    return (
        f"one such rise among {doubt.test_count} comparisons can be chance: "
        f"at {confidence_text(doubt.alpha)} the bounds include no change"
    )
