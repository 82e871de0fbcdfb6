"""A side that was counted before: it gives the same answers again, without a process. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_energy.ab.protocol import CollectedTests, FinishedTest
from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSide:
    """A side whose tests have ended.

    Attributes:
        ended: Test id to how it ended.
        sources: As those of a worker.
    """

    tests: CollectedTests
    ended: Mapping[str, FinishedTest]
    sources: Mapping[str, str]

    def collected(self) -> CollectedTests:
        return self.tests

    def begin(self, test_id: str, next_id: str | None) -> FinishedTest:
        """How *test_id* ended.

        Raises:
            NotMeasurable: It wasn't run before.
        """
        del next_id
        if test_id not in self.ended:
            raise NotMeasurable(f"{test_id} was not counted before")
        return self.ended[test_id]

    def take_round(self, call_count: int) -> Reading:
        """Refuse a round: there is no process to take it in."""
        raise NotMeasurable(f"a round of {call_count} calls is asked of a side that was only counted")

    def finish(self) -> FinishedTest:
        """Refuse to end what doesn't run."""
        raise NotMeasurable("a side that was only counted runs no test")
