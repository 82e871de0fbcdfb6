"""The HTML report as text: what is in it, what can't be."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.model import FAILING, Judgement, Reading, SensorStatus, Verdict
from pytest_energy.report import cells, formats, to_html, to_json, view
from pytest_energy.report.html import entries, power, tables
from tests.browser.runs import HOSTILE, hostile_run, many_run, mixed_run, rounds
from tests.builders import CREATED, comparison, judgement
from tests.fakes.sessions import estimated_session, gpu_session, replayed_session

CNN = Path(__file__).parents[4] / "docs" / "results" / "h100-cnn.json"
_VOID_TAGS = {"meta", "input", "wbr"}


class _Reader(HTMLParser):
    """The tags, texts and attributes of a page; complains where tags don't close in their order."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in _VOID_TAGS:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def finish(self) -> None:
        self.close()
        assert self._open == []


def _page(*judgements: Judgement) -> str:
    return to_html.render(view.of(judgements), created=CREATED)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.finish()
    return reader


def _run(page: str) -> dict[str, object]:
    """What the script reads."""
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    data: dict[str, object] = json.loads(found[1])
    return data


def _entry(found: Judgement) -> dict[str, object]:
    return entries.entry(view.of([found]).rows[0])


@pytest.mark.parametrize(
    "session", [gpu_session, estimated_session, replayed_session, mixed_run, hostile_run]
)
def test_every_element_is_closed(session: object) -> None:
    """The page is well formed, whatever the names are."""
    assert callable(session)
    _read(_page(*session()))


def test_hostile_text_makes_no_element_and_no_attribute() -> None:
    """The page of hostile names has the tags and the attributes of the page of harmless ones."""
    harmless = [_with_harmless_names(found) for found in hostile_run()]
    hostile, plain = _read(_page(*hostile_run())), _read(_page(*harmless))
    assert {*hostile.tags} == {*plain.tags}
    assert hostile.tags.count("script") == plain.tags.count("script") == 2
    assert {name for name, _ in hostile.attributes} == {name for name, _ in plain.attributes}
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]


def _with_harmless_names(found: Judgement) -> Judgement:
    text = json.dumps(found.to_json())
    for hostile in HOSTILE:
        text = text.replace(json.dumps(hostile)[1:-1], "harmless")
    from pytest_energy.wire import parse

    return Judgement.from_json(parse(text, "a test"))


def test_the_data_holds_nothing_that_ends_a_script() -> None:
    """`<`, `>`, `&` and the separators U+2028 and U+2029 are escapes, and read back as what they were."""
    page = _page(*hostile_run())
    start = page.index('id="run">') + len('id="run">')
    data = page[start : page.index("</script>", start)]
    assert not {*"<>&\u2028\u2029"} & {*data}
    assert data.isascii()
    tests = _run(page)["tests"]
    assert isinstance(tests, list)
    assert "</script><script>" in " ".join(entry["id"] for entry in tests)


def test_no_address_of_a_host() -> None:
    """Nothing in the page points anywhere but into the page; SVG's name is no address that is fetched."""
    page = _page(*mixed_run())
    addresses = {*re.findall(r"https?://[^\s\"'<>]+", page)}
    assert addresses == {"http://www.w3.org/2000/svg"}
    targets = [value for name, value in _read(page).attributes if name in {"href", "src", "action"}]
    assert targets
    assert all(target.startswith("#") for target in targets)
    assert "url(" not in re.sub(r"url\(#hatch-\d\)", "", page)
    assert "@import" not in page


def test_the_policy_lets_run_what_is_written_here_alone() -> None:
    """The policy forbids every request and names script and style by their hashes."""
    page = _page(judgement())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    policy = policy.replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    for name, text in (("style-src", style), ("script-src", script)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy


def test_the_script_parses_no_markup() -> None:
    """The script has none of the means by which a text becomes markup or code."""
    script = (Path(to_html.__file__).parent / "templates" / "report.js").read_text(encoding="utf-8")
    for means in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
        "srcdoc",
    ):
        assert means not in script


def test_the_numbers_are_those_of_the_other_reports() -> None:
    """Each test's cells are the texts that screen and Markdown show."""
    run = view.of(mixed_run())
    tests = _run(to_html.render(run, created=CREATED))["tests"]
    assert isinstance(tests, list)
    for row, entry in zip(run.rows, tests, strict=True):
        change = " ".join(filter(None, cells.change(row.judgement.comparison)))
        assert entry["cells"][0] == cells.energy(row)
        assert entry["cells"][4] == change
        assert entry["reason"].splitlines()[0] == cells.first_line(row.judgement.reason)


def test_no_change_reads_as_zero_that_is_none() -> None:
    """A change too small for one decimal is still told, in the cell and in the chart."""
    entry = _entry(judgement(compared=comparison(1.0002, (0.9999, 1.0005))))
    change = entry["change"]
    assert isinstance(change, dict)
    assert change["ratio"][1] == "+0.02 %"
    assert "0.0 %" not in json.dumps(change["bounds"])


def _drawn(found: Judgement, name: str) -> dict[str, Any]:
    """One chart of the only test."""
    drawn = _entry(found)[name]
    assert isinstance(drawn, dict)
    return drawn


HELD = replace(comparison(1.1), tolerance=0.05, session_energies_j=(11.5, 12.0, 12.5))


def test_the_rounds_stand_beside_sessions_and_tolerance() -> None:
    """The chart has each session's level and the band from the baseline up to what is accepted, in words."""
    level = _drawn(judgement(compared=HELD), "level")
    assert level["sessions"] == [11.5, 12.0, 12.5]
    assert level["allowed"] == [12.0, 12.6, "tolerance +5 %: up to 12.6 J"]
    change = _drawn(judgement(compared=HELD), "change")
    assert change["tolerance"] == [0.05, "tolerance: up to +5 %"]
    told = "levels of the baseline's sessions, the oldest first: 11.5 J, 12 J, 12.5 J"
    assert change["notes"] == [told]


def test_what_an_older_run_does_not_hold_is_said() -> None:
    """Neither levels nor tolerance are drawn: the page says so."""
    found = judgement(compared=comparison(1.1))
    assert _drawn(found, "change")["notes"] == [
        (
            "not in this run's JSON: the levels of the baseline's sessions; "
            "the tolerance, which stands in the reason"
        )
    ]
    assert "allowed" not in _drawn(found, "level")
    assert "tolerance" not in _drawn(found, "change")


def test_a_comparison_with_one_session_lacks_none() -> None:
    """The level of a single session is the baseline's; so with two sides of a change."""
    compared = replace(comparison(1.1, session_count=1), tolerance=0.05)
    assert _drawn(judgement(compared=compared), "change")["notes"] == []


def test_a_baseline_of_another_quantity_is_not_drawn_among_rounds() -> None:
    """Joules a sample are no joules of a round: no line beside them; the change tells its basis."""
    found = judgement(compared=replace(HELD, basis="joules a sample"))
    level, change = _drawn(found, "level"), _drawn(found, "change")
    assert level["lines"] == level["sessions"] == []
    assert "allowed" not in level
    assert change["basis"] == "joules a sample"
    assert change["tolerance"] == [0.05, "tolerance: up to +5 %"]
    assert change["notes"][0].startswith("levels of the baseline's sessions (joules a sample)")


# ---- power over time ----

STEPS = ((0.02, 100.0), (0.12, 300.0), (0.22, 300.0))


def _with_power(*traces: Mapping[str, tuple[tuple[float, float], ...]], **changes: Any) -> Judgement:
    """A test of a round for each of *traces*."""
    found = judgement(round_count=1)
    (reading,) = found.record.rounds
    rounds = tuple(replace(reading, power_trace=trace, **changes) for trace in traces)
    return replace(found, record=replace(found.record, rounds=rounds))


def _power(found: Judgement) -> list[dict[str, Any]]:
    charts = _entry(found).get("power", [])
    assert isinstance(charts, list)
    return charts


def test_power_over_time_is_drawn_by_channel() -> None:
    """A chart for each channel: a line a round, the mean as a number, lowest and highest step in words."""
    found = _with_power({"gpu:0": STEPS, "gpu:1": STEPS}, {"gpu:0": STEPS})
    one, other = _power(found)
    assert (one["title"], other["title"]) == ("Power over time, gpu:0", "Power over time, gpu:1")
    assert one["caption"] == ["mean 200 W; steps from 100 W to 300 W"]
    assert one["lines"] == [[list(step) for step in STEPS]] * 2
    assert one["mean"] == [200.0, "mean 200 W, between the first tick and the last in each window"]
    assert one["key"] == "2 rounds, one over the other: mean power from tick to tick"
    assert other["key"] == "1 round: mean power from tick to tick"
    assert one["y"]["ticks"][0] == [0.0, "0 W"]
    assert "unpowered" not in _entry(found)


def test_power_of_several_calls_says_whose_it_is() -> None:
    """A round's joules are of one call, its power of the window that held several."""
    (chart,) = _power(_with_power({"gpu:0": STEPS}, call_count=34))
    assert chart["caption"][1] == "of whole windows, each of 34 calls"
    found = _with_power({"gpu:0": STEPS}, {"gpu:0": STEPS})
    first, second = found.record.rounds
    rounds_ = (replace(first, call_count=2), replace(second, call_count=3))
    (chart,) = _power(replace(found, record=replace(found.record, rounds=rounds_)))
    assert chart["caption"][1] == "of whole windows, each of 2 to 3 calls"


def test_power_of_very_many_rounds_is_counted() -> None:
    """Some of them are drawn, the first and the last among them; the mean is of all."""
    traces = [{"gpu:0": ((0.0, 100.0 + number), (0.1, 100.0 + number))} for number in range(101)]
    (chart,) = _power(_with_power(*traces))
    assert len(chart["lines"]) == power.MOST_LINES
    assert chart["lines"][0][0] == [0.0, 100.0]
    assert chart["lines"][-1][0] == [0.0, 200.0]
    assert chart["key"].startswith("24 of 101 rounds, one over the other")
    assert chart["mean"][0] == pytest.approx(150.0)


def test_why_a_channel_has_no_power_over_time() -> None:
    """One line names each channel that lacks it: read at edges, too short a window, an older run."""
    found = judgement()
    rapl = SensorStatus(name="rapl", channels=("cpu:package-0",), provenance=found.record.provenance)
    record = replace(found.record, sensors=(*found.record.sensors, rapl))
    (reading, *_) = record.rounds
    both = {"gpu:0": 300.0, "cpu:package-0": 80.0}
    for duration_s, because in (
        (1.0, "not in this run's JSON"),
        (0.15, "a window is shorter than two ticks"),
    ):
        one = replace(reading, channels=both, duration_s=duration_s)
        told = _entry(replace(found, record=replace(record, rounds=(one,))))["unpowered"]
        assert isinstance(told, str)
        assert told.startswith(f"no power over time of gpu:0 ({because}")
        assert told.endswith("; cpu:package-0 (read at a window's edges alone)")
    stranger = replace(found, record=replace(record, sensors=()))
    assert _entry(stranger)["unpowered"] == "no power over time of gpu:0 (not in this run's JSON)"


def test_nothing_is_said_of_power_that_nobody_measured() -> None:
    """An estimate, a replay, a void test and one without rounds have no line about power over time."""
    for found in (
        estimated_session()[0],
        replayed_session()[0],
        judgement(verdict=Verdict.VOID),
        judgement(energy_j=None, verdict=Verdict.UNMEASURED),
    ):
        assert not {"power", "unpowered"} & _entry(found).keys()


def test_a_round_without_joules_is_a_gap_and_has_its_reason() -> None:
    """A void round is no 0: the chart has no point there, the table a dash and why."""
    lost = Reading(
        channels={},
        duration_s=1.0,
        uncertainty_j=0.0,
        provenance=rounds()[0].provenance,
        void_because="the counter stood",
    )
    found = judgement()
    entry = _entry(replace(found, record=replace(found.record, rounds=(*rounds(2), lost))))
    level, table = entry["level"], entry["rounds"]
    assert isinstance(level, dict)
    assert isinstance(table, dict)
    assert level["points"][2] is None
    assert table["rows"][2][1] == cells.ABSENT
    assert "the counter stood" in table["rows"][2][-1]


def test_a_test_without_joules_has_no_chart() -> None:
    """Nothing measured, nothing drawn; the reason stands there."""
    entry = _entry(judgement(energy_j=None, verdict=Verdict.UNMEASURED, reason="no sensor"))
    assert "level" not in entry
    assert "rounds" not in entry
    assert entry["reason"] == "no sensor"


def test_a_ratio_of_zero_has_no_logarithm() -> None:
    """A round that took no time leaves out the sum of logarithms, not the comparison."""
    compared = replace(comparison(1.1), duration_ratio=0.0)
    change = _entry(judgement(compared=compared))["change"]
    assert isinstance(change, dict)
    assert change["why"] == []


def test_confirming_rounds_and_calls_are_told() -> None:
    """The second batch is named, and a round that is one of several calls says so."""
    found = judgement(round_count=4)
    calls = tuple(replace(reading, call_count=3) for reading in found.record.rounds)
    entry = _entry(replace(found, record=replace(found.record, rounds=calls, confirming_count=2)))
    table = entry["rounds"]
    assert isinstance(table, dict)
    assert [row[0] for row in table["rows"]] == ["1", "2", "3 (confirming)", "4 (confirming)"]
    assert table["rows"][0][-1] == "one of 3 calls in a window"


def test_estimates_and_replays_keep_their_mark() -> None:
    """A joule that was not measured here has its mark in the table of rounds, too."""
    for session, mark in ((estimated_session, "~"), (replayed_session, "r")):
        entry = _entry(session()[0])
        table, level = entry["rounds"], entry["level"]
        assert isinstance(table, dict)
        assert isinstance(level, dict)
        assert table["rows"][0][1].startswith(mark)
        assert level["title"].split()[0] in {"Estimated", "Replayed"}


def test_every_verdict_has_a_shape_beside_its_word() -> None:
    """No two verdicts share a symbol, so none needs its colour."""
    symbols = [to_html._verdict(found, 1)["symbol"] for found in Verdict]
    assert len({*symbols}) == len([*Verdict])
    assert all(to_html._verdict(found, 1)["tone"] == "bad" for found in FAILING)


def test_sensors_that_are_absent_say_why() -> None:
    """The page names each sensor, there or absent, with the reason."""
    page = _page(judgement())
    assert "is readable by root alone (mode 0400)" in page
    assert "gpu:0, measured, a new value every 100 ms" in page


def test_an_empty_run_is_a_page() -> None:
    """No test asked for energy: the page says so."""
    assert "no test asked for energy" in _page()


def test_the_static_rows_end_and_say_how_many_there_are() -> None:
    """Without scripts there are the first hundred rows; the data holds all."""
    page = _page(*many_run(150))
    assert "the page shows the first 100 of 150 tests" in page
    tests = _run(page)["tests"]
    assert isinstance(tests, list)
    assert len(tests) == 150


def test_many_groups_and_models_are_counted_where_they_are_left_out() -> None:
    """Beyond the limits the page says how much more the JSON holds."""
    groups = [
        judgement(test_id=f"t.py::t[{number}]", group=f"g{number}", metrics={"parameters": 1.0})
        for number in range(tables.MOST_GROUPS + 3)
    ]
    assert "3 more groups are in the run" in _page(*groups)
    models = [
        judgement(test_id=f"t.py::t[{number}]", group="g", model=f"m{number}", metrics={"parameters": 1.0})
        for number in range(tables.MOST_MODELS + 4)
    ]
    assert "4 more rows are in the run" in _page(*models)


def test_the_page_of_a_real_run_is_light() -> None:
    """Sixty tests of an H100 take less than 600 kB."""
    run = to_json.read(CNN.read_text(encoding="utf-8"), CNN.name)
    assert len(to_html.render(run, created=CREATED)) < 600_000


def test_a_thousand_tests_take_no_more_than_their_share() -> None:
    """A test takes less than 4 kB: 10,000 of them stay below 40 MB."""
    small, large = _page(*many_run(200)), _page(*many_run(1200))
    assert (len(large) - len(small)) / 1000 < 4000


def test_the_same_run_gives_the_same_page() -> None:
    """No date of its own, no chance."""
    assert _page(*gpu_session()) == _page(*gpu_session())


def test_without_jinja2_the_run_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra that is missing is named when the suffix is read, before anything is measured."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[html\]'"):
        formats.renderer_of(Path("energy.HTML"))


def test_other_formats_do_not_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jinja2 a run is still written as JSON."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    assert formats.renderer_of(Path("energy.json")) is formats.RENDERERS[".json"]


def test_the_extra_is_not_imported_before_it_is_used() -> None:
    """Reading the suffixes loads neither the template engine nor a plotting library."""
    code = (
        "import sys, pytest_energy.report.formats;"
        "print([m for m in ('jinja2', 'markupsafe', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout == "[]\n"


# ---- colours ----

_CSS = (Path(to_html.__file__).parent / "templates" / "report.css").read_text(encoding="utf-8")
_LEAST_CONTRAST = 4.5  # WCAG 2.2, success criterion 1.4.3, level AA


def _palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r"(:root[^{]*)\{([^{}]*--paper[^{}]*)\}", _CSS)
    return {
        f"{number} {selector.strip()}": dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
        for number, (selector, block) in enumerate(blocks)
    }


def _luminance(colour: str) -> float:
    """Source: WCAG 2.2, definition of relative luminance."""
    shares = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _mixed(colour: str, paper: str, share: float) -> str:
    pairs = [(int(colour[p : p + 2], 16), int(paper[p : p + 2], 16)) for p in (1, 3, 5)]
    return "#" + "".join(f"{round(a * share + b * (1 - share)):02x}" for a, b in pairs)


@pytest.mark.parametrize("name", _palettes())
def test_every_text_has_contrast(name: str) -> None:
    """Text stands out on what is behind it, light, dark and printed: 4.5 to 1."""
    palette = _palettes()[name]
    pairs = [(text, back) for text in ("ink", "soft", "link") for back in ("paper", "card")]
    pairs += [(tone, f"{tone}-back") for tone in ("bad", "good", "open")]
    low = [pair for pair in pairs if _contrast(palette[pair[0]], palette[pair[1]]) < _LEAST_CONTRAST]
    assert low == []
    for sign in ("positive", "negative"):
        strongest = _mixed(palette[sign], palette["paper"], 0.52)
        assert _contrast(palette["ink"], strongest) >= _LEAST_CONTRAST


@pytest.mark.parametrize("name", _palettes())
def test_every_mark_has_contrast(name: str) -> None:
    """Marks and lines stand out on the paper: 3 to 1, as WCAG 2.2, 1.4.11 asks of graphics."""
    palette = _palettes()[name]
    marks = ("first", "second", "third", "fourth", "focus")
    assert [m for m in marks if m in palette and _contrast(palette[m], palette["paper"]) < 3] == []


def test_both_dark_palettes_are_the_same() -> None:
    """What the system asks for and what the button asks for is one dark page."""
    dark = [palette for palette in _palettes().values() if palette["paper"] == "#0f1419"]
    assert len(dark) == 2
    assert dark[0] == dark[1]
