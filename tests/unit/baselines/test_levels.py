"""Which entries of a baseline judge, and which are kept."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_energy.baselines.levels import JUDGING_COUNT, extended, kept, level_of
from pytest_energy.baselines.schema import KEPT_COUNT, PINNED_COUNT
from pytest_energy.errors import BaselineError
from pytest_energy.model import JoinedAs, Record
from tests.builders import numbers, record, sessions

IMPROVEMENT, LEVEL = JoinedAs


def marked(count: int, marks: Mapping[int, JoinedAs]) -> tuple[Record, ...]:
    """*count* sessions of which those in *marks* joined so."""
    return tuple(replace(one, joined_as=marks.get(number)) for number, one in enumerate(sessions(count)))


def marks(records: tuple[Record, ...]) -> list[JoinedAs | None]:
    return [one.joined_as for one in records]


class TestLevel:
    @pytest.mark.parametrize("count", [1, PINNED_COUNT, JUDGING_COUNT])
    def test_while_there_are_few_all_judge(self, count: int) -> None:
        """Bounds from few sessions are wide, so the pinned ones judge with the others."""
        assert numbers(level_of(sessions(count)).judging) == list(range(count))

    def test_the_newest_judge(self) -> None:
        """With more, the newest seven judge: in a full baseline those that are not pinned."""
        assert numbers(level_of(sessions(8)).judging) == [1, 2, 3, 4, 5, 6, 7]
        level = level_of(sessions(KEPT_COUNT))
        assert numbers(level.judging) == [3, 4, 5, 6, 7, 8, 9]
        assert numbers(level.pinned) == [0, 1, 2]

    def test_without_marks_all_is_one_level(self) -> None:
        """A file from before there were levels has one, which no change has started."""
        level = level_of(sessions(5))
        assert numbers(level.entries) == [0, 1, 2, 3, 4]
        assert (level.unused_count, level.is_new, level.pending) == (0, False, None)

    def test_a_level_starts_at_its_mark(self) -> None:
        """What was before the mark is neither pinned nor judges."""
        level = level_of(marked(9, {4: LEVEL}))
        assert numbers(level.judging) == [4, 5, 6, 7, 8]
        assert numbers(level.pinned) == [4, 5, 6]
        assert (level.unused_count, level.is_new, level.pending) == (4, True, None)

    def test_the_newest_mark_counts(self) -> None:
        """A level ends where the next begins."""
        assert numbers(level_of(marked(6, {1: LEVEL, 4: LEVEL})).entries) == [4, 5]

    def test_an_improvement_judges_nothing_until_another_follows(self) -> None:
        """One improvement may be a quiet host: it is neither the newest that judges nor pinned."""
        level = level_of(marked(3, {2: IMPROVEMENT}))
        assert numbers(level.judging) == numbers(level.pinned) == [0, 1]
        assert (level.pending, level.unused_count) == (marked(3, {2: IMPROVEMENT})[2], 0)

    def test_an_improvement_that_none_followed_is_of_no_use(self) -> None:
        """What came after it says that it was chance."""
        level = level_of(marked(5, {2: IMPROVEMENT}))
        assert numbers(level.entries) == [0, 1, 3, 4]
        assert (level.pending, level.unused_count) == (None, 1)

    def test_improvements_alone_are_better_than_nothing(self) -> None:
        """Where all else was pruned, they are what there is."""
        level = level_of(marked(2, {0: IMPROVEMENT, 1: IMPROVEMENT}))
        assert (numbers(level.judging), level.pending) == ([0, 1], None)

    def test_of_nothing(self) -> None:
        """A baseline without a session has no level."""
        with pytest.raises(BaselineError, match="sessions is empty"):
            level_of(())


class TestKept:
    def test_first_and_newest(self) -> None:
        """The first three accepted sessions stay for good, the rest are the newest."""
        assert numbers(kept(sessions(14), 10)) == [0, 1, 2, 7, 8, 9, 10, 11, 12, 13]

    def test_all_when_there_is_room(self) -> None:
        """Nothing goes before there are too many."""
        assert kept(sessions(KEPT_COUNT), KEPT_COUNT) == sessions(KEPT_COUNT)

    @pytest.mark.parametrize(
        ("keep", "stay"),
        [(1, [5]), (2, [0, 5]), (PINNED_COUNT, [0, 1, 5]), (PINNED_COUNT + 1, [0, 1, 2, 5])],
    )
    def test_the_newest_always_stays(self, keep: int, stay: list[int]) -> None:
        """However few are kept, an accepted session is among them."""
        assert numbers(kept(sessions(6), keep)) == stay

    @pytest.mark.parametrize("keep", [0, -3])
    def test_at_least_one(self, keep: int) -> None:
        """To keep none is no baseline."""
        with pytest.raises(BaselineError, match=f"can't keep {keep} sessions"):
            kept(sessions(2), keep)

    def test_what_was_before_the_level_goes(self) -> None:
        """Also where there is room for it, and the level's own first ones are pinned."""
        assert numbers(kept(marked(6, {4: LEVEL}), 10)) == [4, 5]
        assert numbers(kept(marked(12, {4: LEVEL}), 5)) == [4, 5, 6, 10, 11]

    def test_an_improvement_stays_until_the_next(self) -> None:
        """It stays while a second may follow, and goes when none has."""
        assert numbers(kept(marked(6, {5: IMPROVEMENT}), 5)) == [0, 1, 2, 4, 5]
        assert numbers(kept(marked(6, {3: IMPROVEMENT}), 10)) == [0, 1, 2, 4, 5]


class TestExtended:
    def test_two_improvements_running_start_a_level(self) -> None:
        """The first of the two is its first; a third is one on that level, and waits for a fourth."""
        entries = marked(6, dict.fromkeys(range(2, 6), IMPROVEMENT))
        two = extended(entries[:3], entries[3:4])
        assert marks(two) == [None, None, LEVEL, None]
        three = extended(two, entries[4:5])
        assert numbers(level_of(three).entries) == [2, 3]
        assert numbers(level_of(extended(three, entries[5:])).entries) == [4, 5]

    def test_improvements_with_another_between_start_nothing(self) -> None:
        """Running means one after the other."""
        entries = marked(5, {2: IMPROVEMENT, 4: IMPROVEMENT})
        assert extended(entries[:2], entries[2:]) == entries

    def test_a_session_that_is_there_becomes_the_start(self) -> None:
        """A run added itself as an improvement, and a person accepts it: it is once there, and the first."""
        entries = marked(4, {2: IMPROVEMENT})
        again = extended(entries, (replace(entries[2], joined_as=LEVEL),))
        assert marks(again) == [None, None, LEVEL, None]

    def test_a_start_that_is_added_again_stays_one(self) -> None:
        """Accepting once more changes nothing, whatever the mark."""
        entries = marked(3, {1: LEVEL})
        assert extended(entries, (replace(entries[1], joined_as=None), entries[1])) == entries

    def test_a_session_is_added_once(self) -> None:
        """The same run accepted twice, or twice in one go, is one session."""
        again = sessions(3)
        assert extended(sessions(2), (*again, *again)) == sessions(3)

    def test_power_over_time_makes_no_other_session(self) -> None:
        """A run has it and a baseline doesn't: they are one session still."""
        steps = {"gpu:0": ((0.0, 300.0), (0.1, 300.0))}
        plain = record()
        traced = replace(plain, rounds=tuple(replace(one, power_trace=steps) for one in plain.rounds))
        assert extended((), (traced,)) == (plain,)
        assert extended((plain,), (traced,)) == (plain,)

    def test_equal_joules_at_another_time_are_another_session(self) -> None:
        """Two runs that read the same are two sessions."""
        one, other = record(created="2025-11-20T10:00:00Z"), record(created="2025-11-20T11:00:00Z")
        assert extended((one,), (other,)) == (one, other)
