"""The paper's first claim, out of a session document."""

import json
from pathlib import Path

import pytest

from benchmarks.cnn.claims import UnreadableRun, claim, main, rows_of

MODELS = ("lenet", "mobilenet", "resnet18", "vgg16", "googlenet", "densenet121")


def _test(position: int, *, group: str = "inference", macs_param: float | None = None) -> dict[str, object]:
    energy_j = 10.0 * (position + 1)
    return {
        "id": f"test_work[{MODELS[position]}]",
        "model": MODELS[position],
        "group": group,
        "samples": 10,
        "energy_j": energy_j,
        "net_energy_j": energy_j - 5.0,
        "uncertainty_j": 0.1,
        "energy_per_sample_j": energy_j / 10,
        "rounds": [{"energy_j": 0.99 * energy_j}, {"energy_j": 1.01 * energy_j}],
        "metrics": {
            "parameters": 100.0 - position,
            "macs": [3.0, 1.0, 2.0, 4.0, 6.0, 5.0][position],
            "macs_param": float(position) if macs_param is None else macs_param,
        },
    }


def _document(count: int = 6) -> dict[str, object]:
    return {"tests": [_test(position) for position in range(count)]}


def test_a_property_that_orders_as_the_joules_do_has_rho_1() -> None:
    """MACs per parameter rise with the joules, parameters fall: +1 and -1; the gain is over MACs."""
    found = claim(rows_of(_document()), "gross")
    assert found is not None
    assert found.correlations["macs_param"].rho == 1.0
    assert found.correlations["parameters"].rho == -1.0
    macs_rho = found.correlations["macs"].rho
    assert macs_rho is not None
    assert found.gain == pytest.approx(1.0 - macs_rho)
    assert found.gain_interval[0] <= found.gain <= found.gain_interval[1]


def test_below_five_networks_there_is_no_claim() -> None:
    """Four rows rank nothing."""
    assert claim(rows_of(_document(4)), "gross") is None


def test_networks_without_net_joules_are_no_rows_of_the_net_claim() -> None:
    """Absent is not zero: without idle power there is no net claim, and the gross one stands."""
    document = {"tests": [{**_test(position), "net_energy_j": None} for position in range(6)]}
    assert claim(rows_of(document), "net") is None
    assert claim(rows_of(document), "gross") is not None


def test_the_spread_of_the_rounds_is_theirs() -> None:
    """0.99 and 1.01 times the mean spread by 1.41 %."""
    assert rows_of(_document())[0].cv == pytest.approx(0.0141421, rel=1e-4)


@pytest.mark.parametrize("document", [[], {"tests": 3}, {"tests": []}])
def test_another_document_is_refused(document: object) -> None:
    """What is no session of these benchmarks says so."""
    with pytest.raises(UnreadableRun, match="holds no"):
        rows_of(document)


@pytest.mark.slow
def test_the_tables_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both groups side by side, a missing one as a dash; then the rhos with their intervals."""
    path = tmp_path / "run.json"
    path.write_text(json.dumps(_document()))
    assert main([str(path)]) == 0
    text = capsys.readouterr().out
    assert "densenet121" in text
    assert "+1.00" in text


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, and the path on stderr."""
    assert main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err
