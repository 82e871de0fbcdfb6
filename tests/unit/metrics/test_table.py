"""Names, units and the paper's correlations."""

import pytest

from pytest_energy.metrics.paper_rho import PAPER_RHO
from pytest_energy.metrics.table import METRICS


@pytest.mark.parametrize("group", PAPER_RHO)
def test_every_correlated_metric_is_described(group: str) -> None:
    """Each metric that the paper gives a rho for has a description with unit and source."""
    for rho_by_metric in PAPER_RHO[group].values():
        for name in rho_by_metric:
            metric = METRICS[name]
            assert metric.name == name
            assert metric.unit
            assert "Sanchez-Mompo" in metric.source


@pytest.mark.parametrize(
    ("group", "hardware"),
    [("training", ["HC-1", "HC-2", "HC-3"]), ("inference", ["HC-1", "HC-2", "HC-3"]), ("requests", ["HC-4"])],
)
def test_hardware_of_each_group(group: str, hardware: list[str]) -> None:
    """Discriminative models ran on three desktop GPUs, generative ones on the server."""
    assert list(PAPER_RHO[group]) == hardware


@pytest.mark.parametrize("group", PAPER_RHO)
def test_each_rho_is_a_correlation(group: str) -> None:
    """A rho is from -1 to 1, and energy per sample correlates with itself."""
    for rho_by_metric in PAPER_RHO[group].values():
        assert all(-1.0 <= rho <= 1.0 for rho in rho_by_metric.values())
        assert rho_by_metric["energy_per_sample"] == 1.0


def test_claim_macs_param_leads_the_discriminative_metrics() -> None:
    """On each machine of the paper MACs for each parameter correlate best, about 0.9."""
    for rho_by_metric in PAPER_RHO["training"].values():
        others = {name: abs(rho) for name, rho in rho_by_metric.items() if name != "energy_per_sample"}
        assert max(others, key=lambda name: others[name]) == "macs_param"
        assert others["macs_param"] > 0.85


def test_claim_request_rate_leads_the_generative_metrics() -> None:
    """The energy of a request falls with the request rate: rho -0.95."""
    assert PAPER_RHO["requests"]["HC-4"]["request_rate"] == -0.95


def test_every_layer_type_has_its_figures_and_ranks_nothing() -> None:
    """What `energy.layers` records is explained in the table, and no rows are ranked by it."""
    from pytest_energy.profiling.layer_types import LayerType

    figures = ("energy_j", "uncertainty_j", "duration_s")
    names = {f"layer_{layer_type}_{figure}" for layer_type in LayerType for figure in figures}
    assert names <= METRICS.keys()
    assert not any(metric.is_ranked for name, metric in METRICS.items() if name.startswith("layer"))
