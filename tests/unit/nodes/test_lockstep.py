"""What the ranks of one job say to each other."""

import pytest

from pytest_energy.errors import EnergyError, FormatError
from pytest_energy.nodes import lockstep
from pytest_energy.nodes.lockstep import SILENT_S, Arrival, Follower, Leader, RankLost, Watch, pulse_key
from tests.fakes.rank_store import RankStore, WaitingClock


class Job:
    """Rank 0 and rank 1 on one store and one clock; both give signs of life unless they are in *silent*."""

    def __init__(self, *, world_size: int = 2) -> None:
        self.store, self.clock = RankStore(), WaitingClock()
        self.ended: dict[int, str] = {}
        self.silent: set[int] = set()
        self._world_size, self._beats = world_size, 0
        self.leader = Leader(self.store, world_size, self.watch(), self.clock)
        self.follower = Follower(self.store, 1, self.watch(), self.clock)
        self._beat()

    def watch(self) -> Watch:
        return Watch(self.store, self.clock, self.ended.get)

    def _beat(self) -> None:
        if self.store.has_ended:
            return
        self._beats += 1
        for rank in {*range(self._world_size)} - self.silent:
            self.store.put(pulse_key(rank), str(self._beats))
        self.clock.after(1.0, self._beat)

    def begin(self, number: int = 0, test_id: str = "t.py::test_a") -> None:
        """Both begin a test."""
        self.clock.after(0.1, lambda: self.leader.begin(number, test_id, lambda: None))
        self.follower.begin(number, test_id)


def test_words_are_heard_once_and_in_order() -> None:
    """What rank 0 says is heard by each other rank in the order in which it was said."""
    job = Job()
    job.begin()
    job.leader.say(lockstep.RoundWord(call_count=7))
    job.leader.say(lockstep.GoWord())
    assert job.follower.peek() == lockstep.RoundWord(call_count=7)
    assert job.follower.hear() == lockstep.RoundWord(call_count=7)
    assert job.follower.hear() == lockstep.GoWord()


def test_a_rank_waits_for_the_next_word() -> None:
    """A word that comes later is waited for, however long, while rank 0 lives."""
    job = Job()
    job.begin()
    job.clock.after(3600.0, lambda: job.leader.say(lockstep.DoneWord()))
    before_s = job.clock.now_s()
    assert job.follower.hear() == lockstep.DoneWord()
    assert job.clock.now_s() - before_s == pytest.approx(3600.0, abs=0.1)


def test_all_are_there_before_a_window_and_say_their_gpus() -> None:
    """Rank 0 waits until every other rank has arrived, and is given what each has said."""
    job = Job()
    job.begin()
    job.clock.after(2.0, lambda: job.follower.arrive(Arrival(gpus=("GPU-b",))))
    before_s = job.clock.now_s()
    assert job.leader.meet() == {1: Arrival(gpus=("GPU-b",))}
    assert job.clock.now_s() - before_s == pytest.approx(2.0, abs=0.1)


def test_everything_rests_while_rank_0_gets_ready() -> None:
    """The others have arrived and haven't heard of the test yet when idle power is read."""
    job = Job()
    heard: list[str] = []

    def get_ready() -> None:
        heard.append(f"words said: {sum(key.startswith('said/') for key in job.store.texts)}")

    job.clock.after(1.0, lambda: job.leader.begin(0, "t.py::test_a", get_ready))
    job.follower.begin(0, "t.py::test_a")
    assert heard == ["words said: 0"]


def test_an_ended_process_is_named_at_once() -> None:
    """A process that is gone is no reason to wait: the rank is named, also to all windows after it."""
    job = Job()
    job.begin()
    job.clock.after(1.0, lambda: job.ended.update({1: "its process 17 is gone"}))
    before_s = job.clock.now_s()
    for _ in range(2):
        with pytest.raises(RankLost, match=r"^rank 1 has ended: its process 17 is gone$"):
            job.leader.meet()
    assert job.clock.now_s() - before_s == pytest.approx(1.2, abs=0.2)
    assert job.leader.has_ended


def test_a_rank_without_a_sign_of_life_is_lost() -> None:
    """On another node no process can be looked at: its silence decides."""
    job = Job()
    job.begin()
    job.silent.add(1)
    before_s = job.clock.now_s()
    with pytest.raises(RankLost, match=r"^rank 1 has given no sign of life for 3[01] s$"):
        job.leader.meet()
    assert SILENT_S <= job.clock.now_s() - before_s <= SILENT_S + 2


def test_a_silent_rank_0_is_lost_as_well() -> None:
    """The others don't wait for a leader that is gone."""
    job = Job()
    job.begin()
    job.silent.add(0)
    with pytest.raises(RankLost, match=r"^rank 0 has given no sign of life"):
        job.follower.hear()


def test_a_rank_that_has_left_the_test_is_named_with_its_reason() -> None:
    """The first reason stays, also once the rank waits for the next test; which can then be measured."""
    job = Job()
    job.begin()
    job.follower.leave("its call failed: ValueError")
    job.follower.leave()
    with pytest.raises(RankLost, match=r"^rank 1 has left the test: its call failed: ValueError$"):
        job.leader.meet()
    assert not job.leader.has_ended
    job.begin(1, "t.py::test_b")
    assert job.leader.lost_because is None


def test_a_reason_outlives_the_beginning_of_the_next_test() -> None:
    """A rank may wait for the next test before rank 0 looks."""
    job = Job()
    job.begin()
    job.follower.leave("its call failed: ValueError")
    job.clock.after(0.01, lambda: None)
    job.silent.add(0)  # ends the wait of rank 1
    with pytest.raises(RankLost, match="rank 0"):
        job.follower.begin(1, "t.py::test_b")
    with pytest.raises(RankLost, match="its call failed: ValueError"):
        job.leader.meet()


def test_who_has_left_a_test_passes_over_its_rest() -> None:
    """Words of a test that a rank has left are not taken for those of the next."""
    job = Job()
    job.begin()
    job.follower.leave("its call failed")
    for _ in range(3):
        job.leader.say(lockstep.SkipWord(because="rank 1 has left"))
    job.begin(1, "t.py::test_b")
    job.leader.say(lockstep.DoneWord())
    assert job.follower.hear() == lockstep.DoneWord()


def test_a_test_that_rank_0_has_left_ends_here_too() -> None:
    """The next test's word is kept for it."""
    job = Job()
    job.begin()
    job.leader.say(lockstep.TestWord(number=1, id="t.py::test_b"))
    with pytest.raises(RankLost, match="rank 0 has left the test"):
        job.follower.hear()
    job.follower.leave()
    job.follower.begin(1, "t.py::test_b")


def test_other_tests_on_rank_0_are_an_error() -> None:
    """Ranks that collect other tests are told so, and which."""
    job = Job()
    job.leader.say(lockstep.TestWord(number=0, id="t.py::test_z"))
    with pytest.raises(EnergyError, match=r"rank 0 runs t.py::test_z, and this rank t.py::test_a"):
        job.follower.begin(0, "t.py::test_a")


def test_a_rank_ends_with_the_status_of_rank_0() -> None:
    """Whatever else was said before."""
    job = Job()
    job.begin()
    job.leader.say(lockstep.DoneWord())
    job.leader.say(lockstep.EndWord(exit_status=1))
    assert job.follower.end() == 1


def test_a_store_that_has_ended_ends_the_wait() -> None:
    """Its process was torchrun's: nothing more comes."""
    job = Job()
    job.begin()
    job.clock.after(1.0, lambda: setattr(job.store, "has_ended", True))
    with pytest.raises(RankLost, match="the store has ended"):
        job.follower.hear()


def test_an_interrupted_wait_names_the_rank_that_has_ended() -> None:
    """Ctrl-C or SIGTERM in a wait is an interrupt, unless a rank has ended: then that is the reason."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    job = Job()
    job.begin()
    job.clock.after(0.05, interrupt)
    with pytest.raises(KeyboardInterrupt):
        job.leader.meet()
    job.ended[1] = "its process 17 is gone"
    job.clock.after(0.05, interrupt)
    with pytest.raises(RankLost, match="rank 1 has ended"):
        job.leader.meet()


@pytest.mark.parametrize("text", ['{"kind": "dance"}', "[1]", "{", '{"kind": "round", "call_count": "x"}'])
def test_what_is_no_word_is_refused(text: str) -> None:
    """The store is torchrun's, and others write to it: what isn't ours is an error, not a guess."""
    job = Job()
    job.begin()
    job.store.put("said/1", text)
    with pytest.raises(FormatError, match="a word of rank 0"):
        job.follower.hear()


def test_the_store_does_not_grow_without_an_end() -> None:
    """Arrivals are removed once they were read, and old words are."""
    job = Job()
    job.begin()
    for _ in range(5000):
        job.leader.say(lockstep.GoWord())
        job.follower.arrive(Arrival())
        job.leader.meet()
    assert len(job.store.texts) < 4200
