"""The interface of a policy."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from pytest_energy.codec import kind_of
from pytest_energy.errors import SettingsError


@runtime_checkable
class Policy(Protocol):
    """Decides when waiting requests are served, and serves them."""

    def batch(self, waiting: int, waited_s: float, /) -> int:
        """How many of the oldest requests are served now; 0 waits on.

        Args:
            waiting: Requests that have arrived and are not served, at least 1.
            waited_s: How long the oldest of them has waited.
        """
        ...

    def serve(self, items: Sequence[object], /) -> Sequence[object]:
        """One answer for each item, in order; returns when they are known."""
        ...


def checked_policy(name: str, value: object) -> Policy:
    """*value*, which is called *name*.

    Raises:
        SettingsError: It is no policy.
    """
    if not isinstance(value, Policy):
        raise SettingsError(
            f"policy {name} is {kind_of(value)}; it must have the methods batch(waiting, waited_s) and "
            "serve(items)"
        )
    return value
