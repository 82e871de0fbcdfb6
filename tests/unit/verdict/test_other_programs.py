"""Joules that other programs may have used, and the verdicts that depend on them."""

from dataclasses import replace

import pytest

from pytest_energy.judgement import Budget, Verdict
from pytest_energy.model import Provenance, Record
from pytest_energy.usage import Usage
from pytest_energy.verdict.findings import AgainstBudget
from pytest_energy.verdict.other_programs import LATENCY, others_share
from pytest_energy.verdict.policy import Policy
from tests.builders import STEADY, baseline, decided, reading, record


def busy(
    energy_j: float, share: float, *, gpu_j: float = 0.0, provenance: Provenance = Provenance.MEASURED
) -> Record:
    """Rounds of *energy_j* on a processor, of whose busy time other programs had *share*."""
    channels = {"cpu:package-0": energy_j} | ({"gpu:0": gpu_j} if gpu_j else {})
    usage = Usage(cpu_utilisation_share=0.8, other_cpu_share=0.8 * share)
    rounds = [
        replace(
            reading(
                channels={name: joules * one for name, joules in channels.items()},
                duration_s=one,
                provenance=provenance,
            ),
            usage=usage,
        )
        for one in STEADY
    ]
    return record(rounds=rounds, provenance=provenance)


@pytest.mark.parametrize(
    ("one", "share"),
    [
        pytest.param(busy(100.0, 0.6), 0.6, id="a processor alone"),
        pytest.param(busy(20.0, 0.5, gpu_j=80.0), 0.1, id="beside a GPU, which they did not use"),
        pytest.param(record(), 0.0, id="not known"),
        pytest.param(busy(100.0, 0.6, provenance=Provenance.ESTIMATED), 0.0, id="an estimate"),
        pytest.param(replace(busy(100.0, 0.6), metrics={LATENCY: 0.2}), 0.0, id="a load of requests"),
        pytest.param(busy(100.0, 1.0), 0.99, id="all of it, as far as is known"),
    ],
)
def test_the_share_of_the_joules(one: Record, share: float) -> None:
    """The share of the busy time, of the joules of processor and memory; 0 without a figure."""
    assert others_share(one) == pytest.approx(share)


@pytest.mark.parametrize(
    ("now", "then", "verdict"),
    [
        pytest.param(0.0, 0.0, Verdict.REGRESSION, id="nobody else"),
        pytest.param(0.05, 0.0, Verdict.REGRESSION, id="less than is noted"),
        pytest.param(0.6, 0.0, Verdict.INCONCLUSIVE, id="others explain it"),
        pytest.param(0.6, 0.6, Verdict.REGRESSION, id="as many as in the baseline"),
    ],
)
def test_a_rise_that_others_may_explain_is_inconclusive(now: float, then: float, verdict: Verdict) -> None:
    """A rise of 20 % is one if it remains without their joules, here and in the baseline."""
    assert decided(busy(120.0, now), baseline(busy(100.0, then))).verdict is verdict


def test_a_rise_that_others_cannot_explain_is_one() -> None:
    """Ten times the joules, of which others used at most half, is a regression."""
    assert decided(busy(1000.0, 0.5), baseline(busy(100.0, 0.0))).verdict is Verdict.REGRESSION


def test_a_server_that_does_the_work_is_judged() -> None:
    """With `server=True` what another program used may be the work."""
    decision = decided(
        busy(120.0, 0.6),
        baseline(busy(100.0, 0.0)),
        policy=Policy(is_server=True),
        budget=Budget(budget_j=110.0),
    )
    assert [finding.verdict for finding in decision.findings] == [Verdict.OVER_BUDGET, Verdict.REGRESSION]


def test_a_budget_that_is_kept_without_others_is_inconclusive() -> None:
    """Over a budget are joules that are over it without those of others."""
    (over, _) = decided(busy(100.0, 0.6), budget=Budget(budget_j=50.0)).findings
    assert isinstance(over, AgainstBudget)
    assert over.verdict is Verdict.INCONCLUSIVE
    assert over.doubt is not None
    assert over.doubt.share == pytest.approx(0.6)
    assert decided(busy(100.0, 0.3), budget=Budget(budget_j=50.0)).verdict is Verdict.OVER_BUDGET


def test_the_terms_keep_that_a_server_does_the_work() -> None:
    """A kept run is judged again by the same rule."""
    assert Policy.of(Policy(is_server=True).terms).is_server
