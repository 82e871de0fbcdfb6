"""The HTML report as text: what is in it, what can't be."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_energy.conversion import judgement_from_json, judgement_to_json
from pytest_energy.errors import SettingsError
from pytest_energy.judgement import FAILING, Comparison, Judgement, Verdict
from pytest_energy.model import Phase, Reading
from pytest_energy.report import cells, formats, to_html, to_json, view
from pytest_energy.report.html import entries, sealed, tables
from tests.browser.runs import HOSTILE, hostile_run, many_run, mixed_run, rounds
from tests.builders import CREATED, baseline, comparison, judged, judgement, phased
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
    return entries.entry(view.of([found]).rows[0], entries.Shared())


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
    text = json.dumps(judgement_to_json(found))
    for hostile in HOSTILE:
        text = text.replace(json.dumps(hostile)[1:-1], "harmless")
    return judgement_from_json(json.loads(text), "a test")


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
    data = _run(to_html.render(run, created=CREATED))
    tests, heads = data["tests"], data["heads"]
    assert isinstance(tests, list)
    assert isinstance(heads, list)
    for row, entry in zip(run.rows, tests, strict=True):
        shown = [text for head, text in zip(heads, entry["cells"], strict=True) if head in cells.HEADS]
        assert shown == cells.values(row)
        assert entry["reason"].splitlines()[0] == cells.first_line(row.judgement.reason)


HELD = replace(comparison(1.1), tolerance=0.05, entry_energies_j=(11.5, 12.0, 12.5))
NOT_HELD = (
    "not in this run's JSON: the levels of the baseline's sessions; the tolerance, which is in the reason"
)


def _notes(compared: Comparison) -> object:
    change = _entry(judgement(compared=compared))["change"]
    assert isinstance(change, dict)
    return change["notes"]


def _sessions(compared: Comparison) -> object:
    return _entry(judgement(compared=compared))["sessions"]


def test_sessions_of_the_baseline_have_commit_day_and_level() -> None:
    """They are listed, the oldest first, with what the joules are of; nothing is lacking."""
    levels = ["11.5 J", "12 J", "12.5 J"]
    days = [f"2026-11-1{day}" for day in range(3)]
    dated = replace(
        HELD, entry_dates=tuple(f"{day}T10:00:00Z" for day in days), entry_commits=("a" * 40,) * 3
    )
    assert _sessions(dated) == {
        "head": ["commit", "day", "energy per round"],
        "rows": [["aaaaaaa", day, level] for day, level in zip(days, levels, strict=True)],
    }
    assert _notes(dated) == []
    no_commit = replace(dated, entry_commits=("", "", ""), basis="joules a sample")
    assert _sessions(no_commit) == {
        "head": ["session", "energy (joules a sample)"],
        "rows": [list(pair) for pair in zip(days, levels, strict=True)],
    }


def test_sessions_of_an_older_run_have_numbers() -> None:
    """Levels without dates, and lists of dates that don't fit them, as a file may hold."""
    rows = [["S1", "11.5 J"], ["S2", "12 J"], ["S3", "12.5 J"]]
    for odd in ((), ("2026-11-10T10:00:00Z",)):
        assert _sessions(replace(HELD, entry_dates=odd)) == {
            "head": ["session", "energy per round"],
            "rows": rows,
        }


def test_phases_are_rows_with_their_means() -> None:
    """Name, share of the joules, and joules, watts and seconds per round under the heads of the table."""
    found = judgement(energy_j=10.0, round_count=2)
    phases = (Phase(name="write", energy_j=4.0, uncertainty_j=0.1, duration_s=0.5),)
    phased = tuple(replace(reading, phases=phases) for reading in found.record.rounds)
    found = replace(found, record=replace(found.record, rounds=phased))
    (phase,) = entries.phases(found, ("energy", "E_tr", "W", "s", "vs baseline"))
    assert phase == ["write", "40 %", ["4 J", "", "8.00", "0.500", ""]]


def test_a_compared_phase_has_its_change_and_verdict() -> None:
    """Beside its share, and under the head of the table."""
    compared = judged(phased({"train": 72.0}), baseline(phased({"train": 60.0})))
    (phase,) = entries.phases(compared, ("energy", "vs baseline"))
    assert phase == ["train", "72 %, regression, not judged", ["72 J", "+20.0 % [+16, +24]"]]


def test_net_joules_have_a_column_where_they_are_known() -> None:
    """E_tr and E_in beside the energy, and no such column without either group."""
    nets = [judgement(test_id=f"t.py::{group}", group=group) for group in ("inference", "training")]
    rows = view.of(nets).rows
    assert entries.columns(rows)[:3] == ("energy", "E_tr", "E_in")
    assert entries.values(rows[0], ("E_tr", "E_in")) == ["-", cells.energy(rows[0].record.provenance, 10.0)]
    assert "E_tr" not in entries.columns(view.of([judgement()]).rows)


def test_a_reason_for_what_is_absent_is_given_once() -> None:
    """One row for all that is absent because of it."""
    absent = _entry(judgement(absent={"a": "no sensor", "b": "no sensor", "c": "not recorded"}))["absent"]
    assert absent == [["a, b", "no sensor"], ["c", "not recorded"]]


def test_notes_are_folded_and_names_that_a_person_gave_come_first() -> None:
    """The first screen holds no note; a test with a model is called by it."""
    page = _page(judgement(model="net-1", quality=("the head of the window was not quiet",)))
    notes = page.index("1 note on this run")
    assert page.rindex("<details", 0, notes) > page.rindex("</ul>", 0, notes)
    entry = _entry(judgement(model="net-1"))
    assert (entry["given"], entry["name"]) == ("net-1", "test_training[resnet18]")
    for model in ("8b", "8b@4/s"):
        assert _entry(judgement(model=model, metrics={"request_rate": 4.0}))["given"] == "8b@4/s"


def test_what_an_older_run_does_not_hold_is_said() -> None:
    """Neither levels nor tolerance are drawn: the page says so; a single session has no levels."""
    assert _notes(comparison(1.1)) == [NOT_HELD]
    assert _notes(replace(comparison(1.1, entry_count=1), tolerance=0.05)) == []


def test_each_test_has_its_charts() -> None:
    """Rounds, the change, the channels and power over time, where there is something to draw."""
    titles = {
        row.short_id: [chart.title for chart in entries.charts(row.judgement)]
        for row in view.of(mixed_run()).rows
    }
    assert titles["test_training[resnet18]"] == [
        "Energy of each round",
        "Change against the baseline",
        "Energy of each round by channel",
        "Power over time, gpu:0",
    ]
    assert titles["test_batch_size[vgg16-4096]"] == []


def test_a_round_without_joules_has_its_reason() -> None:
    """A void round is no 0: the table has a dash and why."""
    lost = Reading(
        channels={},
        duration_s=1.0,
        uncertainty_j=0.0,
        provenance=rounds()[0].provenance,
        void_because="the counter stood",
    )
    judged = judgement()
    table = _entry(replace(judged, record=replace(judged.record, rounds=(*rounds(2), lost))))["rounds"]
    assert isinstance(table, dict)
    assert table["rows"][2][1] == cells.ABSENT
    assert table["rows"][2][-1] == "void: the counter stood"


def test_a_test_without_joules_has_no_chart() -> None:
    """Nothing measured, nothing drawn; the reason stands there."""
    entry = _entry(judgement(energy_j=None, verdict=Verdict.UNMEASURED, reason="no sensor"))
    assert not {"charts", "rounds"} & entry.keys()
    assert entry["reason"] == "no sensor"


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
        table = _entry(session()[0])["rounds"]
        assert isinstance(table, dict)
        assert table["rows"][0][1].startswith(mark)


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
    assert "no test was judged by its energy" in _page()


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
    sealed.page_template.cache_clear()
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[html\]'"):
        formats.renderer_of(Path("energy.HTML"))


def test_what_is_asked_for_needs_no_import_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the reading of the suffix on: what a test then does to imports is in nobody's way."""
    formats.renderer_of(Path("energy.html"))
    for name in [name for name in sys.modules if name.partition(".")[0] in ("jinja2", "markupsafe")]:
        monkeypatch.setitem(sys.modules, name, None)
    assert _page(*gpu_session()).startswith("<!DOCTYPE html>")


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
