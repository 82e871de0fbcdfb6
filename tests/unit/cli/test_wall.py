"""`pytest-energy wall`: a run beside a wall meter's file."""

import json
import sys
from pathlib import Path

import pytest

from tests.fakes.sessions import gpu_session
from tests.fakes.wall_meter import BEGAN, GAIN, LAG_S, OFFSET_W, WallWorld
from tests.unit.cli.conftest import Cli, written


@pytest.fixture
def world(tmp_path: Path) -> WallWorld:
    """A run of ten tests in run.json, and its meter in meter.csv."""
    world = WallWorld(test_count=10, round_count=2)
    written(tmp_path / "run.json", *world.judgements())
    (tmp_path / "meter.csv").write_text(world.csv())
    return world


@pytest.fixture
def files(world: WallWorld, tmp_path: Path) -> tuple[Path, Path]:
    del world
    return tmp_path / "run.json", tmp_path / "meter.csv"


def test_gain_offset_and_lag_are_printed(cli: Cli, files: tuple[Path, Path]) -> None:
    """Each with its interval and what it is; then each test; then what a reader must know."""
    done = cli("wall", *files)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("power of gpu:0 in 20 windows, beside ")
    assert lines[0].endswith(" rows of meter.csv, one per 1 s")
    by_name = {line.split()[0]: line for line in lines if line}
    assert "watts at the meter per watt of the counters" in by_name["gain"]
    assert "watts that the counters do not see at rest" in by_name["offset"]
    assert float(by_name["gain"].split()[1]) == pytest.approx(GAIN, rel=0.02)
    assert len([line for line in lines if line.startswith("test_work.py::test_work[a/")]) == 10
    assert "not an error of the counters" in done.out


def test_json_holds_what_is_shown(cli: Cli, files: tuple[Path, Path], world: WallWorld) -> None:
    """Values with intervals, and joules of both for each window, over the same seconds."""
    found = json.loads(cli("wall", *files, "--json").out)
    for name, truth in (("gain", GAIN), ("offset_w", OFFSET_W), ("lag_s", LAG_S)):
        lower, upper = found[f"{name}_ci"]
        assert lower <= found[name] <= upper
        assert lower <= truth <= upper
    assert found["absent"] == {}
    assert len(found["windows"]) == found["window_count"] == len(world.windows)
    for one in found["windows"]:
        by_line_j = OFFSET_W * one["duration_s"] + GAIN * one["energy_j"]
        assert one["meter_energy_j"] == pytest.approx(by_line_j, rel=0.02)


def test_it_is_written_as_a_page_and_a_figure(cli: Cli, files: tuple[Path, Path], tmp_path: Path) -> None:
    """Markdown, JSON and figures by their names."""
    outs = [tmp_path / f"wall.{kind}" for kind in ("md", "json", "svg")]
    done = cli("wall", *files, "--markdown", *(word for out in outs for word in ("--out", out)))
    assert done.status == 0
    page, document, figure = (out.read_text(encoding="utf-8") for out in outs)
    assert done.out.startswith(page.rstrip("\n"))
    assert "| gain |" in page
    assert json.loads(document)["meter"] == "meter.csv"
    for text in ("rows of the meter", "counters by gain, offset and lag", "power at the meter"):
        assert text in figure


def test_what_cant_be_said_has_its_reason(cli: Cli, tmp_path: Path) -> None:
    """Too few windows: no number anywhere, exit status 1, and a figure of what was read."""
    world = WallWorld(test_count=3, round_count=1)
    run = written(tmp_path / "run.json", *world.judgements(), gpu_session()[0])
    (tmp_path / "meter.csv").write_text(world.csv())
    done = cli("wall", run, tmp_path / "meter.csv", "--out", tmp_path / "wall.svg")
    assert done.status == 1
    assert "Can't say: the meter has rows in 3 windows, and at least 8 are needed." in done.out
    assert "Left out: " in done.out
    rows = [line.split()[1:4] for line in done.out.splitlines() if line.startswith(("gain", "offset", "lag"))]
    assert rows == [["can't", "say", "-"]] * 3
    assert (tmp_path / "wall.svg").exists()
    found = json.loads(cli("wall", run, tmp_path / "meter.csv", "--json").out)
    assert (found["gain"], found["offset_w_ci"], found["windows"]) == (None, None, [])
    assert {*found["absent"]} == {"gain", "offset_w", "lag_s"}


def test_a_meter_of_another_day_is_an_error(cli: Cli, files: tuple[Path, Path], tmp_path: Path) -> None:
    """Both ranges of time are named, and the options that may help."""
    (tmp_path / "late.csv").write_text("t,w\n2026-11-22T10:00Z,1\n2026-11-22T10:01Z,2\n2026-11-22T10:02Z,3\n")
    done = cli("wall", files[0], tmp_path / "late.csv")
    assert (done.status, done.out) == (2, "")
    for part in (
        "from 2026-11-22 10:00:00 UTC to",
        "the run is from 2026-11-21 10:00:",
        "--time-zone",
        "--most-lag",
    ):
        assert part in done.err


def test_times_that_begin_at_0_need_their_start(cli: Cli, files: tuple[Path, Path], world: WallWorld) -> None:
    """A logger that counts from its own start: the error has the option, and with it the line is found."""
    rows = world.rows()
    lines = [f"{stop_s:.3f},{power_w}" for stop_s, power_w in zip(rows.stop_s, rows.power_w, strict=True)]
    files[1].write_text("\n".join(["Time (s),Power (W)", *lines]))
    status, out, err = cli("wall", *files)
    assert (status, out) == (2, "")
    assert "count from a moment that isn't in the file: give it as --start" in err
    done = cli("wall", *files, f"--start={BEGAN}", "--rows=means")
    assert (done.status, done.err) == (0, "")
    assert cli("wall", *files, "--start=12").status == 2


def test_a_run_without_times_of_day_is_an_error(cli: Cli, tmp_path: Path, files: tuple[Path, Path]) -> None:
    """Runs of earlier versions have none: the reason says so."""
    done = cli("wall", written(tmp_path / "old.json", *gpu_session()), files[1])
    assert done.status == 2
    assert "has no window that can be compared" in done.err
    assert "without the time of their start (files of earlier versions" in done.err


def test_without_scipy_the_extra_is_named(
    cli: Cli, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with the command that installs it."""
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    done = cli("wall", *files)
    assert done.status == 2
    assert done.err.endswith("pip install 'pytest-energy[wall]'\n")


def test_a_clock_of_another_time_is_found_by_a_longer_search(
    cli: Cli, files: tuple[Path, Path], world: WallWorld
) -> None:
    """The meter's clock is 40 s ahead: no lag up to 10 s is given, and one up to a minute is."""
    run, meter = files
    rows = world.rows()
    lines = [f"{BEGAN + 40 + at_s},{w}" for at_s, w in zip(rows.stop_s, rows.power_w, strict=True)]
    meter.write_text("\n".join(lines))
    assert cli("wall", run, meter).status == 1
    found = json.loads(cli("wall", run, meter, "--most-lag", "1 min", "--json").out)
    assert found["lag_s"] == pytest.approx(40 + LAG_S, abs=0.1)
