import json
import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_energy import conversion
from pytest_energy.errors import FormatError
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.report import to_json, view
from pytest_energy.yardstick import Yardstick
from tests.builders import CREATED, H100, LAPTOP, NVML, OF_ROUNDS, comparison, judgement, record
from tests.fakes.sessions import estimated_session, gpu_session, replayed_session
from tests.strategies import numbers


def _rendered(*judgements: Judgement) -> str:
    return to_json.render(view.of(judgements), created=CREATED)


def _document(*judgements: Judgement) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_rendered(*judgements))
    return document


def _test(found: Judgement) -> dict[str, Any]:
    entry: dict[str, Any]
    (entry,) = _document(found)["tests"]
    return entry


def test_top_of_the_document() -> None:
    """Format, time, machine and sensors stand at the top."""
    document = _document(judgement())
    assert list(document) == ["format", "created", "machine", "sensors", "notes", "tests", "correlations"]
    assert document["format"] == 1
    assert document["created"] == CREATED
    assert document["machine"]["key"] == "h100-80gb-hbm3_xeon-8480_nvml"
    assert document["sensors"][0] == conversion.to_json(NVML)


def test_judgements_can_be_read_without_a_view() -> None:
    """What a history needs of a document is what its view would have, and nothing else is made."""
    text = _rendered(*gpu_session())
    assert to_json.read_judgements(text, "run.json") == to_json.read(text, "run.json").judgements
    with pytest.raises(FormatError, match=r"run\.json: format is 2"):
        to_json.read_judgements('{"format": 2}', "run.json")


def test_keys_of_a_test() -> None:
    """A test's entry has every key that the format promises."""
    promised = {
        *("id", "verdict", "reason", "provenance", "group", "model", "energy_j", "energy_ci_j"),
        *("uncertainty_j", "net_energy_j", "power_w", "duration_s", "energy_per_sample_j", "channels"),
        *("rounds", "metrics", "baseline", "absent"),
    }
    entry = _test(judgement(compared=comparison(1.3)))
    assert promised <= entry.keys()
    assert {"sessions", "energy_j", "ratio", "ratio_ci", "detectable_ratio"} <= entry["baseline"].keys()


def test_keys_of_a_correlation() -> None:
    """A correlation has every key that the format promises, the paper's values beside ours."""
    models = [
        judgement(energy_j=i + 1.0, group="requests", model=f"m{i}", metrics={"flops": i * 2.0})
        for i in range(5)
    ]
    (entry,) = _document(*models)["correlations"]
    assert entry == {
        "group": "requests",
        "metric": "flops",
        "against": "energy_per_sample_j",
        "rho": 1.0,
        "n": 5,
        "p_exact": pytest.approx(2 / 120),
        "p_monte_carlo": None,
        "ci": [1.0, 1.0],
        "paper": {"HC-4": 0.32},
        "provenance": "measured",
        "machine_key": "h100-80gb-hbm3_xeon-8480_nvml",
        "note": "",
    }


@pytest.mark.parametrize(
    "found",
    [
        judgement(energy_j=None, verdict=Verdict.UNMEASURED),
        judgement(verdict=Verdict.VOID),
        judgement(samples=None, idle_power_w=None, metrics={"loss": math.nan}),
    ],
)
def test_null_has_its_reason(found: Judgement) -> None:
    """Whatever was not measured is null, with its reason under the same name."""
    entry = _test(found)
    measured = {
        *("energy_j", "energy_ci_j", "uncertainty_j", "net_energy_j", "power_w", "duration_s"),
        *("energy_per_sample_j", "channels"),
    }
    metrics = entry["metrics"]
    missing = {name for name in measured if entry[name] is None} | {
        name for name, value in metrics.items() if value is None
    }
    assert missing
    assert missing <= entry["absent"].keys()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_nan_is_never_written(value: float) -> None:
    """What is no JSON number is null."""
    text = _rendered(judgement(metrics={"loss": value}, compared=comparison(1.0, (0.9, value))))
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text)["tests"][0]["metrics"] == {"loss": None}


def test_machine_and_sensors_stand_in_an_entry_only_where_they_differ() -> None:
    """What is equal to the top is not repeated; what differs is kept."""
    first, second = _document(judgement(), judgement(machine=LAPTOP, sensors=[NVML]))["tests"]
    assert "machine" not in first
    assert "sensors" not in first
    assert second["machine"]["key"] == LAPTOP.key
    assert len(second["sensors"]) == 1


def test_tests_keep_their_order() -> None:
    """The document has the order of the files, not that of the verdicts."""
    entries = _document(judgement(test_id="t.py::b"), judgement(test_id="t.py::a", verdict=Verdict.VOID))[
        "tests"
    ]
    assert [entry["id"] for entry in entries] == ["t.py::b", "t.py::a"]


@pytest.mark.parametrize("session", [gpu_session(), estimated_session(), replayed_session(), ()])
def test_a_session_read_back_is_the_same(session: tuple[Judgement, ...]) -> None:
    """Rule 1: read(render(view)) == view."""
    found = view.of(session, run_notes=["gpu:0: it drifted"])
    assert to_json.read(to_json.render(found, created=CREATED), "x.json") == found


def test_notes_of_the_run_stand_beside_those_of_the_tests() -> None:
    """What no judgement holds has a field of its own, each sentence once."""
    found = view.of([judgement()], run_notes=["it drifted", "it drifted"])
    document = json.loads(to_json.render(found, created=CREATED))
    assert (document["run_notes"], document["notes"]) == (["it drifted"], [])


def test_without_notes_of_the_run_there_is_no_such_field() -> None:
    """A document of a run without them is as it always was."""
    assert "run_notes" not in _document(judgement())


@settings(deadline=None)  # no clock: a busy machine is slow
@given(
    test_id=st.text(),
    energy_j=numbers(0, 1e9),
    verdict=st.sampled_from(Verdict),
    provenance=st.sampled_from(OF_ROUNDS),
    reason=st.text(),
    metrics=st.dictionaries(st.text(max_size=5), st.none() | numbers(), max_size=3),
    group=st.none() | st.text(),
    ratio=st.none() | st.floats(0.1, 10),
)
def test_any_judgement_read_back_is_the_same(
    ratio: float | None, metrics: dict[str, float | None], **given_values: object
) -> None:
    """The round trip is the identity for every text and number."""
    compared = None if ratio is None else comparison(ratio)
    found = view.of([judgement(metrics=metrics, compared=compared, **given_values)])  # type: ignore[arg-type]
    assert to_json.read(to_json.render(found, created=CREATED), "x.json").judgements == found.judgements


def test_a_second_rendering_is_the_same_text() -> None:
    """What is read and written again is the same, correlations included."""
    text = _rendered(*gpu_session())
    assert _rendered(*to_json.read(text, "x.json").judgements) == text


def _changed(**members: object) -> str:
    return json.dumps({**_document(judgement()), **members})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "x.json is not JSON"),
        ("[]", "x.json holds []"),
        ("{}", "no 'format'"),
        (_changed(format=2), "format is 2; this version of pytest-energy reads format 1"),
        (_changed(tests=3), "tests is 3"),
        (_changed(tests=[3]), "x.json: tests[0] holds 3"),
        (_changed(tests=[{}]), "x.json: tests[0] has no 'id'"),
        (_changed(sensors=None), "sensors is None"),
        (_changed(run_notes="drift"), "run_notes is 'drift'"),
        (_changed(machine=None), "x.json: tests[0] has no 'machine'"),
        (_changed(machine=[]), "x.json: machine holds []"),
    ],
)
def test_a_document_that_is_none_says_where(text: str, said: str) -> None:
    """A broken document is named with the place and the value."""
    with pytest.raises(FormatError) as error:
        to_json.read(text, "x.json")
    assert said in str(error.value)


def test_a_record_that_can_not_be_says_why() -> None:
    """Numbers that no record may hold are refused like any other wrong value."""
    document = _document(judgement())
    document["tests"][0]["samples"] = 0
    with pytest.raises(FormatError, match=r"tests\[0\] can't be a record: .*samples is 0"):
        to_json.read(json.dumps(document), "x.json")


class TestYardstick:
    """The records of the fixed loads, beside the tests."""

    LOAD = record(test_id="yardstick::gpu-compute", fixed=H100.fixed)

    def document(self, yardstick: Yardstick) -> dict[str, Any]:
        text = to_json.render(view.of([judgement()], yardstick=yardstick), created=CREATED)
        document: dict[str, Any] = json.loads(text)
        return document

    def test_what_is_read_back_is_the_same(self) -> None:
        """Also what was made on another machine than the tests, and a load that nothing measured."""
        elsewhere = replace(self.LOAD, machine=LAPTOP)
        absent = record(test_id="yardstick::gpu-rest", rounds=(), unmeasured_because="torch is not imported")
        written = view.of([judgement()], yardstick=Yardstick(records=(self.LOAD, elsewhere, absent)))
        assert to_json.read(to_json.render(written, created=CREATED), "x.json") == written

    def test_machine_and_sensors_stand_at_the_top_alone(self) -> None:
        """Rule 3 is for the loads as well."""
        same = replace(self.LOAD, machine=H100, sensors=judgement().record.sensors)
        (entry,) = self.document(Yardstick(records=(same,)))["yardstick"]
        assert not {"machine", "sensors"} & entry.keys()
        assert entry["id"] == "yardstick::gpu-compute"

    def test_without_one_there_is_no_key(self) -> None:
        """A run of before the yardstick is written as it was."""
        assert not {"yardstick", "yardstick_absent_because"} & self.document(Yardstick()).keys()

    def test_the_reason_of_none_comes_back(self) -> None:
        """Absent is not zero."""
        absent = Yardstick(absent_because="--energy-yardstick=off")
        document = self.document(absent)
        assert document["yardstick_absent_because"] == "--energy-yardstick=off"
        assert "yardstick" not in document
        assert to_json.read(json.dumps(document), "x.json").yardstick == absent

    @pytest.mark.parametrize(
        ("key", "value", "said"),
        [("samples", 0, "can't be a record"), ("rounds", None, "rounds")],
    )
    def test_a_load_that_can_not_be_is_named(self, key: str, value: object, said: str) -> None:
        """Its place is in the message, as that of a test is."""
        document = self.document(Yardstick(records=(self.LOAD,)))
        document["yardstick"][0][key] = value
        with pytest.raises(FormatError, match=r"yardstick\[0\]") as error:
            to_json.read(json.dumps(document), "x.json")
        assert said in str(error.value)
