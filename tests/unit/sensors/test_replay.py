"""Replay files: what they may hold, how a bad one is told, and that they come back as they were written."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.model import Phase, Provenance, Reading, Tick, Trace
from pytest_energy.sensors.replay import ReplayRound, load_replay, save_replay
from tests.strategies import numbers

TEST_ID = "tests/test_model.py::test_training[resnet18]"
PLAIN: dict[str, object] = {
    "energy_j": 10.0,
    "duration_s": 2.0,
    "channels": {"gpu:0": 8.0, "cpu:package-0": 2.0},
}
TICKED: dict[str, object] = {
    "ticks": {"gpu:0": [[0.0, 5.0], [0.1, 6.0], [0.2, 8.0]]},
    "start_s": 0.05,
    "stop_s": 0.15,
}


def written(path: Path, *rounds: object, **members: object) -> Path:
    """A file with *rounds* of one test; *members* replace the document's own."""
    document = {"format": 1, "tests": {TEST_ID: {"rounds": list(rounds)}}, **members}
    path.write_text(json.dumps(document))
    return path


def loaded(path: Path, one_round: object) -> ReplayRound:
    (read,) = load_replay(written(path / "replay.json", one_round))[TEST_ID]
    return read


def refusal(path: Path) -> str:
    with pytest.raises(SettingsError) as caught:
        load_replay(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def trace(**change: object) -> Trace:
    values: dict[str, object] = {
        "ticks": {"gpu:0": (Tick(0.0, 1.0), Tick(0.1, 2.0))},
        "start_s": 0.0,
        "stop_s": 0.1,
    }
    return Trace(**(values | change))  # type: ignore[arg-type]


def test_a_round_holds_joules_by_channel(tmp_path: Path) -> None:
    """A plain round gives its joules, seconds and channels; what it doesn't tell is `None`."""
    read = loaded(tmp_path, PLAIN)
    assert read.energy_j == 10.0
    assert read.duration_s == 2.0
    assert read.channels == {"gpu:0": 8.0, "cpu:package-0": 2.0}
    assert read.uncertainty_j is None
    assert read.trace is None
    assert read.phases == ()


def test_joules_may_be_left_to_the_channels(tmp_path: Path) -> None:
    """Without `energy_j` the round's joules are the channels' sum."""
    one_round = {key: value for key, value in PLAIN.items() if key != "energy_j"}
    assert loaded(tmp_path, one_round).energy_j == 10.0


def test_a_round_may_tell_its_uncertainty(tmp_path: Path) -> None:
    """`uncertainty_j` of a round is kept."""
    assert loaded(tmp_path, PLAIN | {"uncertainty_j": 0.25}).uncertainty_j == 0.25


def test_a_round_may_hold_ticks(tmp_path: Path) -> None:
    """Raw ticks come back as a trace to integrate; joules are then not told by the file."""
    read = loaded(tmp_path, TICKED)
    assert read.trace == Trace(
        ticks={"gpu:0": (Tick(0.0, 5.0), Tick(0.1, 6.0), Tick(0.2, 8.0))}, start_s=0.05, stop_s=0.15
    )
    assert read.energy_j is None
    assert read.channels == {}
    assert read.duration_s == pytest.approx(0.1)


def test_a_round_may_hold_phases(tmp_path: Path) -> None:
    """Phases come back as written; what they may leave out is empty."""
    short = {"name": "prefill", "energy_j": 3.0, "duration_s": 0.5}
    whole = {
        "name": "decode",
        "energy_j": None,
        "uncertainty_j": None,
        "duration_s": 1.5,
        "samples": 8,
        "quality": ["too short to tell"],
    }
    read = loaded(tmp_path, PLAIN | {"phases": [short, whole]})
    assert read.phases == (
        Phase(name="prefill", energy_j=3.0, uncertainty_j=None, duration_s=0.5),
        Phase(
            name="decode",
            energy_j=None,
            uncertainty_j=None,
            duration_s=1.5,
            samples=8,
            quality=("too short to tell",),
        ),
    )


def test_members_of_other_formats_are_no_harm(tmp_path: Path) -> None:
    """A round copied from a session's JSON, with its quality, is read."""
    assert loaded(tmp_path, PLAIN | {"quality": [], "phases": None, "uncertainty_j": None}).energy_j == 10.0


def test_a_test_may_have_no_rounds(tmp_path: Path) -> None:
    """A test that the file names with no rounds has none; one it doesn't name isn't there."""
    replay = load_replay(written(tmp_path / "replay.json"))
    assert replay[TEST_ID] == ()
    assert "other" not in replay


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"energy_j": 11.0}, "energy_j is 11.0, but the channels add up to 10.0 J"),
        ({"energy_j": "ten"}, "energy_j is 'ten', not a number"),
        ({"energy_j": -10.0, "channels": {"gpu:0": -10.0}}, "gpu:0 is -10.0 J"),
        ({"energy_j": float("nan")}, "energy_j is nan, not a finite number"),
        ({"channels": {}}, "channels is empty"),
        ({"channels": {"gpu0": 10.0}}, "'gpu0' is not a channel"),
        ({"channels": {"tpu:0": 10.0}}, "a domain of gpu, cpu, dram"),
        ({"channels": {"gpu:": 10.0}}, "'gpu:' is not a channel"),
        ({"channels": [10.0]}, "channels holds [10.0], not an object"),
        ({"duration_s": 0}, "duration_s is 0.0; a round takes more than 0 s"),
        ({"duration_s": -1.0}, "duration_s is -1.0"),
        ({"duration_s": None}, "duration_s is None, not a number"),
        ({"uncertainty_j": -0.1}, "uncertainty_j is -0.1; it can't be negative"),
        ({"ticks": {}}, "has both 'ticks' and 'energy_j'"),
        ({"phases": [{"name": "a", "energy_j": -1.0, "duration_s": 1.0}]}, "phase 'a': energy_j is -1.0"),
        ({"phases": [{"name": "a", "energy_j": 1.0, "duration_s": -1.0}]}, "phase 'a': duration_s is -1.0"),
        (
            {"phases": [{"name": "a", "energy_j": 1.0, "duration_s": 1.0, "samples": 0}]},
            "phase 'a': samples is 0",
        ),
        ({"phases": [{"energy_j": 1.0}]}, "phases[0] has no 'name'"),
        ({"phases": 3}, "phases is 3, not a list"),
    ],
)
def test_a_bad_round_is_told_with_its_place(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """The message names the file, the test, the round and the value."""
    text = refusal(written(tmp_path / "replay.json", PLAIN, PLAIN | change))
    assert reason in text
    assert f"tests: {TEST_ID}: rounds[1]" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ticks": {}}, "ticks is empty"),
        ({"ticks": {"gpu:0": [[0.0, 1.0]]}}, "gpu:0 has 1 tick(s)"),
        ({"ticks": {"gpu:0": [[0.0, 1.0], [0.0, 2.0]]}}, "gpu:0 runs from 0.0 s to 0.0 s"),
        ({"ticks": {"gpu:0": [[0.0, 2.0], [0.1, 1.0]]}}, "gpu:0 falls from 2.0 J to 1.0 J at 0.1 s"),
        ({"ticks": {"gpu:0": [[0.0, 1.0], [0.1]]}}, "gpu:0[1] is [0.1], not a pair of numbers"),
        ({"ticks": {"other": [[0.0, 1.0], [0.1, 2.0]]}}, "'other' is not a channel"),
        ({"ticks": 5}, "ticks holds 5, not an object"),
        ({"stop_s": 0.05}, "start_s is 0.05 and stop_s 0.05"),
        ({"start_s": None}, "start_s is None, not a number"),
        ({"channels": {"gpu:0": 1.0}}, "has both 'ticks' and 'channels'"),
    ],
)
def test_bad_ticks_are_told_with_their_place(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """The message names the file, the test, the round, the channel and the value."""
    text = refusal(written(tmp_path / "replay.json", TICKED | change))
    assert reason in text
    assert f"tests: {TEST_ID}: rounds[0]" in text


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"format": 2}, "format is 2; this version reads 1"),
        ({"format": "1"}, "format is '1', not a whole number"),
        ({"format": True}, "format is True, not a whole number"),
        ({"tests": []}, "tests holds [], not an object"),
        ({"tests": {TEST_ID: []}}, f"{TEST_ID} holds [], not an object"),
        ({"tests": {TEST_ID: {}}}, f"{TEST_ID} has no 'rounds'"),
        ({"tests": {TEST_ID: {"rounds": {}}}}, "rounds is {}, not a list"),
    ],
)
def test_a_bad_document_is_told_with_its_place(
    tmp_path: Path, members: dict[str, object], reason: str
) -> None:
    """A document of another shape or format is refused, with what it holds."""
    assert reason in refusal(written(tmp_path / "replay.json", **members))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is not JSON"),
        (b'{"format": 1, "tests"', "is not JSON"),
        (b"[]", "holds [], not an object"),
        (b"{}", "has no 'format'"),
        (b"\xff\xfe{}", "is not UTF-8 text"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_a_file_that_is_no_document_is_told(tmp_path: Path, content: bytes, reason: str) -> None:
    """A cut-off, empty, binary or hostile file is an error of settings, never a traceback."""
    path = tmp_path / "replay.json"
    path.write_bytes(content)
    assert reason in refusal(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """A file that isn't there is an error of settings with the system's reason."""
    assert "No such file" in refusal(tmp_path / "replay.json")


def test_a_file_is_written_with_its_folder(tmp_path: Path) -> None:
    """The folder is made."""
    path = tmp_path / "new" / "folder" / "replay.json"
    save_replay(path, {TEST_ID: [ReplayRound.from_channels({"gpu:0": 1.5}, 0.5)]})
    assert json.loads(path.read_text()) == {
        "format": 1,
        "tests": {TEST_ID: {"rounds": [{"energy_j": 1.5, "duration_s": 0.5, "channels": {"gpu:0": 1.5}}]}},
    }


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A second recording replaces the first, and nothing else is left in the folder."""
    path = tmp_path / "replay.json"
    save_replay(path, {"a": [ReplayRound.from_channels({"gpu:0": 1.0}, 1.0)]})
    save_replay(path, {"b": []})
    assert load_replay(path) == {"b": ()}
    assert list(tmp_path.iterdir()) == [path]


def test_one_round_is_one_line(tmp_path: Path) -> None:
    """Recordings can be told apart line by line."""
    path = tmp_path / "replay.json"
    rounds = [ReplayRound.from_channels({"gpu:0": float(joules)}, 1.0) for joules in (1, 2, 3)]
    save_replay(path, {"a": rounds})
    assert sum('"energy_j"' in line for line in path.read_text().splitlines()) == 3


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old recording is as it was, and no half of the new one stays."""
    path = tmp_path / "replay.json"
    save_replay(path, {"old": []})

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(SettingsError, match=r"replay\.json can't be written: No space left"):
        save_replay(path, {"new": []})
    assert load_replay(path) == {"old": ()}
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    """A path that can't be made is an error of settings."""
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="can't be written"):
        save_replay(tmp_path / "file" / "replay.json", {})


JOULES = numbers(0, 1e9)
CHANNELS = st.dictionaries(
    st.sampled_from(["gpu:0", "gpu:1", "cpu:package-0", "dram:package-0"]), JOULES, min_size=1
)
PHASES = st.lists(
    st.builds(
        Phase,
        name=st.text(max_size=5),
        energy_j=st.none() | JOULES,
        uncertainty_j=st.none() | JOULES,
        duration_s=numbers(0, 1e6),
        samples=st.none() | st.integers(1, 100),
        quality=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    ),
    max_size=2,
).map(tuple)
TICKS = st.builds(
    lambda steps, spread_s: tuple(
        Tick(sum(dt for dt, _ in steps[: n + 1]) / 1e3, sum(dj for _, dj in steps[: n + 1]) / 1e3, spread_s)
        for n in range(len(steps))
    ),
    st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 10_000)), min_size=2, max_size=8),
    st.none() | numbers(0, 1),
)
PLAIN_ROUNDS = st.builds(
    ReplayRound.from_channels,
    CHANNELS,
    numbers(1e-6, 1e6),
    uncertainty_j=st.none() | JOULES,
    phases=PHASES,
)
TICKED_ROUNDS = st.builds(
    ReplayRound.from_trace,
    st.builds(
        Trace,
        ticks=st.dictionaries(st.sampled_from(["gpu:0", "gpu:1"]), TICKS, min_size=1),
        start_s=numbers(-10, 0),
        stop_s=numbers(1e-3, 10),
    ),
    phases=PHASES,
)


@given(
    tests=st.dictionaries(st.text(max_size=20), st.lists(PLAIN_ROUNDS | TICKED_ROUNDS, max_size=3).map(tuple))
)
def test_what_is_written_comes_back(
    tests: dict[str, tuple[ReplayRound, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Reading what was written gives the same rounds, to the last bit."""
    path = tmp_path_factory.getbasetemp() / "replay.json"
    save_replay(path, tests)
    assert load_replay(path) == tests


def reading(**change: object) -> Reading:
    values: dict[str, object] = {
        "channels": {"gpu:0": 1.0},
        "duration_s": 0.1,
        "uncertainty_j": 0.02,
        "provenance": Provenance.MEASURED,
    }
    return Reading(**(values | change))  # type: ignore[arg-type]


def test_a_reading_is_recorded_with_its_ticks() -> None:
    """A reading that has ticks for all its channels is written down as those ticks."""
    assert ReplayRound.from_reading(reading(trace=trace())) == ReplayRound.from_trace(trace())


def test_a_reading_without_all_ticks_is_recorded_as_joules() -> None:
    """Where a channel has no ticks the joules are written, with their uncertainty: none may be lost."""
    channels = {"gpu:0": 1.0, "cpu:package-0": 2.0}
    expected = ReplayRound.from_channels(channels, 0.1, uncertainty_j=0.02)
    assert ReplayRound.from_reading(reading(channels=channels, trace=trace())) == expected
    assert ReplayRound.from_reading(reading(channels=channels)) == expected


def test_a_void_reading_is_not_recorded() -> None:
    """A void reading has no joules to replay."""
    with pytest.raises(NotMeasurable, match="the counter was reset"):
        ReplayRound.from_reading(reading(void_because="the counter was reset", channels={}))


@pytest.mark.parametrize("tick", [Tick(float("nan"), 2.0), Tick(0.1, float("inf"))])
def test_ticks_are_finite(tick: Tick) -> None:
    """NaN and infinity are no ticks, also where no JSON keeps them out."""
    with pytest.raises(NotMeasurable, match="not finite"):
        ReplayRound.from_trace(trace(ticks={"gpu:0": (Tick(0.0, 1.0), tick)}))


def test_each_ticks_time_has_an_uncertainty_or_none_has() -> None:
    """What the file can't hold is refused before it is written."""
    with pytest.raises(NotMeasurable, match="gpu:0 has 1 for 2 ticks"):
        ReplayRound.from_trace(trace(ticks={"gpu:0": (Tick(0.0, 1.0, 0.01), Tick(0.1, 2.0))}))


@pytest.mark.parametrize("edges", [{"start_s": float("nan")}, {"stop_s": float("inf")}])
def test_edges_are_finite(edges: dict[str, object]) -> None:
    """A window has finite edges."""
    with pytest.raises(NotMeasurable, match="a round takes more than 0 s"):
        ReplayRound.from_trace(trace(**edges))


def test_a_round_without_joules_or_ticks_is_refused() -> None:
    """A round whose joules are told nowhere isn't one."""
    with pytest.raises(NotMeasurable, match="energy_j is None"):
        ReplayRound(duration_s=1.0, channels={"gpu:0": 1.0})
