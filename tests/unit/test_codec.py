"""JSON read as types: what is refused is named with its place, and nothing else ever comes out."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pytest_energy import codec
from pytest_energy.baselines.schema import from_json_text, to_json_text
from pytest_energy.codec import (
    NULLABLE,
    ByName,
    Document,
    Number,
    Text,
    Whole,
    decode,
    encode,
    parse,
)
from pytest_energy.errors import BaselineError, FormatError, SettingsError
from pytest_energy.report import to_json, view
from pytest_energy.sensors.replay import load_replay, save_replay
from tests.fakes.sessions import gpu_session
from tests.mutants import mutated

DATA = Path(__file__).parents[1]
CREATED = "2026-11-20T10:00:00Z"
RUN = to_json.render(view.of(gpu_session()[:2]), created=CREATED)
BASELINE = (DATA / "data" / "baselines" / "format-1.json").read_text(encoding="utf-8")
TICKS = {"gpu:0": [[0.0, 0.0], [0.5, 4.0], [1.0, 9.0], [2.0, 20.0]]}
REPLAY = json.dumps(
    {
        "format": 1,
        "tests": {
            "t.py::a": {
                "rounds": [
                    {
                        "energy_j": 9.0,
                        "duration_s": 1.0,
                        "channels": {"gpu:0": 9.0},
                        "phases": [{"name": "p", "energy_j": 1.0, "duration_s": 0.5, "quality": ["short"]}],
                    },
                    {"ticks": TICKS, "start_s": 0.25, "stop_s": 1.5, "spreads_s": {"gpu:0": [0.01] * 4}},
                ]
            }
        },
    }
)


class Inner(Document, frozen=True, kw_only=True):
    by_name: ByName[tuple[Number, ...]]


class Outer(Document, frozen=True, kw_only=True):
    inner: tuple[Inner, ...] = ()
    nothing: Number | None = NULLABLE
    is_on: bool = False
    count: Whole = 0
    name: Text = ""


TOO_LARGE = "too large for a number; it must be at most 1e+30"

# As deep as a parser follows; whoever walks through it by recursion goes deeper.
DEEP: list[object] = json.loads("[" * 900 + "]" * 900)


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ([], "f holds [], not an object"),
        ({"inner": 3}, "f: inner is 3, not a list"),
        ({"inner": [{}]}, "f: inner[0] has no 'by_name'"),
        (
            {"inner": [{"by_name": {"a": [1], "b": [1, "2"]}}]},
            "f: inner[0]: by_name: b[1] is '2', not a number",
        ),
        ({"inner": [{"by_name": {"a": [True]}}]}, "f: inner[0]: by_name: a[0] is True, not a number"),
        ({"nothing": float("nan")}, "f: nothing is nan, not a finite number"),
        (
            {"nothing": -(10**400)},
            f"f: nothing is {'-1' + '0' * 55}..., too large for a number; it must be at most 1e+30",
        ),
        ({"nothing": 1e308}, "f: nothing is 1e+308, too large for a number; it must be at most 1e+30"),
        ({"nothing": -1.1e30}, "f: nothing is -1.1e+30, too large for a number; it must be at most 1e+30"),
        ({"count": 10**400}, f"f: count is {'1' + '0' * 56}...; it must be at most {2**53:,}"),
        ({"count": -(2**53) - 1}, f"f: count is {-(2**53) - 1}; it must be at most {2**53:,}"),
        ({"count": 1.5}, "f: count is 1.5, not a whole number"),
        (
            {"name": "x" * 1_000_001},
            "f: name is a text of 1,000,001 characters; at most 1,000,000 are read",
        ),
        (
            {"inner": [{"by_name": {str(number): [] for number in range(1001)}}]},
            "f: inner[0]: by_name has 1,001 keys; at most 1,000 are read",
        ),
        ({"is_on": DEEP}, "f: is_on is [[[[[[[...]]]]]]], not true or false"),
        ({"nothing": {"a": DEEP}}, "f: nothing is {'a': [[[[[[...]]]]]]}, not a number"),
        ({"is_on": 1}, "f: is_on is 1, not true or false"),
        ({"\ud800": 1, "is_on": "\ud800"}, "f: is_on is '\\ud800', not true or false"),
    ],
)
def test_a_fault_is_named_with_its_place(value: object, fault: str) -> None:
    """The document, every step to the value, the key of a mapping too, the value, and what it should be."""
    with pytest.raises(FormatError) as error:
        decode(value, Outer, "f")
    assert str(error.value) == fault


@pytest.mark.parametrize("number", [1e30, -1e30, 1e-30, -1e-30, -0.0, 10**18])
def test_a_number_up_to_the_limit_is_read(number: float) -> None:
    """The limits themselves are numbers."""
    document = parse(json.dumps({"nothing": number, "count": 2**53}), "f")
    assert decode(document, Outer, "f") == Outer(nothing=number, count=2**53)


@pytest.mark.parametrize("text", ["5e-324", "-1e-320", "9.99e-31", "-9.99e-31", "1e-400", "-0.0", "0e999999"])
def test_what_is_nearer_to_0_than_any_quantity_is_0(text: str) -> None:
    """What is divided by a number of a document stays a number."""
    assert repr(parse(f"[{text}]", "f")) == "[0.0]"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('{"a": 1, "a": 2}', "f has the key 'a' twice"),
        ('{"a": 1, "a": 1}', "f has the key 'a' twice"),
        ('[0, {"b": [{"c": {}, "d": 1, "c": {}}]}]', "f[1]: b[0] has the key 'c' twice"),
        ('{"x": {"y": 1, "y": 2}, "x": {}}', "f has the key 'x' twice"),
        ('{"x": 0, "x": {"y": 1, "y": 2}}', "f has the key 'x' twice"),
        ('{"\\u0061": 1, "a": 2}', "f has the key 'a' twice"),
    ],
)
def test_a_key_that_is_there_twice_is_refused_with_its_place(text: str, place: str) -> None:
    """The last one would win in silence, also where another key that is there twice hides it."""
    with pytest.raises(FormatError) as error:
        parse(text, "f")
    assert str(error.value) == f"{place}, as a merge may leave it: delete one"


@pytest.mark.parametrize(("item", "count"), [("[]", 2), ("{}", 2), ('{"k":0}', 3), ("0", 1), ('""', 1)])
def test_a_document_that_holds_too_much_is_not_read(
    item: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is small in a file is large in memory, whatever it is; nothing of it is parsed."""
    monkeypatch.setattr(codec, "MOST_VALUES", 1200)
    enough = 1200 // count
    assert parse(f"[{','.join([item] * enough)}]", "f") == [json.loads(item)] * enough
    with pytest.raises(FormatError, match=r"^f holds 1,20[1-4] values; at most 1,200 are read"):
        parse(f"[{','.join([item] * (enough + 1))}] nonsense", "f")


def test_a_key_that_nobody_knows_is_left_alone() -> None:
    """A new key is no new format, not even one that has no form in UTF-8; a mapping keeps its own."""
    inner = {"by_name": {"\ud800": [1.0]}, "\ud800": 1}
    known = decode({"more": float("nan"), "\ud800": [], "inner": [inner], "nothing": None}, Outer, "f")
    assert known == Outer(inner=(Inner(by_name={"\ud800": (1.0,)}),))


def test_what_is_the_default_is_left_out_and_what_is_nullable_is_not() -> None:
    """A key without a value is written as null only where it always is; numbers become plain ones."""
    assert encode(Outer()) == {"nothing": None}
    assert encode(Outer(nothing=np.float32(0.5), is_on=True)) == {"nothing": 0.5, "is_on": True}  # type: ignore[arg-type]


def _again_run(text: str, _: Path) -> None:
    loaded = to_json.read(text, "f.json")
    assert to_json.read(to_json.render(loaded, created=CREATED), "f.json") == loaded


def _again_baseline(text: str, _: Path) -> None:
    loaded = from_json_text(text, "f.json")
    assert from_json_text(to_json_text(loaded), "f.json") == loaded


def _again_replay(text: str, folder: Path) -> None:
    path = folder / "f.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    loaded = load_replay(path)
    save_replay(path, loaded)
    assert load_replay(path) == loaded


@pytest.mark.parametrize(
    ("text", "again"), [(RUN, _again_run), (BASELINE, _again_baseline), (REPLAY, _again_replay)]
)
def test_a_mutant_is_read_as_what_it_says_or_refused_in_words(
    text: str, again: Callable[[str, Path], None], tmp_path: Path
) -> None:
    """No mutant of a document brings another error than ours; what is accepted reads the same again."""
    rng, refusals, accepted = random.Random(20261126), [], 0  # noqa: S311  # the same mutants every time
    for _ in range(400):
        try:
            again(mutated(text, rng), tmp_path)
            accepted += 1
        except (FormatError, BaselineError, SettingsError) as error:
            refusals.append(str(error))
    assert min(accepted, len(refusals)) >= 20
    assert all("f.json" in refusal for refusal in refusals)
