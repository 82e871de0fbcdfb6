"""One load through one policy.

Rule 1: requests arrive when the load says, whatever the policy does; a latency is from the arrival to the
answer, waiting included.
Rule 2: a load lasts at least as long as its stages, so that the idle time between requests counts for both.
Rule 3: each request is answered once, or the test fails.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_energy.codec import brief
from pytest_energy.errors import EnergyError
from pytest_energy.meter.clock import Clock
from pytest_energy.serving.policies.changing_load import ChangingLoad
from pytest_energy.serving.policies.protocol import Policy

_LOOK_S = 0.001  # between two questions to a policy that waits: 1 % of a latency limit of 0.1 s
_MOST_WAIT_S = 30.0  # a policy that takes nothing for so long never will


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRun:
    """What came of one load.

    Attributes:
        latencies_s: From arrival to answer, of each request.
        answers: Of each request, in order of arrival.
        batch_sizes: Requests in each batch, in order.
        duration_s: From the start to the last answer, or to the end of the load.
    """

    latencies_s: tuple[float, ...]
    answers: tuple[object, ...]
    batch_sizes: tuple[int, ...]
    duration_s: float


def serve_load(name: str, policy: Policy, load: ChangingLoad, clock: Clock) -> PolicyRun:
    """Send *load* to *policy*, which is called *name*.

    Raises:
        EnergyError: The policy takes nothing, or gives not one answer for each item.
    """
    due_s, began_s = load.due_s, clock.now_s()
    answers: list[object] = []
    latencies_s: list[float] = []
    sizes: list[int] = []
    while len(answers) < len(due_s):
        clock.sleep_s(began_s + due_s[len(answers)] - clock.now_s())
        while not (size := _taken(name, policy, due_s[len(answers) :], clock.now_s() - began_s)):
            clock.sleep_s(_LOOK_S)
        positions = range(len(answers), len(answers) + size)
        given = policy.serve([load.items[place % len(load.items)] for place in positions])
        now_s = clock.now_s() - began_s
        _check_answers(name, given, size)
        answers += given
        latencies_s += [now_s - due_s[place] for place in positions]
        sizes.append(size)
    clock.sleep_s(began_s + load.duration_s - clock.now_s())
    return PolicyRun(
        latencies_s=tuple(latencies_s),
        answers=tuple(answers),
        batch_sizes=tuple(sizes),
        duration_s=clock.now_s() - began_s,
    )


def _taken(name: str, policy: Policy, due_s: Sequence[float], now_s: float) -> int:
    """How many of the requests that are left, due at *due_s*, *policy* takes now."""
    waiting, waited_s = max(1, bisect_right(due_s, now_s)), max(0.0, now_s - due_s[0])
    size: object = policy.batch(waiting, waited_s)
    if not isinstance(size, int) or not 0 <= size <= waiting:
        raise EnergyError(
            f"policy {name}: batch() returned {brief(size)} with {waiting} requests waiting; it must be "
            f"a whole number of 0 to {waiting}"
        )
    if not size and waited_s > _MOST_WAIT_S:
        raise EnergyError(
            f"policy {name}: batch() left {waiting} requests waiting for {_MOST_WAIT_S:g} s; it must "
            "take at least 1 once waited_s is long enough"
        )
    return size


def _check_answers(name: str, given: object, size: int) -> None:
    if not isinstance(given, Sequence) or len(given) != size:
        count = len(given) if isinstance(given, Sequence) else brief(given)
        raise EnergyError(
            f"policy {name}: serve() returned {count} answers for {size} items; return a list of one for each"
        )
