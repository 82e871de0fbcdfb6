"""The HTML report as a browser shows it: nothing foreign runs, nobody is asked, everybody can use it."""

import base64
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.report.to_html import STATIC_ROWS
from tests.browser.conftest import Page, write, written
from tests.browser.runs import HOSTILE, hostile_run, many_run, mixed_run, suite_run
from tests.fakes.sessions import estimated_session

H100 = ("h100-cnn.json", "h100-first.json", "h100-ab-planted.json")
_IS_HIDDEN = "return getComputedStyle(document.querySelector('{}')).display === 'none'"
_DRAWN = (
    "return [...document.querySelectorAll('tr.detail svg path')].map((e) => e.getAttribute('d')).join(' ')"
)
_TOO_WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
_HEAD = ".tests > thead th:nth-child({}) button"
_NAMES = ".tests > tbody > tr > td.name .opener"


def _open_all(page: Page) -> None:
    """Open every test and every fold of the page."""
    page.ask("document.querySelectorAll('.opener[aria-expanded=false]').forEach((e) => e.click())")
    page.ask("document.querySelectorAll('details').forEach((e) => { e.open = true; })")


def _colour(page: Page, name: str = "background-color") -> tuple[int, ...]:
    colour = str(page.ask(f"return getComputedStyle(document.body).getPropertyValue('{name}')"))
    return tuple(map(int, re.findall(r"\d+", colour)))


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("mixed") / "report.html", mixed_run())


def test_hostile_names_are_only_text(page: Page, tmp_path: Path) -> None:
    """No name, reason, metric, sensor or fact becomes markup or script, wherever it stands."""
    page.open(write(tmp_path / "report.html", hostile_run(), run_notes=HOSTILE))
    _open_all(page)
    assert page.ask("return window.hacked") is None
    assert page.ask("return document.querySelectorAll('img, iframe, object, link, base').length") == 0
    assert page.ask("return document.querySelectorAll('script').length") == 2
    inline = "[...e.attributes].some((a) => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value))"
    found = page.ask(
        f"return [...document.querySelectorAll('*')].filter((e) => e.tagName !== 'OPTION' && {inline})"
        ".map((e) => e.outerHTML.slice(0, 80))"
    )
    assert found == []
    assert page.complaints == []
    assert "<img src=x onerror=alert(1)>" in " ".join(page.texts(_NAMES))


def test_a_hostile_page_asks_nobody(page: Page, tmp_path: Path) -> None:
    """The one request of a page whose names try to fetch is for the page."""
    page.open(write(tmp_path / "report.html", hostile_run()))
    _open_all(page)
    assert set(page.requests) == {page.url}


@pytest.mark.parametrize("name", H100)
def test_a_real_run_opens_without_a_word(page: Page, tmp_path: Path, name: str) -> None:
    """Runs of an H100 open with no message in the console and no request to any host."""
    page.open(written(tmp_path / "report.html", name))
    _open_all(page)
    assert page.complaints == []
    assert set(page.requests) == {page.url}
    assert len(page.find_all("tr.detail")) == len(page.find_all(_NAMES)) > 0


def test_a_header_sorts_and_says_so(page: Page, mixed: Path) -> None:
    """A click sorts the joules down, another up; absent values stay last; the header tells readers."""
    page.open(mixed)
    page.find(_HEAD.format(3)).click()
    assert page.find(".tests thead th:nth-child(3)").get_attribute("aria-sort") == "descending"
    assert page.texts(_NAMES)[0].startswith("llama-8b@1/s test_rate")
    last = page.texts(_NAMES)[-1]
    page.find(_HEAD.format(3)).click()
    assert page.find(".tests thead th:nth-child(3)").get_attribute("aria-sort") == "ascending"
    assert page.texts(_NAMES)[0] == "test_encode"
    assert page.texts(_NAMES)[-1] == last == "vgg16@4096 test_batch_size[vgg16-4096]"
    page.find(_HEAD.format(1)).click()
    assert page.texts(_NAMES) == sorted(page.texts(_NAMES), key=_natural)
    sorted_heads = page.find_all(".tests thead th[aria-sort]:not([aria-sort='none'])")
    assert [head.text.strip() for head in sorted_heads] == ["test"]


def _natural(name: str) -> list[list[object]]:
    """What a person gave first, then the test; numbers in it by their value."""
    return [
        [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", word)]
        for word in name.split(" ")
    ]


def test_tests_are_found_by_text_verdict_and_group(page: Page, mixed: Path) -> None:
    """The three choices narrow the table together, and one button takes them back."""
    page.open(mixed)
    count = len(page.texts(_NAMES))
    page.find("#text").send_keys("VGG16")
    assert len(page.texts(_NAMES)) == 6
    assert page.find("#shown").text == f"6 of {count} tests"
    page.ask("let e = document.getElementById('verdict'); e.value = 'unmeasured'; "
             "e.dispatchEvent(new Event('input'))")  # fmt: skip
    assert page.texts(_NAMES) == ["vgg16@4096 test_batch_size[vgg16-4096]"]
    page.ask("let e = document.getElementById('group'); e.value = 'training'; "
             "e.dispatchEvent(new Event('input'))")  # fmt: skip
    assert page.texts(_NAMES) == []
    assert "No test matches" in page.texts(".tests tbody")[0]
    page.find("#reset").click()
    assert len(page.texts(_NAMES)) == count


def test_a_count_chooses_its_verdict(page: Page, mixed: Path) -> None:
    """A count at the top shows its tests and is pressed; a second click shows all."""
    page.open(mixed)
    count = page.find(".counts button[data-verdict='regression']")
    count.click()
    assert page.texts(_NAMES) == ["resnet18 test_training[resnet18]"]
    assert count.get_attribute("aria-pressed") == "true"
    count.click()
    assert len(page.texts(_NAMES)) > 1


def test_the_keyboard_is_enough(page: Page, mixed: Path) -> None:
    """Tab reaches search, headers and tests in their order, with a visible focus; Enter sorts and opens."""
    from selenium.webdriver import Keys

    page.open(mixed)
    met = []
    for _ in range(60):
        page.press(Keys.TAB)
        met.append(page.focused())
        width = page.ask("return parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        style = page.ask("return getComputedStyle(document.activeElement).outlineStyle")
        assert isinstance(width, int | float)
        assert width >= 2, met[-1]
        assert style != "none", met[-1]
        if met[-1] == "energy":
            page.press(Keys.ENTER)
        if met[-1] == "vs baseline":
            break
    page.press(Keys.TAB)
    page.press(Keys.ENTER)
    places = [met.index(text) for text in ("To the tests", "Tests", "Theme: system", "test", "energy")]
    assert places == sorted(places)
    assert page.find(".tests thead th:nth-child(3)").get_attribute("aria-sort") == "descending"
    assert page.find(_NAMES).get_attribute("aria-expanded") == "true"
    assert page.find_all("tr.detail figure svg[role=img][aria-label]")


def test_a_test_opens_to_what_is_behind_its_verdict(page: Page, mixed: Path) -> None:
    """Reason, rounds with baseline and budget, the change with its bounds, time and power, channels."""
    page.open(mixed)
    page.find(_NAMES).click()
    (detail,) = page.texts("tr.detail")
    for text in (
        "time +30.4 %, power 0 %",
        "baseline 309.1 J (6 sessions)",
        "9a1f09a2026-11-14305.2 J",
        "budget 450 J",
        "+30.4 %, bounds +27.1 % to +33.9 %",
        "+8.0 %: a rise that would be detected",
        "from below: gpu:0, cpu:package-0, dram:package-0",
        "575.57.08",
        "tolerance +5 %: up to 324.6 J",
        "level of each baseline session, the oldest first",
        "Power over time, gpu:0mean 323.9 W",
        "6 rounds, one over the other",
        "no power over time of cpu:package-0, dram:package-0",
    ):
        assert text in detail
    assert not {"NaN", "undefined"} & {*re.findall(r"NaN|undefined", str(page.ask(_DRAWN)))}
    page.find(_NAMES).click()
    assert page.find_all("tr.detail") == []


def test_dark_follows_the_system_and_the_button(page: Page, mixed: Path) -> None:
    """The page is dark where the system is, and the button overrules it both ways."""
    page.open(mixed)
    page.prefer("light")
    assert min(_colour(page)) > 200
    page.prefer("dark")
    assert max(_colour(page)) < 50
    assert min(_colour(page, "color")) > 200
    page.find("#theme").click()
    assert page.find("#theme").text == "Theme: light"
    assert min(_colour(page)) > 200
    page.prefer("light")
    page.find("#theme").click()
    assert page.find("#theme").text == "Theme: dark"
    assert max(_colour(page)) < 50


@pytest.mark.parametrize("width", [320, 390, 768, 900, 1100])
def test_a_phone_scrolls_one_way(page: Page, tmp_path: Path, width: int) -> None:
    """At the width of a phone nothing is wider than the screen, every test and fold open."""
    page.open(written(tmp_path / "report.html", "h100-cnn.json"))
    page.resize(width, 800)
    _open_all(page)
    assert page.ask(_TOO_WIDE) == 0


@pytest.mark.parametrize("width", [360, 1100])
def test_hostile_names_fit_a_phone(page: Page, tmp_path: Path, width: int) -> None:
    """Long names without a space break, and a table of many channels scrolls in its own place."""
    page.open(write(tmp_path / "report.html", hostile_run(), run_notes=["x" * 300]))
    page.resize(width, 800)
    _open_all(page)
    assert page.ask(_TOO_WIDE) == 0


RUNS: dict[str, Callable[[], tuple[Judgement, ...]]] = {
    "estimated": estimated_session,
    "suite": suite_run,
    "thousand": lambda: many_run(1000),
}
_TOP = "return document.querySelector('table.tests tbody').getBoundingClientRect().top"
_HEIGHT = "return document.documentElement.scrollHeight"


@pytest.mark.parametrize("run", RUNS)
def test_the_table_is_on_the_first_screen(page: Page, tmp_path: Path, run: str) -> None:
    """On a laptop of 1280 by 720 the counts and five rows are above the fold; a phone scrolls one way."""
    page.open(write(tmp_path / "report.html", RUNS[run](), run_notes=["a note"]))
    page.resize(1280, 720)
    top = page.ask(_TOP)
    assert isinstance(top, int | float)
    assert top <= 720 / 2
    assert not page.find(".run-notes ul").is_displayed()
    page.resize(390, 844)
    _open_all(page)
    assert page.ask(_TOO_WIDE) == 0
    assert set(page.requests) == {page.url}


def test_a_thousand_tests_make_a_short_page(page: Page, tmp_path: Path) -> None:
    """The page is as high as the rows that it shows; search and order are over all of them."""
    page.open(write(tmp_path / "report.html", many_run(1000)))
    height = page.ask(_HEIGHT)
    assert isinstance(height, int)
    assert height < 4000
    page.find("#text").send_keys("test_work[999]")
    assert page.texts(_NAMES) == ["test_work[999]"]
    shorter = page.ask(_HEIGHT)
    assert isinstance(shorter, int)
    assert shorter < height


def test_phases_are_rows_below_their_test(page: Page, tmp_path: Path) -> None:
    """Name, share, joules, watts and seconds; an opened test has its details below them."""
    page.open(write(tmp_path / "report.html", suite_run()))
    page.find("#text").send_keys("zstd-level-3")
    assert page.texts(".tests tr.phase td.name") == ["compress", "write to the disk"]
    assert page.texts(".tests tr.phase:nth-child(2) td")[1:3] == ["58 %", "348 mJ"]
    page.find(_NAMES).click()
    kinds = page.ask("return [...document.querySelectorAll('.tests > tbody > tr')].map((e) => e.className)")
    assert kinds == ["opened", "phase opened", "phase opened", "detail"]


def test_a_failing_test_shows_its_number_and_folds_the_rest(page: Page, tmp_path: Path) -> None:
    """The first line of the reason is in the row, the whole reason behind a fold that is closed."""
    page.open(write(tmp_path / "report.html", suite_run()))
    page.find("#text").send_keys("zstd-level-6")
    assert page.texts(".headline")[0].startswith("+20.1 % energy")
    page.find(_NAMES).click()
    assert "The whole reason" in page.texts("tr.detail summary")
    assert not page.find("tr.detail pre").is_displayed()


_CROWDED = """
const found = [];
for (const svg of document.querySelectorAll('figure > svg')) {
  const title = svg.getAttribute('aria-label'), {width, height} = svg.viewBox.baseVal;
  const texts = [...svg.querySelectorAll('text')].filter((e) => e.textContent);
  const boxes = texts.map((e) => [e.textContent, e.getBBox()]);
  boxes.forEach(([text, box], place) => {
    if (box.x < -1 || box.y < -1 || box.x + box.width > width + 1 || box.y + box.height > height + 1) {
      found.push(`${title}: ${text} leaves the chart`);
    }
    for (const [other, next] of boxes.slice(place + 1)) {
      const across = Math.min(box.x + box.width, next.x + next.width) - Math.max(box.x, next.x);
      const down = Math.min(box.y + box.height, next.y + next.height) - Math.max(box.y, next.y);
      if (across > 1 && down > 3) found.push(`${title}: ${text} is over ${other}`);
    }
  });
}
return found;
"""


@pytest.mark.parametrize("name", [None, "h100-planted.json"])
def test_texts_of_charts_are_apart_and_inside(page: Page, tmp_path: Path, name: str | None) -> None:
    """No tick, label or name of a chart is over another one or cut at its edge."""
    path = tmp_path / "report.html"
    page.open(write(path, suite_run()) if name is None else written(path, name))
    _open_all(page)
    assert page.ask("return document.querySelectorAll('figure > svg').length") != 0
    assert page.ask(_CROWDED) == []


def test_letters_of_charts_stay_readable_on_a_phone(page: Page, tmp_path: Path) -> None:
    """The smallest letter of a chart is 7 pixels or more."""
    page.open(written(tmp_path / "report.html", "h100-cnn.json"))
    page.resize(360, 800)
    _open_all(page)
    smallest = page.ask(
        "return Math.min(...[...document.querySelectorAll('figure svg text')].map((e) => "
        "parseFloat(getComputedStyle(e).fontSize) * e.getScreenCTM().a))"
    )
    assert isinstance(smallest, float)
    assert smallest >= 7


def test_paper_has_all_tests_and_no_buttons(page: Page, tmp_path: Path) -> None:
    """Printed, the page is light, without tools, with more than a screen's page of tests, as a table."""
    page.open(write(tmp_path / "report.html", many_run(120)))
    assert len(page.texts(_NAMES)) == 25
    page.prefer("dark", media="print")
    page.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert len(page.texts(_NAMES)) == 120
    assert page.ask(_IS_HIDDEN.format("form.tools"))
    assert page.ask(_IS_HIDDEN.format(".bar"))
    assert min(_colour(page)) > 200
    page.ask("window.dispatchEvent(new Event('afterprint'))")
    assert len(page.texts(_NAMES)) == 25
    paper = page.command("Page.printToPDF", printBackground=True)["data"]
    assert base64.b64decode(str(paper)).startswith(b"%PDF")


def test_paper_says_what_it_leaves_out(page: Page, tmp_path: Path) -> None:
    """Beyond 500 tests the paper counts the rest; the screen then is where it was."""
    page.open(write(tmp_path / "report.html", many_run(620)))
    page.find(".pages button[data-turn=Last]").click()
    page.ask("window.dispatchEvent(new Event('beforeprint'))")
    assert page.texts(_NAMES)[0] == "test_work[0]"
    assert "120 more tests are not printed" in page.texts(".tests tbody tr.none")[0]
    page.ask("window.dispatchEvent(new Event('afterprint'))")
    assert page.find(".pages span").text == "601 to 620 of 620"


def test_many_tests_come_in_pages(page: Page, tmp_path: Path) -> None:
    """25 per page; the buttons turn it and show the place; order and choice are of all tests."""
    page.open(write(tmp_path / "report.html", many_run(1234)))
    assert len(page.texts(_NAMES)) == 25
    assert page.find(".pages span").text == "1 to 25 of 1234"
    page.find(".pages button[data-turn=Next]").click()
    assert page.find(".pages span").text == "26 to 50 of 1234"
    assert page.focused() == "Next"
    page.find(".pages button[data-turn=Last]").click()
    assert page.find(".pages span").text == "1226 to 1234 of 1234"
    page.find(_HEAD.format(3)).click()
    assert page.texts(_NAMES)[0] == "test_work[1233]"


def test_without_scripts_the_page_still_tells(page: Page, tmp_path: Path) -> None:
    """A browser that runs no script shows verdicts, the first tests with their reasons, and says the rest."""
    page.open(write(tmp_path / "report.html", many_run(130)), runs_scripts=False)
    assert len(page.find_all(".tests > tbody > tr")) == STATIC_ROWS
    assert "the page shows the first 100 of 130 tests" in page.find("noscript").text
    assert not page.find("form.tools").is_displayed()
    assert not page.find("#theme").is_displayed()
    page.find(".tests summary").click()
    assert page.find(".tests pre").is_displayed()
