"""Regressions that are confirmed, rounds that are asked for, joules that are compared, creep."""

from dataclasses import replace

import pytest

from pytest_energy import documents
from pytest_energy.basis import Basis
from pytest_energy.codec import decode
from pytest_energy.conversion import record_of, record_to_json
from pytest_energy.errors import NotMeasurable
from pytest_energy.model import Provenance, Record, Verdict
from pytest_energy.verdict.policy import Policy, RoundsWanted
from pytest_energy.verdict.rules import more_rounds
from tests.builders import STEADY, baseline, judged, reading, record

CAP = 20


def batches(first_j: float, second_j: float) -> Record:
    """Five rounds around *first_j*, and five that confirm, around *second_j*."""
    energies_j = [first_j * share for share in STEADY] + [second_j * share for share in STEADY]
    return replace(record(*energies_j), confirming_count=5)


def asked(fresh: Record, *, policy: Policy | None = None) -> RoundsWanted | None:
    return more_rounds(fresh, baseline=baseline(), policy=policy or Policy(), cap=CAP)


class TestConfirmation:
    def test_what_looks_like_a_regression_is_to_be_confirmed(self) -> None:
        """A second batch as large as the first is asked for, once."""
        assert asked(record(energy_j=120.0)) == RoundsWanted(count=5, is_confirming=True)
        assert asked(batches(120.0, 120.0)) is None

    def test_a_confirmed_regression_is_one_and_says_so(self) -> None:
        """Both batches are past the tolerance."""
        judgement = judged(batches(120.0, 121.0), baseline())
        assert judgement.verdict is Verdict.REGRESSION
        assert "confirmed by a second batch of 5 rounds" in judgement.reason

    @pytest.mark.parametrize(
        ("first_j", "second_j", "name"), [(112.0, 106.5, "confirming"), (106.5, 112.0, "first")]
    )
    def test_a_batch_that_does_not_tell_by_itself_confirms_nothing(
        self, first_j: float, second_j: float, name: str
    ) -> None:
        """All rounds together are past the tolerance, one of the batches isn't: nothing fails."""
        judgement = judged(batches(first_j, second_j), baseline(*[record()] * 5))
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert f"not confirmed: the {name} batch of 5 rounds alone can't tell" in judgement.reason

    def test_a_second_batch_that_brings_it_down_passes(self) -> None:
        """Where all rounds together are within the tolerance, they pass."""
        judgement = judged(batches(104.0, 96.0), baseline(*[record()] * 5))
        assert judgement.verdict is Verdict.PASS

    def test_confirming_rounds_survive_json_and_are_not_written_where_there_are_none(self) -> None:
        """The number of confirming rounds is optional in the file."""
        written = decode(record_to_json(batches(1.0, 1.0)), documents.Record, "here")
        assert record_of(written, "here").confirming_count == 5
        assert "confirming_count" not in record_to_json(record())

    def test_more_confirming_rounds_than_rounds_are_refused(self) -> None:
        """A record can't be confirmed by rounds that it hasn't."""
        with pytest.raises(NotMeasurable, match="6 of 5 rounds"):
            replace(record(), confirming_count=6)


class TestMoreRounds:
    def test_what_rounds_could_tell_gets_rounds_to_the_cap(self) -> None:
        """Rounds that scatter by 5 % around no change would tell if there were twenty."""
        fresh = record(94.0, 109.0, 96.0, 107.0, 101.0)
        many = baseline(*(record(*[95.0, 105.0, 97.0, 103.0, 100.0] * 4) for _ in range(5)))
        policy = Policy(tolerance=0.05)
        assert judged(fresh, many).verdict is Verdict.INCONCLUSIVE
        assert more_rounds(fresh, baseline=many, policy=policy, cap=CAP) == RoundsWanted(
            count=15, is_confirming=False
        )

    def test_what_no_rounds_could_tell_gets_none(self) -> None:
        """At the edge of the tolerance more of the same tell nothing."""
        assert asked(record(energy_j=105.0)) is None

    def test_what_passes_gets_none(self) -> None:
        """Rounds are never added to a verdict that is there."""
        assert asked(record(energy_j=100.0)) is None

    @pytest.mark.parametrize(
        "fresh",
        [
            record(energy_j=120.0, provenance=Provenance.ESTIMATED),
            record(energy_j=120.0, fixed={"gpu_model": "A100"}),
            record(energy_j=120.0, void_because="thermal slowdown"),
        ],
        ids=["estimated", "another machine", "void"],
    )
    def test_what_is_not_compared_gets_none(self, fresh: Record) -> None:
        """Where there is no verdict to be had rounds are no use."""
        assert asked(fresh) is None


class TestManyTests:
    def test_a_rise_that_many_tests_show_by_chance_is_not_one(self) -> None:
        """9 % from one session is told for one test; among a thousand no change isn't excluded."""
        fresh = record(energy_j=109.0)
        assert judged(fresh, baseline()).verdict is Verdict.REGRESSION
        judgement = judged(fresh, baseline(), policy=Policy(test_count=1000))
        assert judgement.verdict is Verdict.INCONCLUSIVE
        assert "among 1000 tests one such rise is no surprise" in judgement.reason
        assert "99.995 % confidence" in judgement.reason

    def test_a_large_rise_is_one_among_many_tests_too(self) -> None:
        """+25 % fails whatever the number of tests."""
        policy = Policy(test_count=1000)
        assert judged(record(energy_j=125.0), baseline(), policy=policy).verdict is Verdict.REGRESSION


class TestBasis:
    @staticmethod
    def idling(energy_j: float, *, duration_s: float = 1.0, samples: int | None = None) -> Record:
        rounds = [reading(energy_j * share, duration_s=duration_s) for share in STEADY]
        return replace(record(rounds=rounds, samples=samples), idle_power_w={"gpu:0": 50.0})

    def test_net_joules_leave_idle_power_out(self) -> None:
        """100 J in 1 s over 50 W at rest are 50 J net: +6 J are +12 % of these."""
        policy = Policy(basis=Basis(is_net=True))
        judgement = judged(self.idling(106.0), baseline(self.idling(100.0)), policy=policy)
        assert judgement.comparison is not None
        assert judgement.comparison.ratio == pytest.approx(56 / 50, rel=1e-3)
        assert judgement.comparison.basis == "net joules"
        assert judgement.reason.startswith("net joules +12")

    def test_joules_a_sample_compare_rounds_of_other_sizes(self) -> None:
        """200 J for 20 samples are as much as 100 J for 10; by the round they can't be compared."""
        old, new = self.idling(100.0, samples=10), self.idling(200.0, samples=20)
        assert judged(new, baseline(old)).verdict is Verdict.NOT_COMPARABLE
        judgement = judged(new, baseline(old), policy=Policy(basis=Basis(is_per_sample=True)))
        assert judgement.verdict is Verdict.PASS
        assert judgement.comparison is not None
        assert judgement.comparison.ratio == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("fresh", "basis", "said"),
        [
            (record(), Basis(is_net=True), "that of gpu:0 is not known"),
            (record(), Basis(is_per_sample=True), "the samples of a round are not known"),
        ],
    )
    def test_joules_that_are_not_there_are_not_compared(self, fresh: Record, basis: Basis, said: str) -> None:
        """What lacks for net joules, or for those of a sample, is said; nothing is made up."""
        judgement = judged(fresh, baseline(self.idling(100.0, samples=10)), policy=Policy(basis=basis))
        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert said in judgement.reason

    def test_no_more_than_idle_power_is_no_net_joule(self) -> None:
        """Work below idle power has no net joules to compare."""
        judgement = judged(
            self.idling(40.0), baseline(self.idling(100.0)), policy=Policy(basis=Basis(is_net=True))
        )
        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert "no more than idle power" in judgement.reason


class TestCreep:
    def test_a_creep_is_told_with_the_session_where_it_began(self) -> None:
        """Three sessions at 100 J, then four that rise: the comparison says how far and since when."""
        levels_j = (100.0, 100.2, 99.9, 100.1, 104.0, 105.0, 106.0)
        sessions = [
            replace(
                record(energy_j=level_j, shown={"git_commit": f"{day:x}" * 40}),
                created=f"2026-05-{day:02}T08:00:00Z",
            )
            for day, level_j in enumerate(levels_j, start=1)
        ]
        judgement = judged(
            replace(record(energy_j=107.0), created="2026-05-09T08:00:00Z"), baseline(*sessions)
        )
        assert judgement.comparison is not None
        assert "against the first 3 sessions" in judgement.comparison.creep
        assert "since about 2026-05-05 (commit 5555555555)" in judgement.comparison.creep
        assert judgement.comparison.creep in judgement.reason

    def test_sessions_that_differ_by_chance_do_not_creep(self) -> None:
        """No word of creep where nothing rises."""
        judgement = judged(record(), baseline(*(record(energy_j=100.0 + 0.1 * n) for n in (0, 1, -1, 0, 1))))
        assert judgement.comparison is not None
        assert judgement.comparison.creep == ""
