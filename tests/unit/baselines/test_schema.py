import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_energy.baselines.schema import (
    FORMAT_VERSION,
    Baseline,
    check_times,
    from_json_text,
    to_json_text,
)
from pytest_energy.errors import BaselineError
from pytest_energy.model import JoinedAs, Provenance, Reading, Record, Tick, Trace
from tests.builders import KEY, TEST_ID, counted, counts_baseline, counts_of, reading, record, sessions

EXAMPLE = Path(__file__).parents[2] / "data" / "baselines" / "format-1.json"


def baseline(*records: Record) -> Baseline:
    return Baseline(test_id=TEST_ID, machine_key=KEY, entries=records or sessions(2))


def changed(change: Callable[[dict[str, object]], object]) -> str:
    """The text of a baseline after *change* of what it holds."""
    document = json.loads(to_json_text(baseline()))
    change(document)
    return json.dumps(document)


def with_session(**members: object) -> str:
    """The text of a baseline whose second session has *members* instead of its own."""
    document = json.loads(to_json_text(baseline()))
    document["sessions"][1].update(members)
    return json.dumps(document)


class TestStoredForm:
    def test_round_trip(self) -> None:
        """What is written loads as what it was."""
        stored = baseline(record(9.5, metrics={"accuracy": 0.91, "loss": None}), *sessions(2))
        assert from_json_text(to_json_text(stored), "x") == stored

    @pytest.mark.parametrize("joined_as", JoinedAs)
    def test_how_a_session_joined(self, joined_as: JoinedAs) -> None:
        """It is written under a key of its own, which a session that just joined doesn't have."""
        stored = baseline(record(), replace(record(9.5), joined_as=joined_as))
        plain, marked = json.loads(to_json_text(stored))["sessions"]
        assert "joined_as" not in plain
        assert marked["joined_as"] == joined_as.value
        assert from_json_text(to_json_text(stored), "x") == stored

    def test_one_round_a_line(self) -> None:
        """Each round stands on a line of its own, so that a diff counts rounds."""
        lines = to_json_text(baseline(record(1.5, 2.5, 3.5))).splitlines()
        assert [line.count('"gpu:0": ') for line in lines if '"uncertainty_j"' in line] == [1, 1, 1]

    def test_keys_are_sorted(self) -> None:
        """The order of a mapping never makes a diff."""
        one = record(metrics={"a": 1.0, "b": 2.0})
        other = record(metrics={"b": 2.0, "a": 1.0})
        assert to_json_text(baseline(one)) == to_json_text(baseline(other))

    def test_is_ascii_with_a_newline_at_the_end(self) -> None:
        """No editor's or system's encoding can change a file, and no diff ends in 'No newline'."""
        text = to_json_text(baseline(record(shown={"gpu": "ボード"})))
        assert text.isascii()
        assert text.endswith("}\n")

    def test_an_added_session_only_adds_lines(self) -> None:
        """The diff of one more session holds that session, and the comma before it."""
        before = to_json_text(baseline(*sessions(2))).splitlines()
        after = to_json_text(baseline(*sessions(3))).splitlines()
        assert [line for line in before if line not in after] == []
        assert after[: len(before) - 3] == before[:-3]

    def test_traces_are_left_out(self) -> None:
        """Raw ticks belong into a recording, not into version control."""
        trace = Trace(ticks={"gpu:0": (Tick(0.0, 1.0), Tick(0.1, 2.0))}, start_s=0.0, stop_s=0.1)
        traced = Reading(
            channels={"gpu:0": 1.0},
            duration_s=0.1,
            uncertainty_j=0.1,
            provenance=Provenance.MEASURED,
            trace=trace,
        )
        one = replace(record(), rounds=(traced,))
        assert "ticks" not in to_json_text(baseline(one))

    def test_power_over_time_is_left_out(self) -> None:
        """What judges nothing makes no file longer."""
        steps = {"gpu:0": ((0.0, 300.0), (0.1, 300.0))}
        plain = record()
        traced = replace(
            plain,
            rounds=tuple(replace(one, power_trace=steps, start_unix_s=1.8e9) for one in plain.rounds),
        )
        assert to_json_text(baseline(traced)) == to_json_text(baseline(plain))

    def test_an_unpaired_surrogate_survives(self) -> None:
        """The name of a test file need not be UTF-8."""
        odd = "tests/test_\udcff.py::test_x"
        stored = Baseline(test_id=odd, machine_key=KEY, entries=(record(test_id=odd),))
        assert from_json_text(to_json_text(stored), "x") == stored

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_what_json_cannot_hold_is_refused(self, value: float) -> None:
        """Nothing is written that would not load again; the message names the value's place."""
        with pytest.raises(BaselineError, match=r"sessions\[0\]: metrics: loss is (nan|inf), not a finite"):
            to_json_text(baseline(record(metrics={"loss": value})))


class TestFrozenExample:
    """tests/data/baselines/format-1.json is never changed: files like it are in people's repositories."""

    def test_loads(self) -> None:
        """A file of format 1 loads, whatever the format of today."""
        stored = from_json_text(EXAMPLE.read_text(encoding="utf-8"), str(EXAMPLE))
        first, second = stored.entries
        assert stored.test_id == "benchmarks/cnn/test_training.py::test_training[resnet18]"
        assert stored.machine_key == "h100-80gb-hbm3_xeon-8480c_nvml-rapl"
        assert first.round_energies_j == pytest.approx((421.75, 419.5, 420.25))
        assert second.round_energies_j == pytest.approx((423.0,))
        assert first.metrics == {"accuracy": 0.91, "macs_param": None}
        assert first.absent == {"macs_param": "no example input was given"}
        assert first.idle_power_w == {"cpu:package-0": 61.5, "gpu:0": 72.25}
        assert first.rounds[0].phases[0].name == "backward"
        assert first.rounds[0].usage is not None
        assert second.rounds[1].void_because == "the GPU slowed down from heat"
        assert second.sensors[1].absent_because == "perf: no such event source"
        assert second.machine.varying["git_dirty"] == "yes"

    @pytest.mark.skipif(FORMAT_VERSION != 1, reason="the form of today is another")
    def test_is_what_is_written(self) -> None:
        """While 1 is the format of today, the example is written again as it is, byte for byte."""
        text = EXAMPLE.read_text(encoding="utf-8")
        assert to_json_text(from_json_text(text, "x")) == text


class TestBrokenFiles:
    def test_newer_format(self) -> None:
        """A newer format is refused with its number, ours, and what to do."""
        text = changed(lambda document: document.update(format=7))
        with pytest.raises(BaselineError, match=r"b\.json is of format 7; .* reads up to 1: upgrade it"):
            from_json_text(text, "b.json")

    def test_newer_format_comes_before_anything_else(self) -> None:
        """What else a newer format holds is not judged by the rules of today."""
        with pytest.raises(BaselineError, match="upgrade"):
            from_json_text('{"format": 2, "tests": []}', "b.json")

    @pytest.mark.parametrize("version", [0, -1])
    def test_format_that_never_was(self, version: int) -> None:
        """Formats begin at 1."""
        with pytest.raises(BaselineError, match=f"format is {version}"):
            from_json_text(changed(lambda document: document.update(format=version)), "b.json")

    @pytest.mark.parametrize(
        ("text", "because"),
        [
            ("", "not JSON: .* line 1, column 1"),
            ("energy: 10 J", "not JSON"),
            ("[]", r"holds \[\], not an object"),
            ("{}", "has no 'format'"),
            ('{"format": 1, "id": "t", "machine_key": "k"}', "has no 'sessions'"),
            ('{"format": "1"}', "format is '1', not a whole number"),
            ('{"format": 1, "sessions": []}', "has no 'id'"),
            ('{"format": 1, "id": "t", "machine_key": "k", "sessions": {}}', "sessions is {}, not a list"),
            (
                '{"format": 1, "id": "t", "machine_key": "k", "sessions": [3]}',
                r"sessions\[0\] holds 3, not an object",
            ),
            ('{"format": 1, "sessions": [], "id": "t", "machine_key": "k"}', "sessions is empty"),
            ('{"format": ' + "9" * 5000 + "}", "not JSON: .*digits"),
            ("[" * 200_000, "nested too deep"),
        ],
    )
    def test_no_baseline(self, text: str, because: str) -> None:
        """What is no baseline is refused with the file, the place, the value and what to do."""
        with pytest.raises(BaselineError, match=f"(?s)^b.json.*{because}.*restore it from version control"):
            from_json_text(text, "b.json")

    @pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.95])
    def test_truncated(self, share: float) -> None:
        """A file that ends too early is refused with the line where it ends."""
        text = to_json_text(baseline())
        with pytest.raises(BaselineError, match=r"b\.json is not JSON: .* at line \d+"):
            from_json_text(text[: int(len(text) * share)], "b.json")

    @pytest.mark.parametrize("marker", ["<<<<<<< HEAD", "||||||| base", "=======", ">>>>>>> other"])
    def test_unfinished_merge(self, marker: str) -> None:
        """Each marker of a merge conflict is named with its line."""
        lines = to_json_text(baseline()).splitlines()
        text = "\n".join([*lines[:7], marker, *lines[7:]])
        with pytest.raises(BaselineError, match=rf"b\.json line 8 is '{marker[:7]!s}".replace("|", r"\|")):
            from_json_text(text, "b.json")

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
    def test_not_a_number(self, word: str) -> None:
        """JSON has neither NaN nor infinity, and neither has a baseline."""
        text = to_json_text(baseline()).replace('"duration_s": 1.0', f'"duration_s": {word}')
        with pytest.raises(
            BaselineError, match=r"sessions\[0\]: rounds\[0\]: duration_s is .* finite number"
        ):
            from_json_text(text, "b.json")

    def test_a_number_beyond_any_float(self) -> None:
        """A whole number too large for a float is refused in its place."""
        text = to_json_text(baseline()).replace('"duration_s": 1.0', '"duration_s": 1' + "0" * 400)
        with pytest.raises(BaselineError, match=r"rounds\[0\]: duration_s is 1000.*too large"):
            from_json_text(text, "b.json")

    @pytest.mark.parametrize(
        ("members", "because"),
        [
            ({"created": 5}, "created is 5, not a text"),
            ({"samples": 0}, r"sessions\[1\]: .*samples is 0"),
            ({"samples": 1.5}, "samples is 1.5, not a whole number"),
            ({"metrics": {"loss": "low"}}, "metrics: loss is 'low', not a number"),
            ({"provenance": "guessed"}, "provenance is 'guessed', not one of measured"),
            ({"rounds": []}, r"sessions\[1\]: .*without rounds must say why"),
            ({"sensors": None}, "sensors is None, not a list"),
        ],
    )
    def test_wrong_kinds(self, members: dict[str, object], because: str) -> None:
        """A member of the wrong kind is refused in its place."""
        with pytest.raises(BaselineError, match=f"{because}.*restore it"):
            from_json_text(with_session(**members), "b.json")

    @pytest.mark.parametrize(
        ("members", "because"),
        [
            ({"id": "tests/test_a.py::test_b"}, r"sessions\[1\] .* is of the test 'tests/test_a.py::test_b'"),
            (
                {"machine": {"key": "t4", "fixed": {}, "shown": {}}},
                r"sessions\[1\] .* is of the machine 't4'",
            ),
            ({"provenance": "estimated"}, "'measured' in the baseline, 'estimated' now"),
            ({"void_because": "it was hot"}, "no joules to compare with: it was hot"),
            ({"samples": 7}, "samples: 'not given' in the baseline, '7' now"),
        ],
    )
    def test_sessions_that_do_not_belong(self, members: dict[str, object], because: str) -> None:
        """A session of another test, machine, provenance or amount of work was merged in by mistake."""
        with pytest.raises(BaselineError, match=f"^b.json: .*{because}"):
            from_json_text(with_session(**members), "b.json")


def with_round(**members: object) -> str:
    """The text of a baseline in which the round of the second session has *members*."""
    document = json.loads(to_json_text(baseline()))
    document["sessions"][1]["rounds"][0].update(members)
    return json.dumps(document)


class TestMended:
    """What a person or a merge makes of a file."""

    @pytest.mark.parametrize(
        ("members", "because"),
        [
            ({"channels": {"gpu:0": -3.0}, "energy_j": -3.0}, "channel gpu:0 reads -3.0 J"),
            ({"uncertainty_j": -0.5}, r"rounds\[0\]: uncertainty_j is -0.5; it is 0 or more"),
            ({"energy_j": -11.0}, r"rounds\[0\]: energy_j is -11.0, but its channels have 11.0 J"),
            ({"energy_j": math.nan}, r"energy_j is nan, but its channels have 11.0 J"),
            ({"energy_j": "11"}, r"energy_j is '11', but its channels have 11.0 J"),
            ({"void_because": "hot"}, r"energy_j is 11.0, but it is void"),
            ({"duration_s": -1.0}, "a window of -1.0 s"),
        ],
    )
    def test_joules_that_cannot_be(self, members: dict[str, object], because: str) -> None:
        """Joules that are negative, no number, or not those of the channels are refused in their place."""
        with pytest.raises(BaselineError, match=f"b.json: sessions.1.: .*{because}.*restore it"):
            from_json_text(with_round(**members), "b.json")

    @pytest.mark.parametrize("energy_j", [None, 11, 11.0 + 1e-12])
    def test_joules_that_are_those_of_the_channels(self, energy_j: float | None) -> None:
        """A sum that other software wrote may be a whole number, rounded in its last digit, or left out."""
        assert from_json_text(with_round(energy_j=energy_j), "b.json") == baseline()

    def test_a_session_twice(self) -> None:
        """A session that a merge took from both sides is refused, with the places of both."""
        text = changed(lambda document: document.update(sessions=document["sessions"] * 2))  # type: ignore[operator]
        with pytest.raises(
            BaselineError, match=r"b.json: sessions\[2\] .* is sessions\[0\] again.*delete one"
        ):
            from_json_text(text, "b.json")

    def test_a_session_twice_of_which_one_is_marked(self) -> None:
        """One run that two branches added, and one of them as an improvement, is one session."""
        one = record()
        both = baseline(one, replace(record(), joined_as=JoinedAs.LEVEL))
        with pytest.raises(BaselineError, match=r"sessions\[1\] .* is sessions\[0\] again"):
            to_json_text(both)

    def test_two_sessions_of_one_moment(self) -> None:
        """Two runs that began at once are two sessions if they read differently."""
        both = (record(10.0, 10.0), record(10.0, 11.0))
        assert from_json_text(to_json_text(baseline(*both)), "x").entries == both

    def test_too_long_to_be_read_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What would be refused when it is read is not written."""
        monkeypatch.setattr("pytest_energy.baselines.schema.MOST_CHARACTERS", 1000)
        with pytest.raises(BaselineError, match=r"at most 1,000 are read; keep fewer sessions"):
            to_json_text(baseline())


class TestTimes:
    NOW = datetime(2025, 11, 20, 12, tzinfo=UTC)

    @pytest.mark.parametrize(
        "created", ["2025-11-20T10:00:00Z", "2025-11-21T12:00:00Z", "2025-11-21T13:00:00+02:00", "1999-01-01"]
    )
    def test_past_and_clocks_that_differ(self, created: str) -> None:
        """What was made before now, or up to a day after it by another clock, is a session."""
        check_times((record(created=created),), self.NOW)

    @pytest.mark.parametrize("created", ["2025-11-21T12:00:01Z", "2099-01-01", "9999-12-31T23:59:59Z"])
    def test_future(self, created: str) -> None:
        """A session from the future is refused with its place, its time and ours."""
        with pytest.raises(BaselineError) as caught:
            check_times((record(), record(created=created)), self.NOW)
        text = str(caught.value)
        assert text.startswith(
            f"sessions[1] is from the future: created {created}, and now is 2025-11-20T12:00"
        )
        assert "correct the clock" in text

    @pytest.mark.parametrize(
        "created",
        [
            "",
            "yesterday",
            "2025-13-01T00:00:00Z",
            "10:00",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-01:00",
        ],
    )
    def test_no_time(self, created: str) -> None:
        """What is no time is refused with its value and an example."""
        with pytest.raises(
            BaselineError, match=f"created is {re.escape(repr(created))}, not a time such as 2026"
        ):
            check_times((record(created=created),), self.NOW)


class TestBaseline:
    def test_void_rounds_only(self) -> None:
        """A session with rounds none of which counts has no joules."""
        void = Reading(
            channels={}, duration_s=1.0, uncertainty_j=0.0, provenance=Provenance.MEASURED, void_because="hot"
        )
        with pytest.raises(BaselineError, match="no joules to compare with: hot"):
            baseline(replace(record(), rounds=(void,)))

    def test_a_void_round_beside_good_ones_is_kept(self) -> None:
        """One void round doesn't void its session."""
        void = Reading(
            channels={}, duration_s=1.0, uncertainty_j=0.0, provenance=Provenance.MEASURED, void_because="hot"
        )
        one = replace(record(), rounds=(reading(), void))
        assert from_json_text(to_json_text(baseline(one)), "x").entries == (one,)


class TestCountsAlone:
    """Under a key of counts a session has counts and no joules."""

    def test_round_trip(self) -> None:
        """What is written is read as the same baseline."""
        stored = counts_baseline(counted(counts_of(12)))
        assert from_json_text(to_json_text(stored), "a file") == stored

    @pytest.mark.parametrize(
        ("session", "because"),
        [
            (
                record(key="counts_cpu", counts=counts_of(12)),
                "has joules, and counts_cpu is for counts alone",
            ),
            (replace(counted(counts_of(12)), counts=None), "has no counts, and counts_cpu is for counts"),
            (counted(counts_of(12), key="counts_cuda"), "has counts of counts_cpu, not of counts_cuda"),
            (counted(counts_of(12), key=KEY), "has no joules to compare with: no sensor"),
        ],
    )
    def test_what_does_not_belong_is_refused(self, session: Record, because: str) -> None:
        """Joules hang on their machine, and counts on their kind of device."""
        with pytest.raises(BaselineError, match=because):
            counts_baseline(session)

    def test_sessions_of_other_work_do_not_stand_together(self) -> None:
        """One question answers for all of them, as for joules."""
        other = replace(counted(counts_of(12)), samples=64, created="2025-11-21T10:00:00Z")
        with pytest.raises(BaselineError, match="samples: 'not given' in the baseline, '64' now"):
            counts_baseline(counted(counts_of(12)), other)
