"""What the rules find of a record, as values."""

import math
from dataclasses import replace

import pytest

from pytest_energy.basis import Basis
from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.judgement import Budget, Limit, Verdict
from pytest_energy.model import Provenance, Reading, Record
from pytest_energy.stats.centre import Spread
from pytest_energy.verdict.findings import (
    AgainstBudget,
    ByChance,
    Compared,
    CreepSince,
    Decision,
    FactsDiffer,
    NoBaseline,
    NoSuchJoules,
    NotConfirmed,
    OnlyEstimated,
    Unmeasured,
    Void,
)
from pytest_energy.verdict.history import history_of
from pytest_energy.verdict.policy import Policy, RoundsWanted
from pytest_energy.verdict.rules import more_rounds
from pytest_energy.verdict.suite import Suite
from tests.builders import STEADY, baseline, decided, reading, record

CAP = 20


def compared(decision: Decision) -> Compared:
    """The finding that holds a comparison."""
    assert decision.compared is not None
    return decision.compared


def against_budget(decision: Decision) -> AgainstBudget:
    """The worst finding, which is on a budget."""
    finding = decision.findings[0]
    assert isinstance(finding, AgainstBudget)
    return finding


def two_channels(gpu_j: float, cpu_j: float) -> Record:
    channels_j = {"gpu:0": gpu_j, "cpu:package-0": cpu_j}
    return record(
        rounds=[
            reading(
                channels={name: energy_j * share for name, energy_j in channels_j.items()}, duration_s=share
            )
            for share in STEADY
        ]
    )


class TestAgainstTheBaseline:
    @pytest.mark.parametrize(
        ("energy_j", "verdict"),
        [
            (120.0, Verdict.REGRESSION),
            (105.0, Verdict.INCONCLUSIVE),
            (100.0, Verdict.PASS),
            (80.0, Verdict.IMPROVEMENT),
        ],
    )
    def test_verdict_by_energy(self, energy_j: float, verdict: Verdict) -> None:
        """Past the tolerance, around it, within it, and below it, with certainty each."""
        assert decided(record(energy_j=energy_j), baseline()).verdict is verdict

    def test_tolerance_decides(self) -> None:
        """What is a regression at 5 % passes at 50 %."""
        decision = decided(record(energy_j=120.0), baseline(), policy=Policy(tolerance=0.5))
        assert decision.verdict is Verdict.PASS
        assert compared(decision).comparison.tolerance == 0.5

    def test_the_ratio_is_split(self) -> None:
        """ratio = duration ratio x power ratio."""
        comparison = compared(decided(record(energy_j=120.0, power_w=80.0), baseline())).comparison
        assert comparison.duration_ratio == pytest.approx(1.5)
        assert comparison.power_ratio == pytest.approx(0.8)
        assert comparison.ratio == pytest.approx(1.2)
        assert comparison.energy_j == pytest.approx(100.0, rel=1e-3)
        assert comparison.entry_count == 1

    def test_differences_are_to_the_newest_session(self) -> None:
        """Facts that differ from the session accepted last, with both values."""
        old = record(shown={"torch": "2.7.0"})
        newest = record(shown={"torch": "2.8.0", "driver": "580"})
        fresh = record(shown={"torch": "2.9.0", "commit": "abc"})
        assert compared(decided(fresh, baseline(old, newest))).comparison.differences == {
            "torch": ("2.8.0", "2.9.0"),
            "driver": ("580", "not recorded"),
            "commit": ("not recorded", "abc"),
        }

    def test_the_level_of_each_session_is_kept(self) -> None:
        """Who draws the comparison has what it was held against: 100 and 104 J, 5 %."""
        comparison = compared(decided(record(), baseline(record(), record(energy_j=104.0)))).comparison
        assert comparison.tolerance == 0.05
        assert comparison.entry_energies_j == pytest.approx((100.0, 104.0), rel=0.01)
        assert len(comparison.entry_dates) == len(comparison.entry_commits) == 2

    def test_a_session_without_joules_is_left_out_and_counted(self) -> None:
        """A session of 0 J has no ratio."""
        finding = compared(decided(record(), baseline(record(0.0, 0.0), record())))
        assert (finding.comparison.entry_count, finding.unused_count) == (1, 1)

    def test_a_baseline_of_such_sessions_is_none(self) -> None:
        """Without a usable session there is nothing to compare with, and it is said which case it is."""
        decision = decided(record(), baseline(record(0.0)))
        assert decision.findings == (NoBaseline(is_unusable=True, other_machines=()),)
        assert decision.unchecked == (Limit.BASELINE,)

    @pytest.mark.parametrize(
        ("odd", "number"),
        [((1e5, 100, 101), 1), ((100, 101, 99, 1e5), 4), ((100, 30, 101), 2), ((100, 10, 1e5, 101, 99), 3)],
    )
    def test_a_round_far_from_the_others_of_its_session_is_named(
        self, odd: tuple[float, ...], number: int
    ) -> None:
        """An edited round widens the bounds until they say nothing: who reads that should know of it."""
        history = baseline(record(), record(*odd, created="2025-11-02T10:00:00Z"), record())
        (odd_round,) = compared(decided(record(energy_j=140.0), history)).odd_rounds
        assert (odd_round.created, odd_round.number) == ("2025-11-02T10:00:00Z", number)
        assert odd_round.energy_j == odd[number - 1]
        assert odd_round.usual_j == pytest.approx(100, abs=2)

    @pytest.mark.parametrize("usual", [(100.0,), (100.0, 250.0), (100.0, 101.0, 290.0), (40.0, 100.0, 100.0)])
    def test_rounds_that_scatter_are_none_of_those(self, usual: tuple[float, ...]) -> None:
        """A round of up to three times the others' joules is as such rounds may be."""
        assert compared(decided(record(), baseline(record(*usual)))).odd_rounds == ()

    def test_channels_are_compared_where_there_are_several(self) -> None:
        """Which channel changed: means then and now. One channel is the sum and needs no word."""
        finding = compared(decided(two_channels(140.0, 20.0), baseline(two_channels(100.0, 20.0))))
        assert finding.channels == {
            "gpu:0": pytest.approx((100.0, 140.0)),
            "cpu:package-0": pytest.approx((20.0, 20.0)),
        }
        assert compared(decided(record(), baseline())).channels == {}

    def test_what_the_bounds_rest_on_is_kept(self) -> None:
        """One round against one round rests on an assumed spread."""
        assert compared(decided(record(100.0), baseline(record(100.0)))).spread == Spread(
            source="assumed", count=1
        )

    def test_quality_is_counted_over_the_rounds(self) -> None:
        """What a reader should know of the readings, once, with how often it was so."""
        rounds = [
            reading(100.0, quality=("a tick was late", "a tick was late")),
            reading(101.0, quality=("a tick was late", "edges interpolated")),
            reading(99.0),
        ]
        decision = decided(record(rounds=rounds), baseline())
        assert decision.notes == ("a tick was late (2 of 3 rounds)", "edges interpolated (1 of 3 rounds)")
        assert len(decision.readings) == 3

    def test_estimates_that_gate_are_compared(self) -> None:
        """With estimates=gate they pass and fail like any joules, at a tolerance that they can tell."""
        estimated = record(provenance=Provenance.ESTIMATED)
        policy = Policy(gates_estimates=True, tolerance=0.8)
        decision = decided(estimated, baseline(estimated), policy=policy)
        assert decision.verdict is Verdict.PASS


class TestAtTheEdge:
    def edge_j(self, bound: int) -> float:
        """Joules whose bound is exactly the tolerance: the bounds only shift with the energy."""
        steady = record(*[100.0] * 5)
        return 105.0 / compared(decided(steady, baseline(steady))).comparison.ratio_ci[bound]

    @pytest.mark.parametrize(
        ("bound", "factor", "verdict"),
        [
            (0, 1 + 1e-7, Verdict.REGRESSION),
            (0, 1 - 1e-7, Verdict.INCONCLUSIVE),
            (1, 1 - 1e-7, Verdict.PASS),
            (1, 1 + 1e-7, Verdict.INCONCLUSIVE),
        ],
    )
    def test_the_bound_decides(self, bound: int, factor: float, verdict: Verdict) -> None:
        """Just past the tolerance and just within it, for either bound."""
        fresh = record(*[self.edge_j(bound) * factor] * 5)
        assert decided(fresh, baseline(record(*[100.0] * 5))).verdict is verdict

    @pytest.mark.parametrize(
        ("energy_j", "verdict"),
        [
            (500.0 * (1 + 1e-7), Verdict.OVER_BUDGET),
            (500.0 * (1 - 1e-7), Verdict.PASS),
            (500.0, Verdict.PASS),
            (math.nextafter(500.0, 1000.0), Verdict.OVER_BUDGET),
        ],
    )
    def test_a_budget_is_kept_by_what_equals_it(self, energy_j: float, verdict: Verdict) -> None:
        """Rounds without a spread decide to the last digit."""
        decision = decided(record(*[energy_j] * 4), budget=Budget(budget_j=500.0))
        assert decision.verdict is verdict


class TestBudget:
    @pytest.mark.parametrize(
        ("budget_j", "verdict"),
        [(50.0, Verdict.OVER_BUDGET), (100.0, Verdict.INCONCLUSIVE), (150.0, Verdict.PASS)],
    )
    def test_verdict_by_budget(self, budget_j: float, verdict: Verdict) -> None:
        """Over, around and within, with certainty each; no baseline is needed."""
        assert decided(record(), budget=Budget(budget_j=budget_j)).verdict is verdict

    def test_it_keeps_the_figures(self) -> None:
        """The limit, the mean, the bounds around it, and what they rest on."""
        finding = against_budget(decided(record(), budget=Budget(budget_j=50.0)))
        assert (finding.limit_j, finding.unit, finding.alpha) == (50.0, "round", 0.05)
        assert finding.mean_j == pytest.approx(100.0)
        assert finding.bounds_j[0] < 100.0 < finding.bounds_j[1]
        assert finding.spread == Spread(source="own", count=5)

    def test_a_sample(self) -> None:
        """A sample's budget is held against joules over samples."""
        finding = against_budget(decided(record(samples=50), budget=Budget(budget_per_sample_j=1.5)))
        assert (finding.verdict, finding.unit) == (Verdict.OVER_BUDGET, "sample")
        assert finding.mean_j == pytest.approx(2.0)

    def test_a_token(self) -> None:
        """100 J for 1280 tokens are 78 mJ each: within 0.1 J, over 0.05 J."""
        load = replace(record(), output_tokens=1280)
        within, over = (
            against_budget(decided(load, budget=Budget(budget_per_token_j=limit_j)))
            for limit_j in (0.1, 0.05)
        )
        assert (within.verdict, over.verdict) == (Verdict.PASS, Verdict.OVER_BUDGET)
        assert over.unit == "token"
        assert over.mean_j == pytest.approx(100 / 1280)

    @pytest.mark.parametrize(
        ("budget", "message"),
        [
            (Budget(budget_per_sample_j=1.5), r"budget_per_sample is 1.5 J.*pass samples="),
            (Budget(budget_per_token_j=0.1), r"budget_per_token is 0.1 J.*energy.requests"),
        ],
    )
    def test_a_limit_that_can_not_be_checked_is_a_mistake(self, budget: Budget, message: str) -> None:
        """It stops the test; it is not switched off."""
        with pytest.raises(SettingsError, match=message):
            decided(record(), budget=budget)

    def test_the_worse_of_two_budgets_counts(self) -> None:
        """One budget kept does not excuse the other, and both are told."""
        decision = decided(record(samples=50), budget=Budget(budget_j=150.0, budget_per_sample_j=1.5))
        assert [finding.verdict for finding in decision.findings] == [
            Verdict.OVER_BUDGET,
            Verdict.PASS,
            Verdict.NO_BASELINE,
        ]

    @pytest.mark.parametrize(
        ("round_count", "spread"),
        [
            (1, Spread(source="assumed", count=1)),
            (9, Spread(source="own", count=9)),
        ],
    )
    def test_what_its_bounds_rest_on(self, round_count: int, spread: Spread) -> None:
        """A mean of one round rests on the prior, one of many on all of them."""
        decision = decided(record(*[100.0] * round_count), budget=Budget(budget_j=50.0))
        assert against_budget(decision).spread == spread


class TestWithoutABaseline:
    def test_the_machines_that_have_one_are_named(self) -> None:
        """So that a run on the wrong machine shows."""
        machines = ("a100_epyc_nvml", "h200_nvml")
        decision = decided(record(), other_machines=machines)
        assert decision.findings == (NoBaseline(is_unusable=False, other_machines=machines),)

    @pytest.mark.parametrize(("budget_j", "verdict"), [(150.0, Verdict.PASS), (100.0, Verdict.INCONCLUSIVE)])
    def test_a_budget_is_a_gate_by_itself(self, budget_j: float, verdict: Verdict) -> None:
        """Kept or in doubt, it comes before the missing baseline, which is mentioned."""
        decision = decided(record(), budget=Budget(budget_j=budget_j))
        assert decision.verdict is verdict
        assert isinstance(decision.findings[-1], NoBaseline)


class TestNotComparable:
    def test_each_differing_fact_has_both_values(self) -> None:
        """What differs, then and now."""
        decision = decided(
            record(samples=50, fixed={"gpu_model": "H200"}),
            baseline(record(fixed={"gpu_model": "H100"})),
            other_machines=("a100_nvml",),
        )
        differences = {"gpu_model": ("H100", "H200"), "samples": ("not given", "50")}
        assert decision.findings == (FactsDiffer(differences=differences, other_machines=("a100_nvml",)),)
        assert decision.compared is None

    def test_provenance_is_never_compared(self) -> None:
        """Replayed joules are held against replayed baselines only."""
        finding = decided(record(provenance=Provenance.REPLAYED), baseline()).findings[0]
        assert isinstance(finding, FactsDiffer)
        assert finding.differences["provenance"] == ("measured", "replayed")


class TestUnusableJoules:
    def test_void_before_all(self) -> None:
        """A void record is not judged, whatever its joules, baseline and budget."""
        fresh = record(energy_j=1e6, void_because="another process computed on gpu:0")
        decision = decided(fresh, baseline(), budget=Budget(budget_j=1.0, budget_per_sample_j=1.0))
        assert decision.findings == (Void(because="another process computed on gpu:0"),)
        assert decision.summary is None

    def test_rounds_that_are_all_void(self) -> None:
        """A record whose every round is void is void, with the first reason."""
        rounds = [reading(channels={}, void_because=because) for because in ("counter reset", "missed ticks")]
        decision = decided(record(rounds=rounds), baseline())
        assert decision.findings == (Void(because="counter reset"),)

    def test_a_void_round_among_others_is_not_used(self) -> None:
        """Its joules and seconds count for nothing."""
        rounds: list[Reading] = [
            reading(channels={}, duration_s=99.0, void_because="counter reset"),
            *record().rounds,
        ]
        decision = decided(record(rounds=rounds), baseline())
        assert decision.verdict is Verdict.PASS
        assert compared(decision).comparison.duration_ratio == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("fresh", "because"),
        [
            (record(100.0, 0.0), "a round reads 0.0 J; work that ran uses more than 0 J"),
            (
                record(rounds=[reading(10.0, duration_s=0.0)]),
                "a round took 0 s: the clock stood still",
            ),
            (
                record(uncertainty_j=math.nan),
                "a round's uncertainty reads nan J; it is finite and not negative",
            ),
        ],
        ids=["no joules", "no time", "no uncertainty"],
    )
    def test_figures_that_can_not_be_are_void(self, fresh: Record, because: str) -> None:
        """0 J, 0 s and NaN are faults, never a pass."""
        decision = decided(fresh, baseline(), budget=Budget(budget_j=500.0))
        assert decision.findings == (Void(because=because),)

    def test_nothing_measured_is_unmeasured(self) -> None:
        """Neither budget nor baseline say anything of it."""
        fresh = record(rounds=(), unmeasured_because="no sensor works here")
        decision = decided(fresh, baseline(), budget=Budget(budget_j=1.0))
        assert decision.findings == (Unmeasured(because="no sensor works here"),)

    def test_an_estimate_gates_nothing_by_itself(self) -> None:
        """Neither budget nor baseline; the figure is kept to be shown."""
        fresh = record(energy_j=200.0, provenance=Provenance.ESTIMATED)
        decision = decided(fresh, baseline(), budget=Budget(budget_j=1.0))
        assert decision.findings == (OnlyEstimated(void_because=None),)
        assert decision.verdict is Verdict.UNMEASURED
        assert decision.summary is not None

    def test_a_void_estimate_is_unmeasured_like_any_estimate(self) -> None:
        """Where nothing measures, that is what matters; that the estimate failed too stands beside it."""
        fresh = record(provenance=Provenance.ESTIMATED, void_because="the clock stood still")
        decision = decided(fresh, budget=Budget(budget_j=1.0))
        assert decision.findings == (OnlyEstimated(void_because="the clock stood still"),)
        assert decision.verdict is Verdict.UNMEASURED
        assert decision.summary is None


class TestPrecedence:
    @pytest.mark.parametrize(
        ("energy_j", "samples", "budget_j", "verdicts"),
        [
            (120.0, None, 50.0, [Verdict.OVER_BUDGET, Verdict.REGRESSION]),
            (120.0, None, 500.0, [Verdict.REGRESSION, Verdict.PASS]),
            (100.0, 50, 100.0, [Verdict.NOT_COMPARABLE, Verdict.INCONCLUSIVE]),
            (80.0, None, 500.0, [Verdict.IMPROVEMENT, Verdict.PASS]),
            (80.0, None, 80.0, [Verdict.INCONCLUSIVE, Verdict.IMPROVEMENT]),
        ],
    )
    def test_the_worse_of_budget_and_baseline_comes_first(
        self, energy_j: float, samples: int | None, budget_j: float, verdicts: list[Verdict]
    ) -> None:
        """Both are told; nothing that is kept or saved hides what isn't."""
        fresh = record(energy_j=energy_j, samples=samples)
        decision = decided(fresh, baseline(), budget=Budget(budget_j=budget_j))
        assert [finding.verdict for finding in decision.findings] == verdicts
        assert decision.verdict is verdicts[0]


def batches(first_j: float, second_j: float) -> Record:
    """Five rounds around *first_j*, and five that confirm, around *second_j*."""
    energies_j = [first_j * share for share in STEADY] + [second_j * share for share in STEADY]
    return replace(record(*energies_j), confirming_count=5)


class TestConfirmation:
    def test_a_confirmed_regression_is_one(self) -> None:
        """Both batches are past the tolerance."""
        decision = decided(batches(120.0, 121.0), baseline())
        assert (decision.verdict, compared(decision).doubt) == (Verdict.REGRESSION, None)

    @pytest.mark.parametrize(
        ("first_j", "second_j", "doubt"),
        [
            (112.0, 106.5, NotConfirmed(batch="confirming", round_count=5)),
            (106.5, 112.0, NotConfirmed(batch="first", round_count=5)),
        ],
    )
    def test_a_batch_that_shows_none_by_itself_confirms_nothing(
        self, first_j: float, second_j: float, doubt: NotConfirmed
    ) -> None:
        """All rounds together are past the tolerance, one of the batches isn't: nothing fails."""
        decision = decided(batches(first_j, second_j), baseline(*[record()] * 5))
        assert (decision.verdict, compared(decision).doubt) == (Verdict.INCONCLUSIVE, doubt)

    def test_a_batch_of_void_rounds_confirms_nothing(self) -> None:
        """Rounds without joules are in no batch; those of the other batch stay in their own."""
        one = batches(120.0, 121.0)
        void = tuple(replace(r, channels={}, void_because="counter reset") for r in one.rounds[-5:])
        decision = decided(replace(one, rounds=(*one.rounds[:5], *void)), baseline())
        assert compared(decision).doubt == NotConfirmed(batch="confirming", round_count=0)

    def test_a_second_batch_that_brings_it_down_passes(self) -> None:
        """Where all rounds together are within the tolerance, they pass."""
        decision = decided(batches(104.0, 96.0), baseline(*[record()] * 5))
        assert decision.verdict is Verdict.PASS

    def test_confirming_rounds_are_rounds(self) -> None:
        """A record can't be confirmed by rounds that it hasn't."""
        with pytest.raises(NotMeasurable, match="6 of 5 rounds"):
            replace(record(), confirming_count=6)


class TestManyTests:
    def test_a_rise_that_many_tests_show_by_chance_is_not_one(self) -> None:
        """9 % from one session is a rise for one test; among a thousand no change isn't excluded."""
        fresh = record(energy_j=109.0)
        assert decided(fresh, baseline()).verdict is Verdict.REGRESSION
        decision = decided(fresh, baseline(), suite=Suite(test_count=1000))
        assert decision.verdict is Verdict.INCONCLUSIVE
        assert compared(decision).doubt == ByChance(test_count=1000, alpha=0.05 / 1000)

    def test_a_large_rise_is_one_among_many_tests_too(self) -> None:
        """+25 % fails whatever the number of tests."""
        decision = decided(record(energy_j=125.0), baseline(), suite=Suite(test_count=1000))
        assert decision.verdict is Verdict.REGRESSION


class TestMoreRounds:
    @staticmethod
    def wanted(fresh: Record) -> RoundsWanted | None:
        return more_rounds(fresh, history=history_of(baseline(), Basis()), policy=Policy(), cap=CAP)

    def test_what_looks_like_a_regression_is_to_be_confirmed(self) -> None:
        """A second batch as large as the first is asked for, once."""
        assert self.wanted(record(energy_j=120.0)) == RoundsWanted(count=5, is_confirming=True)
        assert self.wanted(batches(120.0, 120.0)) is None

    def test_what_rounds_could_decide_gets_rounds_to_the_cap(self) -> None:
        """Rounds that scatter by 5 % around no change would decide it if there were twenty."""
        fresh = record(94.0, 109.0, 96.0, 107.0, 101.0)
        many = baseline(*(record(*[95.0, 105.0, 97.0, 103.0, 100.0] * 4) for _ in range(5)))
        assert decided(fresh, many).verdict is Verdict.INCONCLUSIVE
        assert more_rounds(
            fresh, history=history_of(many, Basis()), policy=Policy(), cap=CAP
        ) == RoundsWanted(count=15, is_confirming=False)

    @pytest.mark.parametrize("energy_j", [105.0, 100.0])
    def test_what_more_rounds_would_not_change_gets_none(self, energy_j: float) -> None:
        """At the edge of the tolerance more of the same decide nothing; a verdict that is there stays."""
        assert self.wanted(record(energy_j=energy_j)) is None

    @pytest.mark.parametrize(
        "fresh",
        [
            record(energy_j=120.0, provenance=Provenance.ESTIMATED),
            record(energy_j=120.0, fixed={"gpu_model": "A100"}),
            record(energy_j=120.0, void_because="thermal slowdown"),
            replace(record(energy_j=120.0), saturated_because="90 answers to 160 requests"),
        ],
        ids=["estimated", "another machine", "void", "saturated"],
    )
    def test_what_is_not_compared_gets_none(self, fresh: Record) -> None:
        """Where there is no verdict to be had rounds are no use."""
        assert self.wanted(fresh) is None

    def test_without_a_baseline_there_is_none(self) -> None:
        """A budget asks for no second batch."""
        assert more_rounds(record(), history=None, policy=Policy(), cap=CAP) is None


class TestBasis:
    @staticmethod
    def idling(energy_j: float, *, duration_s: float = 1.0, samples: int | None = None) -> Record:
        rounds = [reading(energy_j * share, duration_s=duration_s) for share in STEADY]
        return replace(record(rounds=rounds, samples=samples), idle_power_w={"gpu:0": 50.0})

    def test_net_joules_leave_idle_power_out(self) -> None:
        """100 J in 1 s over 50 W at rest are 50 J net: +6 J are +12 % of these."""
        policy = Policy(basis=Basis(is_net=True))
        comparison = compared(
            decided(self.idling(106.0), baseline(self.idling(100.0)), policy=policy)
        ).comparison
        assert comparison.ratio == pytest.approx(56 / 50, rel=1e-3)
        assert comparison.basis == "net joules"

    def test_joules_a_sample_compare_rounds_of_other_sizes(self) -> None:
        """200 J for 20 samples are as much as 100 J for 10; by the round they can't be compared."""
        old, new = self.idling(100.0, samples=10), self.idling(200.0, samples=20)
        assert decided(new, baseline(old)).verdict is Verdict.NOT_COMPARABLE
        decision = decided(new, baseline(old), policy=Policy(basis=Basis(is_per_sample=True)))
        assert decision.verdict is Verdict.PASS
        assert compared(decision).comparison.ratio == pytest.approx(1.0)

    @pytest.mark.parametrize(
        ("fresh", "basis", "name", "because"),
        [
            (
                record(),
                Basis(is_net=True),
                "net joules",
                "net joules need the idle power of gpu:0, which is not known",
            ),
            (
                record(),
                Basis(is_per_sample=True),
                "joules a sample",
                "the samples of a round are not known; give samples=",
            ),
            (
                idling(40.0),
                Basis(is_net=True),
                "net joules",
                "a round has -10.48 J net: it used 39.52 J, no more than at idle power",
            ),
        ],
        ids=["no idle power", "no samples", "below idle power"],
    )
    def test_joules_that_are_not_there_are_not_compared(
        self, fresh: Record, basis: Basis, name: str, because: str
    ) -> None:
        """What lacks for net joules, or for those of a sample, is kept; nothing is made up."""
        old = baseline(self.idling(100.0, samples=10))
        decision = decided(fresh, old, policy=Policy(basis=basis))
        assert decision.findings == (NoSuchJoules(basis=name, because=because),)

    def test_a_session_without_such_joules_is_left_out_and_counted(self) -> None:
        """A session below idle power has no net joules; the others are compared with."""
        sessions = (self.idling(40.0), self.idling(100.0))
        policy = Policy(basis=Basis(is_net=True))
        finding = compared(decided(self.idling(100.0), baseline(*sessions), policy=policy))
        assert (finding.comparison.entry_count, finding.unused_count) == (1, 1)


class TestCreep:
    def test_a_creep_has_the_session_where_it_began(self) -> None:
        """Three sessions at 100 J, then four that rise: how far and since when."""
        levels_j = (100.0, 100.2, 99.9, 100.1, 104.0, 105.0, 106.0)
        sessions = [
            record(
                energy_j=level_j, shown={"git_commit": f"{day:x}" * 40}, created=f"2026-05-{day:02}T08:00:00Z"
            )
            for day, level_j in enumerate(levels_j, start=1)
        ]
        creep = compared(decided(record(energy_j=107.0), baseline(*sessions))).creep
        assert creep is not None
        assert creep == CreepSince(ratio=creep.ratio, created="2026-05-05T08:00:00Z", commit="5" * 40)
        assert 1.03 < creep.ratio < 1.07

    def test_sessions_that_differ_by_chance_do_not_creep(self) -> None:
        """No word of creep where nothing rises."""
        sessions = (record(energy_j=100.0 + 0.1 * n) for n in (0, 1, -1, 0, 1))
        assert compared(decided(record(), baseline(*sessions))).creep is None
