import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_energy.baselines.levels import extended, kept
from pytest_energy.baselines.machine import check_comparable, fingerprint
from pytest_energy.baselines.schema import (
    PINNED_COUNT,
    Baseline,
    from_json_text,
    to_json_text,
)
from pytest_energy.baselines.store import Store
from pytest_energy.codec import MOST_NUMBER, MOST_WHOLE
from pytest_energy.errors import BaselineError
from pytest_energy.model import JoinedAs, Machine, Phase, Provenance, Reading, Record, SensorStatus
from pytest_energy.sensors.protocol import Facts
from pytest_energy.usage import Usage
from tests.builders import KEY, OF_ROUNDS, TEST_ID, record, sessions
from tests.strategies import numbers

# Node ids as people and generators write them, and as nobody should.
ANY_TEXT = st.text(st.characters(codec=None, categories=None, exclude_categories=()), max_size=40)
TEST_IDS = ANY_TEXT | st.lists(
    st.sampled_from(
        ["a", "A", "-", "_", ".", "..", "/", "::", "[", "]", "~", "test_x", ".json", "é", "\\", " "]
    ),
    max_size=12,
).map("".join)

NUMBERS = numbers(-MOST_NUMBER, MOST_NUMBER)
POSITIVE = numbers(0, MOST_NUMBER)
SHARES = st.none() | POSITIVE
TEXTS = st.text(max_size=8)
CHANNELS = st.dictionaries(st.just("gpu:0"), numbers(0, 1e9), min_size=1)

PHASES = st.builds(
    Phase,
    name=TEXTS,
    energy_j=st.none() | POSITIVE,
    uncertainty_j=st.none() | POSITIVE,
    duration_s=POSITIVE,
    samples=st.none() | st.integers(1, MOST_WHOLE),
    quality=st.lists(TEXTS, max_size=2).map(tuple),
)
USAGES = st.builds(
    Usage,
    cpu_utilisation_share=SHARES,
    gpu_utilisation_share=SHARES,
    ram_used_bytes=SHARES,
    gpu_memory_used_bytes=SHARES,
)
READINGS = st.builds(
    Reading,
    channels=CHANNELS,
    duration_s=POSITIVE,
    uncertainty_j=POSITIVE,
    provenance=st.just(Provenance.MEASURED),
    quality=st.lists(TEXTS, max_size=2).map(tuple),
    usage=st.none() | USAGES,
    phases=st.lists(PHASES, max_size=2).map(tuple),
)
SENSORS = st.builds(
    SensorStatus,
    name=TEXTS,
    channels=st.lists(TEXTS, max_size=2).map(tuple),
    provenance=st.sampled_from(OF_ROUNDS),
    tick_s=st.none() | POSITIVE,
    absent_because=st.none() | TEXTS,
)
RECORDS = st.builds(
    Record,
    test_id=st.just(TEST_ID),
    created=TEXTS,
    provenance=st.just(Provenance.MEASURED),
    machine=st.builds(
        Machine, key=st.just(KEY), fixed=st.just({}), varying=st.dictionaries(TEXTS, TEXTS, max_size=3)
    ),
    rounds=st.lists(READINGS, min_size=1, max_size=3).map(tuple),
    samples=st.just(512),
    warmup_count=st.integers(0, 9),
    group=st.none() | TEXTS,
    model=st.none() | TEXTS,
    metrics=st.dictionaries(TEXTS, st.none() | NUMBERS, max_size=3),
    absent=st.dictionaries(TEXTS, TEXTS, max_size=2),
    idle_power_w=st.none() | st.dictionaries(TEXTS, NUMBERS, max_size=2),
    sensors=st.lists(SENSORS, max_size=2).map(tuple),
    joined_as=st.none() | st.sampled_from(JoinedAs),
)


def _each_once(records: list[Record]) -> list[Record]:
    """A file with a session twice is refused."""
    plain = [replace(record, joined_as=None) for record in records]
    return [record for number, record in enumerate(records) if plain[number] not in plain[:number]]


@given(st.lists(RECORDS, min_size=1, max_size=3).map(_each_once))
def test_round_trip_is_the_identity(records: list[Record]) -> None:
    """Every baseline loads from its text as what it was, to the last bit, and renders the same again."""
    baseline = Baseline(test_id=TEST_ID, machine_key=KEY, entries=tuple(records))
    text = to_json_text(baseline)
    assert from_json_text(text, "x") == baseline
    assert to_json_text(from_json_text(text, "x")) == text


@given(st.data())
def test_no_damage_goes_through(data: st.DataObject) -> None:
    """A damaged text is a baseline still or a BaselineError, and never another exception."""
    text = to_json_text(Baseline(test_id=TEST_ID, machine_key=KEY, entries=sessions(2)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 200)))
    inserted = data.draw(
        st.text(max_size=5) | st.sampled_from(["null", "-1", "[]", "{}", "NaN", '"x"', "1e400"])
    )
    try:
        loaded = from_json_text(text[:start] + inserted + text[end:], "x")
    except BaselineError:
        return
    assert from_json_text(to_json_text(loaded), "x") == loaded


@given(st.integers(0, 30), st.integers(1, 15))
def test_kept(count: int, keep: int) -> None:
    """At most *keep* stay, in their order, with the first ones and the newest among them."""
    given_sessions = sessions(count)
    stay = kept(given_sessions, keep)
    assert len(stay) == min(count, keep)
    assert [one for one in given_sessions if one in stay] == list(stay)
    assert stay[-1:] == given_sessions[-1:]
    assert stay[: min(PINNED_COUNT, keep - 1)] == given_sessions[: min(PINNED_COUNT, keep - 1)]


@given(st.lists(st.integers(0, 9)), st.lists(st.integers(0, 9)))
def test_extended(old: list[int], added: list[int]) -> None:
    """Sessions are added once each, in their order, behind those that are there."""
    all_sessions = sessions(10)
    before = extended((), [all_sessions[n] for n in old])
    after = extended(before, [all_sessions[n] for n in added])
    assert after[: len(before)] == before
    assert [one.created for one in after] == list(
        dict.fromkeys(all_sessions[n].created for n in [*old, *added])
    )


@given(TEST_IDS, TEST_IDS)
@example("a.py", "a.py::")
@example("a/b.py::c", "a/b.py/c")
@example("a::b.json", "a/b.json::c")
def test_every_id_has_a_place_of_its_own(one: str, other: str) -> None:
    """Two ids share neither a file nor a file with a folder, on a file system that ignores case neither."""
    store = Store(Path("b"))
    paths = [Path(str(store.path(KEY, test_id)).casefold()) for test_id in (one, other)]
    if one != other:
        assert paths[0] != paths[1]
        assert paths[0] not in paths[1].parents
        assert paths[1] not in paths[0].parents


@given(
    ANY_TEXT | st.text(min_size=200, max_size=400), TEST_IDS | st.lists(ANY_TEXT, max_size=300).map("/".join)
)
def test_every_place_is_in_the_folder(key: str, test_id: str) -> None:
    """Whatever the key and the id, the path stays in the folder and in the file system's limits."""
    path = Store(Path("/b")).path(key, test_id)
    assert os.path.normpath(path) == str(path)
    assert path.is_relative_to("/b")
    assert str(path).isascii()
    assert max(len(part) for part in path.parts) <= 150
    assert len(str(path)) <= 1400
    assert not any(part.startswith((".", "-")) for part in path.parts)


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("empty")


@given(st.lists(ANY_TEXT, max_size=4), ANY_TEXT, st.sets(TEXTS, max_size=3))
def test_a_key_is_its_folder_s_name(empty_folder: Path, gpus: list[str], cpu: str, sensors: set[str]) -> None:
    """A machine's key is never changed to name its folder, whatever the hardware calls itself."""
    cpuinfo = empty_folder / "cpuinfo"
    cpuinfo.write_text(f"model name: {cpu}", encoding="utf-8", errors="replace")
    with _no_versions():
        machine = fingerprint(
            [Facts(key_parts=tuple(gpus))],
            sorted(sensors),
            Provenance.MEASURED,
            folder=empty_folder,
            cpuinfo=cpuinfo,
        )
    assert Store(Path("b")).path(machine.key, "t.py::x").parts[1] == machine.key


@contextmanager
def _no_versions() -> Iterator[None]:
    """Without the search for versions and commit, which takes 20 ms and doesn't matter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pytest_energy.baselines.machine.installed_versions", dict)
        patch.setattr("pytest_energy.baselines.machine.commit", lambda _: {})
        yield


@given(RECORDS)
def test_a_record_can_be_compared_with_itself(one: Record) -> None:
    """No record differs from itself."""
    check_comparable(one, one)


@given(TEST_IDS)
def test_stored_and_found(test_id: str) -> None:
    """What is written under any id is found under that id."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", folder)
        store = Store(Path(folder, "baselines"))
        stored = store.write(KEY, test_id, [record(test_id=test_id)], "add")
        assert store.load(KEY, test_id) == stored
