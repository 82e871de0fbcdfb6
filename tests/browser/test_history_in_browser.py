"""The page of a history in a browser: nothing foreign runs, nobody is asked, each run can be selected."""

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_energy.history.commits import Commit, Commits
from pytest_energy.history.tracks import History, LeftOut, history_of
from pytest_energy.report.over_commits import page as history_page
from tests.browser.conftest import Page
from tests.browser.runs import HOSTILE
from tests.builders import CREATED
from tests.fakes.run_histories import commit_name, commits, failed, noisy, point, runs

_TOO_WIDE = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
_NAMES = ".history tr:not([hidden]) .opener"
_CARD = ".over > .card:not(.stepped)"


def write(path: Path, history: History) -> Path:
    path.write_text(history_page.render(history, created=CREATED), encoding="utf-8", newline="")
    return path


def some() -> History:
    """Tests with a rise, with a fall, with a failed run, and with neither."""
    named = {
        "up": noisy(60, seed=1, steps={50: 1.15}),
        "down": noisy(60, seed=2, steps={20: 0.9}),
        "fails": noisy(60, seed=3),
        "flat": noisy(60, seed=4),
    }
    points = [
        one for name, values in named.items() for one in runs(values, test_id=f"tests/test_x.py::test_{name}")
    ]
    points = [failed(one) if one.run == "run 7" and "fails" in one.test_id else one for one in points]
    known = commits(60, web="https://github.com/someone/thing")
    change = Commit(name=commit_name(50), subject="Cache the layer", created=points[0].created)
    between = {(commit_name(49), commit_name(50)): (change,)}
    return history_of(points, commits=replace(known, between=between))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("history") / "history.html", some())


def hostile() -> History:
    """Each hostile text as a test, a machine, a commit, a subject, a reason and a file."""
    points = []
    for number, text in enumerate(HOSTILE):
        listed = runs(noisy(12, seed=number, steps={6: 1.5}), test_id=f"tests/test_x.py::test[{text}]")
        points += [replace(failed(one, f"{text}\n{text}"), source=text) for one in listed]
        points.append(point(test_id=text, key=text, commit=text))
    known = commits(12, web="https://github.com/someone/thing")
    named = {name: replace(commit, subject=" ".join(HOSTILE)) for name, commit in known.known.items()}
    between = {(commit_name(5), commit_name(6)): tuple(named.values())}
    changed = Commits(known=named, ranks=known.ranks, line=known.line, web=known.web, between=between)
    return history_of(points, commits=changed, left_out=[LeftOut(source=t, because=t) for t in HOSTILE])


def test_hostile_names_are_only_text(page: Page, tmp_path: Path) -> None:
    """No test, machine, commit, reason or file becomes markup or script; links are to commits alone."""
    page.open(write(tmp_path / "history.html", hostile()))
    page.ask("document.querySelectorAll('.opener').forEach((e) => e.click())")
    assert page.ask("return window.hacked") is None
    assert page.ask("return document.querySelectorAll('img, iframe, object, link, base').length") == 0
    assert page.ask("return document.querySelectorAll('script').length") == 2
    links = page.ask("return [...document.querySelectorAll('main a')].map((e) => e.getAttribute('href'))")
    assert isinstance(links, list)
    assert links
    assert all(link.startswith("https://github.com/someone/thing/co") for link in links)
    assert page.complaints == []
    assert set(page.requests) == {page.url}


def test_the_newest_step_is_first_and_has_its_commits(page: Page, path: Path) -> None:
    """A row opens its chart with the step, the run at it, and the commits between."""
    page.open(path)
    assert page.texts(_NAMES) == ["test_up", "test_down", "test_fails", "test_flat"]
    page.find(_NAMES).click()
    assert len(page.find_all(".over .step")) == 2  # in the chart, and in its key
    assert len(page.find_all(".over svg[tabindex] .pt")) == 60
    (step,) = page.texts(".stepped")
    assert "Compare the two commits" in step
    assert "Cache the layer" in step
    assert "commit 0000032" in page.texts(_CARD)[0]
    assert page.complaints == []


def test_a_run_is_selected_by_pointer_and_by_keyboard(page: Page, path: Path) -> None:
    """The nearest run to a click, and the one beside it by an arrow or a button."""
    page.open(path)
    page.find(".history tr:nth-child(3) .opener").click()
    chart = page.find(".over > svg")
    page.ask(
        "document.querySelector('.over .pt.b').dispatchEvent(new MouseEvent('click', {bubbles: true, "
        "clientX: document.querySelector('.over .pt.b').getBoundingClientRect().x + 4}))"
    )
    assert "REGRESSION" in page.texts(_CARD)[0]
    assert "+20.1 % energy" in page.texts(_CARD)[0]
    chart.send_keys("\ue012")  # left
    assert "commit 0000006" in page.texts(_CARD)[0]
    page.find(f"{_CARD} button[aria-label='Next run']").click()
    assert "commit 0000007" in page.texts(_CARD)[0]
    assert page.focused() == "Next"


def _order(page: Page, name: str) -> None:
    page.ask(
        f"const order = document.getElementById('order'); order.value = '{name}';"
        "order.dispatchEvent(new Event('input'))"
    )


def test_rows_are_searched_ordered_and_chosen(page: Page, path: Path) -> None:
    """By a part of the name, by the size of the step, and only those with one."""
    page.open(path)
    page.find("#text").send_keys("fla")
    assert page.texts(_NAMES) == ["test_flat"]
    assert page.find("#shown").text == "1 of 4 rows"
    page.find("#text").send_keys("\ue003" * 3)
    page.find("#stepped").click()
    assert page.texts(_NAMES) == ["test_up", "test_down"]
    page.find("#stepped").click()
    _order(page, "failed")
    assert page.texts(_NAMES)[0] == "test_fails"
    _order(page, "name")
    assert page.texts(_NAMES) == ["test_down", "test_fails", "test_flat", "test_up"]


def test_it_fits_a_phone(page: Page, path: Path) -> None:
    """Nothing is wider than the screen, with a chart open, whose letters keep their size."""
    page.open(path)
    page.resize(390, 844)
    page.find(_NAMES).click()
    width = "document.querySelector('.over > svg').viewBox.baseVal.width"
    page.wait(f"return 260 <= {width} && {width} <= 390")
    assert page.ask(_TOO_WIDE) == 0


def test_dark_is_dark(page: Page, path: Path) -> None:
    """It follows the reader's system, and the button overrides it."""
    page.open(path)
    page.prefer("dark")
    dark = page.ask("return getComputedStyle(document.body).backgroundColor")
    page.find("#theme").click()
    assert dark != page.ask("return getComputedStyle(document.body).backgroundColor")


def test_without_scripts_every_test_is_there(page: Page, path: Path) -> None:
    """Rows with their lines and steps need none, and the page says what is missing."""
    page.open(path, runs_scripts=False)
    assert len(page.find_all(".history tbody tr .spark")) == 4
    assert not page.find("form.tools").is_displayed()
