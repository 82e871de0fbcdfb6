"""A headless Chromium, driven through its own driver; without either the tests here are skipped."""

import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.report import to_html, to_json, view
from tests.builders import CREATED

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

ROOT = Path(__file__).parents[2]
_LOADING_S = 30.0  # of a slow machine; a page is there in less than one
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",  # CI runs as root in a container
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--window-size=1280,900",
)


class Page:
    """An open report, and what the browser tells of it."""

    def __init__(self, driver: "Chrome") -> None:
        self._driver = driver
        self.url = ""

    def open(self, path: Path, *, runs_scripts: bool = True) -> None:
        """Open *path* in a desktop's window, in light colours; what was logged before is forgotten."""
        from selenium.webdriver.support.wait import WebDriverWait

        self.command("Emulation.setScriptExecutionDisabled", value=not runs_scripts)
        self.command("Emulation.setEmulatedMedia", media="", features=[])
        self.resize(1280, 900)
        for log in ("browser", "performance"):
            self._driver.get_log(log)  # type: ignore[no-untyped-call]
        self.url = path.as_uri()
        self._driver.get(self.url)
        is_there = f"return location.href === {json.dumps(self.url)} && document.readyState === 'complete'"
        WebDriverWait(self._driver, _LOADING_S).until(lambda _: self.ask(is_there))

    def command(self, name: str, **parameters: object) -> dict[str, object]:
        """Send a command of the DevTools protocol."""
        answer: dict[str, object] = self._driver.execute_cdp_cmd(name, parameters)
        return answer

    def resize(self, width: int, height: int) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def prefer(self, scheme: str, *, media: str = "") -> None:
        """Set the colours that the reader's system prefers, and screen or print."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.command("Emulation.setEmulatedMedia", media=media, features=features)

    def ask(self, script: str) -> object:
        """What *script*, which returns it, finds."""
        return self._driver.execute_script(script)

    def wait(self, script: str) -> None:
        """Wait until *script* returns something true, as after a layout that comes with the next frame."""
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self._driver, _LOADING_S).until(lambda _: self.ask(script))

    def find(self, selector: str) -> "WebElement":
        return self._driver.find_element("css selector", selector)

    def find_all(self, selector: str) -> "list[WebElement]":
        return self._driver.find_elements("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        script = f"return [...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent)"
        found = self.ask(script)
        assert isinstance(found, list)
        return found

    def focused(self) -> str:
        """The element that has the keyboard, by its text."""
        return str(self.ask("return document.activeElement.textContent.trim()"))

    def press(self, *keys: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self._driver).send_keys(*keys).perform()

    @property
    def complaints(self) -> list[str]:
        """What stands in the console since the page was opened."""
        log = self._driver.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(line["message"]) for line in log]

    @property
    def requests(self) -> list[str]:
        """Every address that was asked for since."""
        log = self._driver.get_log("performance")  # type: ignore[no-untyped-call]
        events = [json.loads(line["message"])["message"] for line in log]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]


@pytest.fixture(scope="session")
def driver() -> "Iterator[Chrome]":
    webdriver = pytest.importorskip("selenium.webdriver")
    from selenium.webdriver.chrome.service import Service

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    service = shutil.which("chromedriver")
    if browser is None or service is None:
        pytest.skip("no Chromium with its driver: apt-get install -y chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(service))
    yield chrome
    chrome.quit()


@pytest.fixture
def page(driver: "Chrome") -> Page:
    return Page(driver)


def write(path: Path, judgements: Sequence[Judgement], *, run_notes: Sequence[str] = ()) -> Path:
    """The report of *judgements* as a file."""
    text = to_html.render(view.of(judgements, run_notes=run_notes), created=CREATED)
    path.write_text(text, encoding="utf-8", newline="")
    return path


def written(path: Path, name: str) -> Path:
    """The report of a run that is kept in `docs/results`."""
    source = ROOT / "docs" / "results" / name
    run = to_json.read(source.read_text(encoding="utf-8"), name)
    path.write_text(to_html.render(run, created=CREATED), encoding="utf-8", newline="")
    return path
