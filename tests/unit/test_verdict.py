import json
import math

import pytest

from pytest_energy.conversion import judgement_to_json
from pytest_energy.errors import SettingsError
from pytest_energy.model import (
    FAILING,
    SEVERITY,
    UNDECIDED,
    Judgement,
    Provenance,
    Reading,
    Record,
    SensorStatus,
    Verdict,
)
from pytest_energy.verdict.policy import Policy, is_failing
from tests.builders import KEY, STEADY, TEST_ID, baseline, judged, reading, record

ADD = f"pytest '{TEST_ID}' --energy-baseline=add"
REPLACE = f"pytest '{TEST_ID}' --energy-baseline=replace"

ABSENT_RAPL = SensorStatus(
    name="rapl", provenance=Provenance.MEASURED, absent_because="energy_uj is 0400; sudo chmod a+r it"
)


def first_line(judgement: Judgement) -> str:
    return judgement.reason.splitlines()[0]


def two_channels(gpu_j: float, cpu_j: float) -> Record:
    return record(
        rounds=[
            reading(channels={"gpu:0": gpu_j * share, "cpu:package-0": cpu_j * share}, duration_s=share)
            for share in STEADY
        ]
    )


def unmeasured(provenance: Provenance = Provenance.MEASURED, *sensors: SensorStatus) -> Record:
    return record(
        rounds=(), provenance=provenance, sensors=sensors, unmeasured_because="no sensor\nworks here"
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
        assert judged(record(energy_j=energy_j), baseline()).verdict is verdict

    def test_tolerance_decides(self) -> None:
        """What is a regression at 5 % passes at 50 %."""
        judgement = judged(record(energy_j=120.0), baseline(), policy=Policy(tolerance=0.5))
        assert judgement.verdict is Verdict.PASS

    def test_comparison_splits_the_ratio(self) -> None:
        """ratio = duration ratio x power ratio."""
        comparison = judged(record(energy_j=120.0, power_w=80.0), baseline()).comparison
        assert comparison is not None
        assert comparison.duration_ratio == pytest.approx(1.5)
        assert comparison.power_ratio == pytest.approx(0.8)
        assert comparison.ratio == pytest.approx(1.2)
        assert comparison.energy_j == pytest.approx(100.0, rel=1e-3)
        assert comparison.session_count == 1

    def test_differences_are_to_the_newest_session(self) -> None:
        """Facts that differ from the session accepted last, with both values."""
        old = record(shown={"torch": "2.7.0"})
        newest = record(shown={"torch": "2.8.0", "driver": "580"})
        fresh = record(shown={"torch": "2.9.0", "commit": "abc"})
        comparison = judged(fresh, baseline(old, newest)).comparison
        assert comparison is not None
        assert comparison.differences == {
            "torch": ("2.8.0", "2.9.0"),
            "driver": ("580", "not recorded"),
            "commit": ("not recorded", "abc"),
        }

    def test_a_session_without_joules_is_left_out_and_told(self) -> None:
        """A session of 0 J has no ratio; the note counts it."""
        judgement = judged(record(), baseline(record(0.0, 0.0), record()))
        assert judgement.comparison is not None
        assert judgement.comparison.session_count == 1
        assert "1 session of the baseline left out" in judgement.reason

    def test_a_baseline_of_such_sessions_is_none(self) -> None:
        """Without a usable session there is nothing to compare with, and the text says which case it is."""
        judgement = judged(record(), baseline(record(0.0)))
        assert judgement.verdict is Verdict.NO_BASELINE
        assert first_line(judgement).startswith("no session with usable joules in the baseline")


class TestReasonOfAComparison:
    def test_first_line_is_the_summary(self) -> None:
        """Change, tolerance, bounds, joules with uncertainty and the baseline, in one line."""
        line = first_line(judged(record(energy_j=120.0), baseline()))
        assert line.startswith("energy +20.0 % against the baseline, more than the 5 % allowed (bounds +1")
        assert line.endswith(": 120.00 +- 0.48 J a round (5 rounds), baseline 100 J")

    def test_each_verdict_says_what_it_means(self) -> None:
        """The first line alone tells the four verdicts apart."""
        said = {e: first_line(judged(record(energy_j=e), baseline())) for e in (80.0, 100.0, 105.0)}
        assert "a saving of more than 5 %" in said[80.0]
        assert "within the 5 % allowed" in said[100.0]
        assert "can't tell whether within the 5 % allowed" in said[105.0]

    def test_change_is_split_in_logarithms(self) -> None:
        """ln E = ln T + ln P, and what did not change is 0."""
        reason = judged(record(energy_j=120.0), baseline()).reason
        assert "why: time +20.0 %, power 0 % (ln: +0.182 = +0.182 time +0 power)" in reason

    def test_channels_are_shown_where_there_are_several(self) -> None:
        """Which channel changed is told, each with its own change."""
        reason = judged(two_channels(140.0, 20.0), baseline(two_channels(100.0, 20.0))).reason
        assert "by channel: cpu:package-0 20 J -> 20 J (0 %), gpu:0 100 J -> 140 J (+40.0 %)" in reason

    def test_a_channel_that_used_nothing_has_no_change(self) -> None:
        """No percentage of 0 J."""
        reason = judged(two_channels(100.0, 5.0), baseline(two_channels(100.0, 0.0))).reason
        assert "cpu:package-0 0 J -> 5 J, gpu:0" in reason

    def test_one_channel_needs_no_line(self) -> None:
        """One channel is the sum."""
        assert "by channel" not in judged(record(), baseline()).reason

    def test_a_sample_is_shown_where_samples_are_known(self) -> None:
        """Joules a sample, then and now."""
        reason = judged(record(energy_j=120.0, samples=50), baseline(record(samples=50))).reason
        assert "a sample (50 a round): 2 J -> 2.4 J" in reason

    def test_differing_facts_are_named(self) -> None:
        """The first suspects of a rise."""
        reason = judged(record(shown={"torch": "2.9.0"}), baseline()).reason
        assert "differs from the baseline's newest session: torch 2.8.0 -> 2.9.0" in reason

    def test_a_fact_of_several_lines_stays_on_its_own(self) -> None:
        """What a machine says of itself does not break the reason's lines."""
        reason = judged(record(shown={"torch": "2.9.0\n+cu13"}), baseline()).reason
        assert "\n  differs from the baseline's newest session: torch 2.8.0 -> 2.9.0 +cu13\n" in reason

    def test_equal_facts_are_told_too(self) -> None:
        """That nothing recorded differs is a finding."""
        assert "no recorded fact differs" in judged(record(), baseline()).reason

    @pytest.mark.parametrize("energy_j", [80.0, 100.0, 105.0, 120.0])
    def test_detectable_change_is_always_shown(self, energy_j: float) -> None:
        """What could have been told, whatever the verdict."""
        reason = judged(record(energy_j=energy_j), baseline()).reason
        assert "would have been told with 80 % power: 5 rounds against 1 session" in reason

    def test_a_prior_that_was_used_is_told(self) -> None:
        """One round against one round rests on an assumed spread."""
        reason = judged(record(100.0), baseline(record(100.0))).reason
        assert (
            "note: no record has two rounds to take a spread from: a CV of 3 % a round is assumed" in reason
        )

    @pytest.mark.parametrize("energy_j", [80.0, 120.0])
    def test_a_certain_change_tells_how_to_accept_it(self, energy_j: float) -> None:
        """The command that makes this run the baseline."""
        assert REPLACE in judged(record(energy_j=energy_j), baseline()).reason

    def test_inconclusive_tells_how_to_know_more(self) -> None:
        """Twice the rounds, or one more session."""
        reason = judged(record(energy_j=105.0), baseline()).reason
        assert f"pytest '{TEST_ID}' --energy-rounds=10" in reason
        assert ADD in reason

    def test_one_round_is_told_how_to_become_more(self) -> None:
        """A body without the fixture can't be repeated from the command line."""
        reason = judged(record(105.0), baseline()).reason
        assert "take more rounds: measure the work with energy.measure(...)" in reason

    def test_a_pass_asks_for_nothing(self) -> None:
        """Nothing to do."""
        assert "what to do" not in judged(record(), baseline()).reason

    def test_quality_is_counted_over_the_rounds(self) -> None:
        """What a reader should know of the readings, once, with how often it was so."""
        rounds = [
            reading(100.0, quality=("a tick was late",)),
            reading(101.0, quality=("a tick was late", "edges\ninterpolated")),
            reading(99.0),
        ]
        reason = judged(record(rounds=rounds), baseline()).reason
        assert "seen in 2 of 3 rounds: a tick was late" in reason
        assert "seen in 1 of 3 rounds: edges interpolated" in reason

    def test_a_factor_stands_where_percent_reads_badly(self) -> None:
        """Ten times the energy is x 10, and a millionth is not -100.0 %."""
        assert "energy x 100 against" in first_line(judged(record(energy_j=1e4), baseline()))
        assert "energy x 1e-06 against" in first_line(judged(record(energy_j=1e-4), baseline()))

    def test_estimates_that_gate_are_still_called_estimates(self) -> None:
        """Provenance stands beside the joules."""
        estimated = record(provenance=Provenance.ESTIMATED)
        judgement = judged(estimated, baseline(estimated), policy=Policy(gates_estimates=True))
        assert judgement.verdict is Verdict.PASS
        assert "a round (estimated, 5 rounds)" in first_line(judgement)


class TestFiguresDoNotLie:
    def shown_bounds(self, energy_j: float) -> tuple[float, float, Judgement]:
        judgement = judged(record(*[energy_j] * 5), baseline(record(*[100.0] * 5)))
        inside = first_line(judgement).partition("(bounds ")[2].partition(")")[0]
        lower, upper = (float(text.removesuffix(" %")) for text in inside.split(" to "))
        return lower, upper, judgement

    def limit_energy_j(self, *, is_lower: bool) -> float:
        """Joules whose bound is exactly the tolerance: the bounds only shift with the energy."""
        comparison = judged(record(*[100.0] * 5), baseline(record(*[100.0] * 5))).comparison
        assert comparison is not None
        return 105.0 / comparison.ratio_ci[0 if is_lower else 1]

    def test_a_bound_just_past_the_tolerance_is_shown_past_it(self) -> None:
        """A regression never shows a lower bound of the tolerance itself."""
        lower, _, judgement = self.shown_bounds(self.limit_energy_j(is_lower=True) * (1 + 1e-7))
        assert judgement.verdict is Verdict.REGRESSION
        assert lower > 5.0

    def test_a_bound_just_within_the_tolerance_is_shown_within_it(self) -> None:
        """A pass never shows an upper bound of the tolerance itself."""
        _, upper, judgement = self.shown_bounds(self.limit_energy_j(is_lower=False) * (1 - 1e-7))
        assert judgement.verdict is Verdict.PASS
        assert upper < 5.0

    @pytest.mark.parametrize(("factor", "verdict"), [(1 + 1e-7, "over-budget"), (1 - 1e-7, "pass")])
    def test_joules_beside_a_budget_keep_their_side(self, factor: float, verdict: str) -> None:
        """Bounds that are a hair from the budget are not shown as the budget."""
        judgement = judged(record(*[500 * factor] * 5), budget_j=500.0)
        assert judgement.verdict.value == verdict
        assert "bounds of the mean: 500 J to 500 J" not in judgement.reason

    def test_joules_at_the_budget_are_shown_as_it(self) -> None:
        """Exactly the budget is within it."""
        judgement = judged(record(*[500.0] * 5), budget_j=500.0)
        assert judgement.verdict is Verdict.PASS
        assert "bounds of the mean: 500 J to 500 J" in judgement.reason

    def test_neighbouring_floats_are_told_apart(self) -> None:
        """Even the next float above a budget is shown above it."""
        limit_j = 0.1
        judgement = judged(record(*[math.nextafter(limit_j, 1)] * 4), budget_j=limit_j)
        assert judgement.verdict is Verdict.OVER_BUDGET
        assert "bounds of the mean: 100.00000000000001 mJ to 100.00000000000001 mJ" in judgement.reason

    def test_a_budget_is_shown_as_it_was_given(self) -> None:
        """A limit of seven digits is not rounded to six."""
        assert "the budget of 1.234567 MJ a round" in judged(record(), budget_j=1234567.0).reason


class TestBudget:
    @pytest.mark.parametrize(
        ("budget_j", "verdict"),
        [(50.0, Verdict.OVER_BUDGET), (100.0, Verdict.INCONCLUSIVE), (150.0, Verdict.PASS)],
    )
    def test_verdict_by_budget(self, budget_j: float, verdict: Verdict) -> None:
        """Over, around and within, with certainty each; no baseline is needed."""
        assert judged(record(), budget_j=budget_j).verdict is verdict

    def test_first_line_of_over_budget(self) -> None:
        """Joules with uncertainty, the budget and by how much it is passed."""
        line = first_line(judged(record(), budget_j=50.0))
        assert line == "100.00 +- 0.40 J a round (5 rounds), over the budget of 50 J a round (+100.0 %)"

    def test_budget_a_sample(self) -> None:
        """A sample's budget is held against joules over samples."""
        judgement = judged(record(samples=50), budget_per_sample_j=1.5)
        assert judgement.verdict is Verdict.OVER_BUDGET
        assert first_line(judgement).startswith("2 J a sample, 100.00 +- ")
        assert "over the budget of 1.5 J a sample (+33.3 %)" in first_line(judgement)

    def test_budget_a_sample_without_samples_is_a_mistake(self) -> None:
        """A limit that can't be checked stops the test; it is not switched off."""
        with pytest.raises(SettingsError, match=r"budget_per_sample_j is 1.5 J.*pass samples="):
            judged(record(), budget_per_sample_j=1.5)

    def test_the_worse_of_two_budgets_counts(self) -> None:
        """One budget kept does not excuse the other, and both are told."""
        judgement = judged(record(samples=50), budget_j=150.0, budget_per_sample_j=1.5)
        assert judgement.verdict is Verdict.OVER_BUDGET
        assert "also: 100.00 +- 0.40 J a round (5 rounds), within the budget of 150 J" in judgement.reason

    def test_one_round_tells_its_assumed_spread(self) -> None:
        """A mean of one round rests on the prior."""
        reason = judged(record(100.0), budget_j=50.0).reason
        assert "one round has no spread of its own: a CV of 3 % a round is assumed" in reason

    def test_trimming_is_told(self) -> None:
        """Rounds that are not in the mean are counted."""
        assert "1 of 9 rounds at each end" in judged(record(*[100.0] * 9), budget_j=50.0).reason

    def test_inconclusive_tells_how_to_know_more(self) -> None:
        """Twice the rounds."""
        assert "--energy-rounds=10" in judged(record(), budget_j=100.0).reason

    def test_a_budget_of_nothing_is_passed_by_anything(self) -> None:
        """No percentage of 0 J."""
        line = first_line(judged(record(), budget_j=0.0))
        assert line.endswith("over the budget of 0 J a round")


class TestWithoutABaseline:
    def test_says_how_to_make_one(self) -> None:
        """Where it is missing, the joules, and the command."""
        judgement = judged(record())
        assert judgement.verdict is Verdict.NO_BASELINE
        assert first_line(judgement) == (f"no baseline on {KEY} to compare with")
        assert ADD in judgement.reason

    def test_names_the_machines_that_have_one(self) -> None:
        """So that a run on the wrong machine shows."""
        reason = judged(record(), other_machines=("a100_epyc_nvml", "h200_nvml")).reason
        assert "other machines that have a baseline for this test: a100_epyc_nvml, h200_nvml" in reason

    def test_says_when_no_machine_has_one(self) -> None:
        """An empty list is a sentence."""
        assert "no other machine has a baseline for this test" in judged(record()).reason

    def test_a_budget_that_is_kept_is_enough(self) -> None:
        """A test with a budget passes without a baseline, which is mentioned."""
        judgement = judged(record(), budget_j=150.0)
        assert judgement.verdict is Verdict.PASS
        assert "also: no baseline on" in judgement.reason

    def test_a_budget_that_can_not_be_told_is_inconclusive(self) -> None:
        """Doubt about the budget comes before the missing baseline."""
        assert judged(record(), budget_j=100.0).verdict is Verdict.INCONCLUSIVE


class TestNotComparable:
    def test_each_differing_field_is_shown_with_both_values(self) -> None:
        """What differs, then and now, and how to start anew."""
        judgement = judged(
            record(samples=50, fixed={"gpu_model": "H200"}), baseline(), other_machines=("a100_nvml",)
        )
        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert first_line(judgement).startswith(
            "gpu_model, samples differ from the baseline's, so 100.00 +- "
        )
        assert "\n  gpu_model: NVIDIA H100 80GB HBM3 in the baseline, H200 now" in judgement.reason
        assert "\n  samples: not given in the baseline, 50 now" in judgement.reason
        assert "a100_nvml" in judgement.reason
        assert REPLACE in judgement.reason
        assert judgement.comparison is None

    def test_one_difference_is_singular(self) -> None:
        """The sentence is a sentence."""
        assert first_line(judged(record(samples=50), baseline())).startswith("samples differs from")

    def test_provenance_is_never_compared(self) -> None:
        """Replayed joules are held against replayed baselines only."""
        judgement = judged(record(provenance=Provenance.REPLAYED), baseline())
        assert judgement.verdict is Verdict.NOT_COMPARABLE
        assert "provenance: measured in the baseline, replayed now" in judgement.reason


class TestWhatAComparisonKeeps:
    def test_it_keeps_the_tolerance_and_the_level_of_each_session(self) -> None:
        """Who draws the comparison has what it was held against: 100 and 104 J, 5 %."""
        found = judged(record(), baseline(record(), record(energy_j=104.0))).comparison
        assert found is not None
        assert found.tolerance == 0.05
        assert found.session_energies_j == pytest.approx((100.0, 104.0), rel=0.01)


class TestAnEstimate:
    def test_a_void_estimate_says_why_in_its_first_line(self) -> None:
        """What the reader can mend comes first; the way to let estimates count comes with it."""
        fresh = record(provenance=Provenance.ESTIMATED, void_because="half the CPU time was others'")
        found = judged(fresh)
        assert found.verdict is Verdict.UNMEASURED
        assert "half the CPU time was others'" in found.reason.splitlines()[0]

    def test_the_command_lets_estimates_count(self) -> None:
        """A baseline of estimates is written only where they count: the printed command must work."""
        found = judged(record(provenance=Provenance.ESTIMATED), policy=Policy(gates_estimates=True))
        assert "--energy-baseline=add --energy-estimates=gate" in found.reason


class TestUnusableJoules:
    def test_void_before_all(self) -> None:
        """A void record is not judged, whatever its joules, baseline and budget."""
        fresh = record(energy_j=1e6, void_because="another process\ncomputed on gpu:0")
        judgement = judged(fresh, baseline(), budget_j=1.0, budget_per_sample_j=1.0)
        assert judgement.verdict is Verdict.VOID
        assert first_line(judgement) == "no usable joules: another process computed on gpu:0"
        assert f"run it again: pytest '{TEST_ID}'" in judgement.reason
        assert (judgement.summary, judgement.comparison) == (None, None)

    def test_rounds_that_are_all_void(self) -> None:
        """A record whose every round is void is void, with the first reason."""
        rounds = [
            reading(channels={}, void_because="counter reset"),
            reading(channels={}, void_because="missed ticks"),
        ]
        judgement = judged(record(rounds=rounds), baseline())
        assert judgement.verdict is Verdict.VOID
        assert first_line(judgement) == "no usable joules: counter reset"

    def test_a_void_round_among_others_is_not_used(self) -> None:
        """Its joules and seconds count for nothing."""
        rounds: list[Reading] = [
            reading(channels={}, duration_s=99.0, void_because="counter reset"),
            *record().rounds,
        ]
        judgement = judged(record(rounds=rounds), baseline())
        assert judgement.verdict is Verdict.PASS
        assert judgement.comparison is not None
        assert judgement.comparison.duration_ratio == pytest.approx(1.0)

    def test_a_round_of_no_joules_is_void(self) -> None:
        """0 J is a fault, not a pass."""
        judgement = judged(record(100.0, 0.0), baseline(), budget_j=500.0)
        assert judgement.verdict is Verdict.VOID
        assert "reads 0.0 J" in first_line(judgement)

    def test_a_clock_that_stood_still_is_void(self) -> None:
        """Joules in no time have no power."""
        judgement = judged(record(rounds=[reading(10.0, duration_s=0.0)]), budget_j=500.0)
        assert judgement.verdict is Verdict.VOID
        assert first_line(judgement) == "no usable joules: a round took 0 s: the clock stood still"

    def test_an_uncertainty_that_is_no_number_is_void(self) -> None:
        """An interval can't be made of NaN."""
        assert judged(record(uncertainty_j=math.nan), budget_j=500.0).verdict is Verdict.VOID

    def test_unmeasured_says_why_and_what_to_do(self) -> None:
        """The reason, each absent sensor with its own, and the command that tells more."""
        judgement = judged(unmeasured(Provenance.MEASURED, ABSENT_RAPL), baseline(), budget_j=1.0)
        assert judgement.verdict is Verdict.UNMEASURED
        assert first_line(judgement) == "nothing was measured: no sensor works here"
        assert "\n  rapl: energy_uj is 0400; sudo chmod a+r it" in judgement.reason
        assert "pytest-energy doctor" in judgement.reason

    def test_unmeasured_in_a_replay_points_to_the_file(self) -> None:
        """No sensor is to blame for a test that the replay does not have."""
        reason = judged(unmeasured(Provenance.REPLAYED)).reason
        assert "add this test and its rounds to the replay file" in reason
        assert "doctor" not in reason

    def test_a_void_estimate_is_unmeasured_like_any_estimate(self) -> None:
        """Where nothing measures, that is what matters; that the estimate failed too is said beside it."""
        fresh = record(energy_j=200.0, provenance=Provenance.ESTIMATED, void_because="the clock stood still")
        judgement = judged(fresh, None, budget_j=1.0)
        assert judgement.verdict is Verdict.UNMEASURED
        assert judgement.summary is None
        assert "the clock stood still" in judgement.reason

    def test_an_estimate_gates_nothing_by_itself(self) -> None:
        """Neither budget nor baseline; the figure is shown, and the option that lets it count."""
        fresh = record(energy_j=200.0, provenance=Provenance.ESTIMATED, sensors=(ABSENT_RAPL,))
        judgement = judged(fresh, baseline(), budget_j=1.0)
        assert judgement.verdict is Verdict.UNMEASURED
        assert "an estimate neither passes nor fails a test" in first_line(judgement)
        assert "200.00 +- 0.80 J a round (estimated, 5 rounds)" in judgement.reason
        assert "rapl: energy_uj is 0400" in judgement.reason
        assert "--energy-estimates=gate" in judgement.reason
        assert judgement.summary is not None


class TestPrecedence:
    def test_over_budget_before_regression(self) -> None:
        """Both are told, the budget first."""
        judgement = judged(record(energy_j=120.0), baseline(), budget_j=50.0)
        assert judgement.verdict is Verdict.OVER_BUDGET
        assert "also: energy +20.0 % against the baseline" in judgement.reason
        assert judgement.comparison is not None

    def test_regression_before_a_budget_that_is_kept(self) -> None:
        """A budget that is kept excuses no regression."""
        assert judged(record(energy_j=120.0), baseline(), budget_j=500.0).verdict is Verdict.REGRESSION

    def test_not_comparable_before_a_budget_in_doubt(self) -> None:
        """What can't be compared is told before what can't be decided."""
        judgement = judged(record(samples=50), baseline(), budget_j=100.0)
        assert judgement.verdict is Verdict.NOT_COMPARABLE

    def test_improvement_within_a_budget(self) -> None:
        """A saving is told although the budget passes as well."""
        assert judged(record(energy_j=80.0), baseline(), budget_j=500.0).verdict is Verdict.IMPROVEMENT

    def test_a_budget_in_doubt_before_an_improvement(self) -> None:
        """A saving does not hide that the budget can't be told."""
        assert judged(record(energy_j=80.0), baseline(), budget_j=80.0).verdict is Verdict.INCONCLUSIVE

    def test_every_verdict_has_its_place(self) -> None:
        """No verdict is missing from either order, and no two share a place."""
        assert set(SEVERITY) == set(Verdict)
        for places in zip(*((one.of_findings, one.of_rows) for one in SEVERITY.values()), strict=True):
            assert sorted(places) == list(range(len(Verdict)))


class TestPolicy:
    @pytest.mark.parametrize("tolerance", [-0.01, math.nan, math.inf])
    def test_tolerance_is_a_share(self, tolerance: float) -> None:
        """A tolerance that switches the gate off is refused."""
        with pytest.raises(SettingsError, match="tolerance is"):
            Policy(tolerance=tolerance)

    @pytest.mark.parametrize("alpha", [0.0, 0.5, -1.0, math.nan])
    def test_alpha_is_a_chance(self, alpha: float) -> None:
        """Bounds need an alpha between 0 and one half."""
        with pytest.raises(SettingsError, match="alpha is"):
            Policy(alpha=alpha)


class TestIsFailing:
    @pytest.mark.parametrize("verdict", list(Verdict))
    @pytest.mark.parametrize("strict", [False, True])
    def test_what_fails(self, verdict: Verdict, *, strict: bool) -> None:
        """Past a limit always; any doubt under strict; a pass or an improvement never."""
        judgement = Judgement(record=record(), verdict=verdict, reason="")
        expected = verdict in FAILING or (strict and verdict in UNDECIDED)
        assert is_failing(judgement, strict=strict) is expected
        assert not is_failing(Judgement(record=record(), verdict=Verdict.PASS, reason=""), strict=strict)


def test_the_json_of_a_judgement_is_json() -> None:
    """No NaN and no infinity in what is written."""
    over = judged(record(energy_j=120.0), baseline(), budget_j=50.0)
    text = json.dumps(judgement_to_json(over), allow_nan=False)
    assert json.loads(text)["verdict"] == "over-budget"
