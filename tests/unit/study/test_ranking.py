"""Rhos of a study, and whether a ranking transfers."""

from dataclasses import replace

import pytest
from scipy.stats import kendalltau, spearmanr

from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.stats.correlate import Correlation
from pytest_energy.study import texts
from pytest_energy.study.ranking import ALL, WITHIN, Rho
from pytest_energy.study.study import Study, study_of
from pytest_energy.study.transfer import Transfer
from tests.builders import LAPTOP
from tests.unit.study.conftest import SMALL_AND_LARGE, nets, requests, run

RISING, MIXED = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [200.0, 100.0, 400.0, 300.0, 600.0, 500.0]


def rho(study: Study, metric: str, place: str, energy: str = "gross") -> Rho:
    return next(one for one in study.rhos if (one.metric, one.place, one.energy) == (metric, place, energy))


def value(study: Study, metric: str, place: str, energy: str = "gross") -> Correlation:
    return rho(study, metric, place, energy).correlation


def two_machines() -> Study:
    return study_of([run("a", *nets(RISING)), run("b", *nets(MIXED, machine=LAPTOP))])


def test_each_column_has_its_rho() -> None:
    """scipy's, with the exact p of six rows."""
    study = two_machines()
    assert value(study, "macs_param", "HC-1").rho == pytest.approx(1.0)
    assert value(study, "macs_param", "HC-2").rho == pytest.approx(spearmanr(range(6), MIXED).statistic)
    assert value(study, "macs_param", "HC-1").p_exact == pytest.approx(2 / 720)


def test_within_ranks_each_machine_alone() -> None:
    """The mean of the two machines' rhos; as one table, the levels of the machines count."""
    study = two_machines()
    one, two = (value(study, "macs_param", place).rho for place in ("HC-1", "HC-2"))
    assert one is not None
    assert two is not None
    assert value(study, "macs_param", WITHIN).rho == pytest.approx((one + two) / 2)
    everything = spearmanr([*range(6)] * 2, RISING + MIXED).statistic
    assert value(study, "macs_param", ALL).rho == pytest.approx(everything)
    assert value(study, "macs_param", WITHIN).p_exact is None


def test_models_and_rates_are_pooled_in_one_column() -> None:
    """Two runs of one machine, one model each: the rates of both are ranked together, as in the paper."""
    runs = [
        run(name, *requests({name: rates}, created=f"2026-11-21T1{place}:00:00Z"))
        for place, (name, rates) in enumerate(SMALL_AND_LARGE.items())
    ]
    study = study_of(runs)
    pooled = value(study, "request_rate", "HC-1")
    joules = [joule for rates in SMALL_AND_LARGE.values() for joule in rates.values()]
    rates = [rate for rates in SMALL_AND_LARGE.values() for rate in rates]
    assert pooled.rho == pytest.approx(spearmanr(rates, joules).statistic)
    assert pooled.n == 10
    assert pooled.p_exact == pytest.approx(2 / 120**2)
    assert rho(study, "request_rate", "HC-1").within_models == pytest.approx(-1.0)


def test_the_size_of_a_model_has_no_p_among_rates() -> None:
    """Orders within models can't judge what is constant in them."""
    found = value(study_of([run("a", *requests(SMALL_AND_LARGE))]), "parameters", "HC-1")
    assert (found.p_exact, found.p_monte_carlo) == (None, None)
    assert "constant within each block" in found.note


def test_net_and_active_joules_are_ranked_on_their_own() -> None:
    """Net joules are those above idle power; active ones are missing here, so n is 0."""
    study = two_machines()
    assert value(study, "macs_param", "HC-1", "net").n == 6
    absent = value(study, "macs_param", "HC-1", "active")
    assert (absent.rho, absent.n) == (None, 0)


def test_the_papers_rhos_are_beside() -> None:
    """Of its own groups; nothing is beside another group."""
    assert rho(two_machines(), "macs_param", "HC-1").paper == {
        name: rhos["macs_param"] for name, rhos in PAPER_RHO["inference"].items()
    }
    other = study_of([run("a", *requests(SMALL_AND_LARGE, group="mine"))])
    assert rho(other, "request_rate", "HC-1").paper == {}
    own = study_of([run("a", *requests(SMALL_AND_LARGE))])
    assert rho(own, "request_rate", "HC-1").paper == {"HC-4": -0.95}


# ---- transfer ----


def transfer(study: Study, energy: str = "gross") -> Transfer:
    return next(one for one in study.transfers if one.energy == energy)


def test_agreement_is_of_the_rows_that_both_have() -> None:
    """Spearman's rho and Kendall's tau as scipy's, and the ratio of the middle row."""
    study = study_of([run("a", *nets(RISING)), run("b", *nets(MIXED[:5], machine=LAPTOP))])
    found = transfer(study)
    assert (found.pair, found.rho.n) == (("HC-1", "HC-2"), 5)
    assert found.rho.rho == pytest.approx(spearmanr(RISING[:5], MIXED[:5]).statistic)
    assert found.tau.rho == pytest.approx(kendalltau(RISING[:5], MIXED[:5]).statistic)
    assert found.median_ratio == pytest.approx(120.0)


@pytest.mark.parametrize(
    ("energies_j", "sentence"),
    [
        (RISING, "The ranking of HC-1 holds on HC-2 (rho +1.00, 95 % +1.00 to +1.00, n = 6: all rows agree"),
        ([6.0, 1.0, 5.0, 2.0, 4.0, 3.0], "No transfer of the ranking from HC-1 to HC-2 is shown"),
        (RISING[:3], "3 common rows of HC-1 and HC-2 are too few to judge a transfer."),
        (RISING[:1], "can't be compared: too few rows to rank: 1"),
    ],
)
def test_a_sentence_says_whether_it_transfers(energies_j: list[float], sentence: str) -> None:
    """By the interval: above 0.7, above 0, or neither."""
    study = study_of([run("a", *nets(RISING)), run("b", *nets(energies_j, machine=LAPTOP))])
    assert sentence in transfer(study).sentence


def test_pairs_at_one_rate_are_counted() -> None:
    """The rate alone may order all rows: models at equal rates are counted as well."""
    other = {"1B": SMALL_AND_LARGE["8B"], "8B": {**SMALL_AND_LARGE["1B"], 1.0: 300.0}}
    study = study_of([run("a", *requests(SMALL_AND_LARGE)), run("b", *requests(other, machine=LAPTOP))])
    found = transfer(study)
    assert found.rho.rho is not None
    assert found.rho.rho > 0.8
    assert found.equal_setting == (1, 5)


def test_work_that_differs_is_named() -> None:
    """Facts that both columns know, with another value; what one of them lacks is no difference."""
    first, second = (
        tuple(replace(one, record=replace(one.record, workload=work)) for one in made)
        for made, work in (
            (requests(SMALL_AND_LARGE), {"engine": "vllm", "detokenisation": "off", "seed": "1"}),
            (requests(SMALL_AND_LARGE, machine=LAPTOP), {"engine": "vllm", "detokenisation": "on"}),
        )
    )
    study = study_of([run("a", *first), run("b", *second)])
    assert transfer(study).differing == ("detokenisation",)
    assert "Their work differs in detokenisation." in "\n".join(texts.terminal(study))
