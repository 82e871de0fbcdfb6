"""One test of a comparison: its blocks so far, its counts, and its result."""

from dataclasses import replace

from pytest_energy.ab.calls import NOT_COUNTED, Counted
from pytest_energy.ab.early import look_early
from pytest_energy.ab.interleave import PairedRounds
from pytest_energy.ab.judge import Problem, Suite, judge_pairs, judgements_of
from pytest_energy.ab.part_changes import Look
from pytest_energy.judgement import Judgement
from pytest_energy.model import Provenance
from pytest_energy.stats.looks import Chances
from pytest_energy.verdict.policy import Policy


class PairedTest:
    """A test of both sides.

    Args:
        names: Of the side that is compared with, and of the side that is judged.
        block_count: Blocks that are planned.

    Attributes:
        blocks: What was measured so far.
        early: Its judgement, where blocks that were planned are not needed; else `None`.
    """

    def __init__(self, test_id: str, names: tuple[str, str], policy: Policy, block_count: int) -> None:
        self.test_id, self.policy = test_id, policy
        self._names, self._block_count = names, block_count
        self.blocks: list[PairedRounds] = []
        self.early: Judgement | None = None
        self._counted = NOT_COUNTED
        self._left = Chances.both(policy.alpha)

    @property
    def is_open(self) -> bool:
        """Whether another block has something to add."""
        is_complete = bool(self.blocks) and (self.blocks[-1].is_complete or self.policy.is_by_counts)
        return self.early is None and not is_complete

    def add(self, rounds: PairedRounds) -> None:
        """Add a block; counts are those of the first."""
        if not self.blocks and all(done.judgement is not None for done in rounds.ended):
            before, after = judgements_of(rounds, self._names)
            if after.terms is not None and after.terms.is_by_counts:  # as the test's marker says
                self.policy = replace(self.policy, is_by_counts=True)
            self._counted = Counted.of(before.record, after.record, self._names[0], self.policy)
        self.blocks.append(rounds)

    def extend(self, block_count: int) -> None:
        """Plan *block_count* blocks in place of those so far, where more rounds can add something."""
        if self.blocks and all(map(_may_go_on, self.blocks)):
            self.early, self._block_count = None, block_count
            self.blocks[-1] = replace(self.blocks[-1], is_complete=False)

    def look(self, suite: Suite) -> Judgement | None:
        """Look at it after a block that is not the last; its judgement, if that was enough."""
        look = Look(chances=self._left, counted=self._counted, block_count=self._block_count)
        ended = look_early(self.blocks, self.test_id, self._names, self.policy, suite, look=look)
        self.early, self._left = ended.judgement, ended.left
        return self.early

    def conclude(self, suite: Suite) -> Judgement | Problem:
        """Its result."""
        if self.early is not None:
            return self.early
        look = Look(chances=self._left, counted=self._counted)
        return judge_pairs(self.blocks, self.test_id, self._names, self.policy, suite, look=look)


def _may_go_on(rounds: PairedRounds) -> bool:
    """Whether more rounds like these are new ones: taken in turns, sound, and no replay's."""
    is_new = all(one.provenance is not Provenance.REPLAYED for one in rounds.after)
    has_passed = all(done.outcome == "passed" for done in rounds.ended)
    return rounds.is_interleaved and rounds.void_because is None and is_new and has_passed
