"""Readings whose joules come from a file."""

from pathlib import Path

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.meter.replay import ReplayMeter
from pytest_energy.model import Domain, Phase, Provenance, Tick, Trace
from pytest_energy.sensors.replay import ReplayRound, load_replay, save_replay
from tests.fakes.meter import Bench, VirtualClock

TEST = "tests/test_x.py::test_x"


def meter_over(*rounds: ReplayRound) -> ReplayMeter:
    return ReplayMeter({TEST: rounds}, clock=VirtualClock())


def joules(energy_j: float, **channels: float) -> ReplayRound:
    return ReplayRound.from_channels(
        {"gpu:0": energy_j, **{name.replace("_", ":"): j for name, j in channels.items()}},
        2.0,
        uncertainty_j=0.1,
    )


def test_rounds_are_read_in_order() -> None:
    """Each window takes the file's next round, with its joules and seconds."""
    meter = meter_over(joules(10.0), joules(12.0))
    meter.start()
    assert meter.rounds_left(TEST) == 2
    readings = [meter.open(TEST).close() for _ in range(2)]
    assert [reading.energy_j for reading in readings] == [10.0, 12.0]
    assert {reading.duration_s for reading in readings} == {2.0}
    assert {reading.provenance for reading in readings} == {Provenance.REPLAYED}
    assert meter.rounds_left(TEST) == 0
    meter.close()


def test_a_round_too_many_is_void() -> None:
    """A window past the file's end has a reason, not joules."""
    meter = meter_over(joules(10.0))
    meter.open(TEST).close()
    reading = meter.open(TEST).close()
    assert reading.energy_j is None
    assert reading.void_because == f"the replay file has 1 round(s) for {TEST}, all of them used"


def test_a_test_that_the_file_does_not_name_is_unmeasured() -> None:
    """The reason names the test."""
    meter = meter_over(joules(10.0))
    assert meter.why_unmeasured(TEST) is None
    assert meter.why_unmeasured("other") == "the replay file has no rounds for other"
    assert meter.rounds_left("other") == 0


def test_a_round_of_ticks_is_integrated_as_live_ones_are(tmp_path: Path) -> None:
    """A live reading, written down and replayed, has the live joules and uncertainty."""
    bench = Bench()
    bench.meter.start()
    bench.measure((0.05, 500.0))
    live = bench.measure((0.05, 700.0))
    save_replay(tmp_path / "replay.json", {TEST: [ReplayRound.from_reading(live)]})
    replay = load_replay(tmp_path / "replay.json")
    replayed = ReplayMeter(replay, clock=bench.clock).open(TEST).close()
    assert replayed.channels == live.channels
    assert replayed.duration_s == live.duration_s
    assert replayed.uncertainty_j == pytest.approx(live.uncertainty_j, rel=0.2)


def test_ticks_that_do_not_reach_around_the_window_are_void() -> None:
    """The reason of the integration names the channel."""
    trace = Trace(ticks={"gpu:0": (Tick(0.0, 1.0), Tick(1.0, 2.0))}, start_s=0.5, stop_s=1.5)
    reading = meter_over(ReplayRound.from_trace(trace)).open(TEST).close()
    assert reading.void_because == "gpu:0: the counter has no tick after the window's stop"


def test_domains_choose_channels_of_the_file() -> None:
    """Only the channels of the domain are read; none is void."""
    meter = meter_over(joules(10.0, dram_node=3.0), joules(10.0))
    assert meter.open(TEST, domains=frozenset({Domain.DRAM})).close().channels == {"dram:node": 3.0}
    reading = meter.open(TEST, domains=frozenset({Domain.CPU})).close()
    assert reading.void_because == (
        "no channel of the domains cpu in the replay file's round; it holds gpu:0"
    )


def test_phases_come_from_the_file() -> None:
    """A phase that the file holds has its joules, one that it doesn't has none."""
    known = Phase(name="prefill", energy_j=4.0, uncertainty_j=0.1, duration_s=0.5)
    round_ = ReplayRound.from_channels({"gpu:0": 10.0}, 2.0, phases=(known,))
    window = meter_over(round_).open(TEST)
    window.phase("prefill").close()
    window.phase("decode", samples=3).close()
    prefill, decode = window.close().phases
    assert prefill == known
    assert (decode.name, decode.energy_j, decode.samples) == ("decode", None, 3)
    assert decode.quality == ("the replay file doesn't have this phase",)


def test_the_file_is_one_sensor() -> None:
    """The replay's channels are all that its rounds hold; it locks nothing and knows no idle power."""
    meter = meter_over(joules(10.0), joules(9.0, dram_node=1.0))
    (status,) = meter.statuses()
    assert (status.name, status.channels) == ("replay", ("dram:node", "gpu:0"))
    assert meter.devices(None) == ()
    assert meter.idle_power_w() is None


@pytest.mark.parametrize("spreads", ["[0.1]", "[0.1, -0.1]", '[0.1, "x"]'])
def test_spreads_must_be_uncertainties_of_the_ticks(tmp_path: Path, spreads: str) -> None:
    """A file whose uncertainties don't fit its ticks is refused, with the place."""
    path = tmp_path / "replay.json"
    path.write_text(
        '{"format": 1, "tests": {"t": {"rounds": [{"ticks": {"gpu:0": [[0, 0], [1, 1]]}, '
        f'"start_s": 0.2, "stop_s": 0.8, "spreads_s": {{"gpu:0": {spreads}}}}}]}}}}}}',
        encoding="utf-8",
    )
    with pytest.raises(SettingsError, match="spreads_s"):
        load_replay(path)
