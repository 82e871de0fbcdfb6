"""The paper's first claim, out of a run."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cnn.claims import NETWORKS, Row, claim, claim_table, main, rows_of, side_by_side
from benchmarks.cnn.models import PAPER_ARCHITECTURES
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.model import Reading
from pytest_energy.ready import ReadyPower
from pytest_energy.study.samples import Run
from tests.builders import judgement

MODELS = ("lenet", "mobilenet", "resnet18", "vgg16", "googlenet", "densenet121")
RESULTS = Path(__file__).parents[3] / "docs" / "results"


def _test(place: int, *, group: str = "inference", idle_power_w: float | None = 1.0) -> Judgement:
    """10 J a network more, of 1 s and ten samples; MACs per parameter rise with them, parameters fall."""
    return judgement(
        test_id=f"test_work[{MODELS[place]}]",
        model=MODELS[place],
        group=group,
        samples=10,
        energy_j=10.0 * (place + 1),
        uncertainty_j=0.1,
        idle_power_w=idle_power_w,
        metrics={
            "parameters": 100.0 - place,
            "macs": [3.0, 1.0, 2.0, 4.0, 6.0, 5.0][place],
            "macs_param": float(place),
        },
    )


def _run(*judgements: Judgement) -> Run:
    return Run(name="run.json", judgements=judgements or tuple(map(_test, range(6))))


def test_a_property_that_orders_as_the_joules_do_has_rho_1() -> None:
    """MACs per parameter rise with the joules, parameters fall: +1 and -1; the gain is over MACs."""
    found = claim(rows_of(_run()), "gross")
    assert found is not None
    assert found.correlations["macs_param"].rho == 1.0
    assert found.correlations["parameters"].rho == -1.0
    macs_rho = found.correlations["macs"].rho
    assert macs_rho is not None
    assert found.gain == pytest.approx(1.0 - macs_rho)
    assert found.gain_interval[0] <= found.gain <= found.gain_interval[1]


def test_below_five_networks_there_is_no_claim() -> None:
    """Four rows rank nothing."""
    assert claim(rows_of(_run(*map(_test, range(4)))), "gross") is None


def test_networks_without_net_joules_are_no_rows_of_the_net_claim() -> None:
    """Absent is not zero: without idle power there is no net claim, and the gross one stands."""
    rows = rows_of(_run(*(_test(place, idle_power_w=None) for place in range(6))))
    assert claim(rows, "net") is None
    assert claim(rows, "active") is None
    assert claim(rows, "gross") is not None


def test_active_joules_are_those_above_ready_power() -> None:
    """10 J in 1 s with a ready power of 4 W and an idle power of 1 W: 1.0, 0.9 and 0.6 J a sample."""
    one = _test(0)
    ready = replace(one, record=replace(one.record, ready_power={"gpu:0": ReadyPower(power_w=4.0)}))
    (row,) = rows_of(_run(ready))
    assert row.energies_j == pytest.approx({"gross": 1.0, "net": 0.9, "active": 0.6})
    assert row.uncertainty_j == pytest.approx(0.01)


def test_the_spread_of_the_rounds_is_theirs() -> None:
    """0.99 and 1.01 times the mean spread by 1.41 %."""

    def scaled(one: Reading, share: float) -> Reading:
        return replace(one, channels={name: share * value for name, value in one.channels.items()})

    one = _test(0)
    rounds = tuple(scaled(one.record.rounds[0], share) for share in (0.99, 1.01))
    (row,) = rows_of(_run(replace(one, record=replace(one.record, rounds=rounds))))
    assert row.cv == pytest.approx(0.0141421, rel=1e-4)


def test_another_run_is_refused() -> None:
    """A run without training and inference says so."""
    with pytest.raises(SettingsError, match=r"run\.json holds no measured training or inference test"):
        rows_of(_run(_test(0, group="batch")))


def _row(model: str, energy_j: float) -> Row:
    return Row(
        model=model,
        group="training",
        energies_j={"gross": energy_j, "net": None, "active": energy_j},
        uncertainty_j=0.0,
        cv=None,
        properties={"parameters": 1.0 / energy_j, "macs": energy_j, "macs_param": energy_j},
    )


def test_the_paper_is_judged_on_all_of_its_networks_alone() -> None:
    """The line of the authors' fourteen needs all fourteen; others don't count in it."""
    rows = [_row(model, 1.0 + place) for place, model in enumerate(PAPER_ARCHITECTURES)]
    table = claim_table([*rows, _row("bert_small", 99.0)])
    assert "the authors' (14)" in table
    assert "all (15)" in table
    assert "| net " not in table
    assert "the authors'" not in claim_table(rows[1:])


def test_both_forms_are_fourteen_and_differ_by_four() -> None:
    """The authors' networks, and those with torchvision's form of four of them."""
    authors, others = NETWORKS.values()
    assert len(authors) == len(others) == 14
    assert others - authors == {"vgg16", "googlenet", "mobilenet_v2", "efficientnet_b0"}


def test_a_group_that_is_missing_is_a_dash() -> None:
    """Both groups side by side; inference was not measured here."""
    (line,) = side_by_side([_row("lenet", 0.001)]).splitlines()[2:]
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells == ["lenet", "1 +- 0", "-", "1", "-", "-", "-", "-", "-"]


@pytest.mark.slow
def test_the_tables_are_those_of_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    """A kept run gives the rhos of its page again, and those of active joules."""
    assert main([str(RESULTS / "h100-cnn.json")]) == 0
    text = capsys.readouterr().out
    assert "+0.15 [-0.50, +0.66] | +0.76 [+0.31, +0.96] | +0.82 [+0.43, +0.96] | +0.06 [-0.16, +0.33]" in text
    assert "| active   | +0.22 [-0.42, +0.70] |" in text


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the path on stderr."""
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
