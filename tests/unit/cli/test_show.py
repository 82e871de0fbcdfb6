"""`pytest-energy show`: a run, or the history of a test."""

from itertools import pairwise
from pathlib import Path

import pytest

from pytest_energy.baselines.store import Store
from tests.builders import KEY, TEST_ID, record, sessions
from tests.unit.cli.conftest import Cli

GOLDEN = Path(__file__).parents[2] / "golden"
OTHER_ID = "tests/test_other.py::test_other[x-1]"


# a run


def test_show_is_what_the_run_showed(cli: Cli, run_json: Path) -> None:
    """The summary of a run read again is letter by letter the one that the run printed."""
    status, out, _ = cli("show", run_json)
    assert status == 0
    assert out == (GOLDEN / "gpu_100.txt").read_text(encoding="utf-8")


def test_show_is_as_wide_as_asked(cli: Cli, run_json: Path) -> None:
    """--width sets the columns."""
    _, out, _ = cli("show", run_json, "--width", "80")
    assert out == (GOLDEN / "gpu_80.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("width", ["79", "-80", "wide", "1e3"])
def test_show_refuses_a_width_that_is_none(cli: Cli, run_json: Path, width: str) -> None:
    """A width that nothing fits in, or that is no number, is refused with the least."""
    status, _, err = cli("show", run_json, f"--width={width}")
    assert status == 2
    assert "must be a whole number of at least 80. Got " in err


# a test


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Baselines of two tests, one of them on two machines."""
    store = Store(tmp_path / "baselines")
    store.write(KEY, TEST_ID, sessions(3), "add")
    store.write("t4", TEST_ID, [record(key="t4")], "add")
    store.write(KEY, OTHER_ID, [record(test_id=OTHER_ID)], "add")
    return store.folder


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (TEST_ID, [(TEST_ID, KEY), (TEST_ID, "t4")]),
        ("resnet18", [(TEST_ID, KEY), (TEST_ID, "t4")]),
        ("test_other[x", [(OTHER_ID, KEY)]),
        ("tests/*[x-?]", [(OTHER_ID, KEY)]),
        ("test_", [(TEST_ID, KEY), (TEST_ID, "t4"), (OTHER_ID, KEY)]),
    ],
)
def test_a_history_by_name(cli: Cli, folder: Path, name: str, shown: list[tuple[str, str]]) -> None:
    """An id, a part of one, or a pattern names one test or several; each machine has its own history."""
    status, out, err = cli("show", name, "--baselines", folder)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    heads = [(above, line) for above, line in pairwise(lines) if line.startswith("on ")]
    assert [(above, line.removeprefix("on ").partition(":")[0]) for above, line in heads] == shown


def test_a_trend_in_plain_characters(cli: Cli, folder: Path) -> None:
    """--ascii draws what any screen has; without, a screen of UTF-8 has blocks."""
    _, plain, _ = cli("show", TEST_ID, "--baselines", folder, "--ascii")
    _, blocks, _ = cli("show", TEST_ID, "--baselines", folder)
    assert plain.isascii()
    assert "trend  _=#" in plain
    assert "trend  ▁▅█" in blocks


def test_a_name_that_no_test_has(cli: Cli, folder: Path) -> None:
    """The name, the folder and what there is instead are told."""
    status, out, err = cli("show", "test_outher[x-1]", "--baselines", folder)
    assert (status, out) == (2, "")
    assert f"{folder} has no baseline of 'test_outher[x-1]'. Did you mean {OTHER_ID}?" in err


def test_a_folder_without_baselines(cli: Cli, tmp_path: Path) -> None:
    """Where nothing is stored, the way to name another folder and to make baselines is told."""
    status, _, err = cli("show", "test_a", "--baselines", tmp_path / "none")
    assert status == 2
    assert (
        f"no baselines are in {tmp_path}/none, so none of 'test_a'. Give their folder with --baselines" in err
    )


def test_a_broken_file_hides_no_other_test(cli: Cli, folder: Path) -> None:
    """A test is shown whatever is wrong with another's file, and refused if its own is broken."""
    path = Store(folder).path(KEY, OTHER_ID)
    path.write_text(path.read_text()[:-100])
    assert cli("show", TEST_ID, "--baselines", folder)[0] == 0
    assert cli("show", "resnet18", "--baselines", folder)[0] == 0
    status, _, err = cli("show", OTHER_ID, "--baselines", folder)
    assert status == 2
    assert f"{path} is not JSON" in err


# carbon and cost


def test_show_takes_an_intensity_and_a_price(cli: Cli, run_json: Path) -> None:
    """Of a run that was given none: all it needs are the joules."""
    status, out, _ = cli(
        "show", run_json, "--carbon-g-per-kwh", "360 (a grid)", "--price-per-kwh", "0.36 EUR"
    )
    assert status == 0
    text = " ".join(out.split())
    assert "estimated from" in text
    assert "at 360 g CO2e/kWh (a grid), 0.36 EUR/kWh (source not given)" in text


def test_show_refuses_what_is_no_price(cli: Cli, run_json: Path) -> None:
    """With what it must be."""
    status, _, err = cli("show", run_json, "--price-per-kwh", "0.31")
    assert status == 2
    assert "must be a price from 0 to a million with its currency" in err
