"""No credential of an endpoint or a command in anything that a run writes, whatever fails in it."""

import pytest

from pytest_energy import masking
from pytest_energy.masking import masked
from tests.plugin.conftest import Project

KEY, PASSWORD = "sk-open-SESAME-0123456789", "p4ssw0rdOfSomeone"
PARTS = (KEY, PASSWORD, KEY[:12], KEY.encode().hex(), "c2stb3Blbi1TRVNB")  # the last is base64
TESTS = """
import os, signal, sys
import pytest
from pytest_energy.serving.engines.openai_endpoint import OpenAiEndpoint
from tests.fakes.openai_server import HANG, FakeOpenAiServer, Reply, json_reply

CLOSED = "http://127.0.0.1:9"
PRINT = "import sys; print(sys.argv); sys.exit(1)"

def key():
    return os.environ["OF_THE_TEST"]

def url(rest="127.0.0.1:9"):
    return f"http://me:{os.environ['OF_THE_URL']}@{rest}"

class Late(Exception):
    pass

def interrupt(*_):
    raise Late

def serve(energy, **page):
    with FakeOpenAiServer() as server:
        server.completion = lambda asked: page.get("reply") or json_reply(dict(asked.headers), 401)
        with OpenAiEndpoint(server.url, api_key=key()) as engine:
            if "after_s" in page:
                signal.signal(signal.SIGALRM, interrupt)
                signal.setitimer(signal.ITIMER_REAL, page["after_s"])
            energy.requests(engine, [[1, 2, 3]], rate=float("inf"), output_tokens=2)

FAILS = {
    "refused": lambda energy: OpenAiEndpoint(CLOSED, api_key=key()),
    "refused url": lambda energy: OpenAiEndpoint(url()),
    "line end": lambda energy: OpenAiEndpoint(CLOSED, api_key=key() + "\\n"),
    "both": lambda energy: OpenAiEndpoint(url(), api_key=key()),
    "query": lambda energy: OpenAiEndpoint(url("host?a=1")),
    "port": lambda energy: OpenAiEndpoint(url("host:99999")),
    "swapped": lambda energy: OpenAiEndpoint(key(), api_key=url()),
    "model": lambda energy: OpenAiEndpoint(CLOSED, model=key(), api_key=key()),
    "fields": lambda energy: OpenAiEndpoint(CLOSED, extra_body={"auth": {key()}}),
    "list": lambda energy: OpenAiEndpoint(CLOSED, extra_body=[key()]),
    "timeout": lambda energy: OpenAiEndpoint(CLOSED, api_key=key(), timeout_s="1"),
    "echo": serve,
    "interrupt": lambda energy: serve(energy, reply=Reply(steps=(HANG,)), after_s=0.2),
    "command": lambda energy: energy.command([sys.executable, "-S", "-c", PRINT, "--api-key", key()]),
    "no command": lambda energy: energy.command(["no-such", "--token", key()], env={"A_KEY": key()}),
    "text": lambda energy: energy.command("no-such --token " + key()),
    "word": lambda energy: energy.command(["no-such", "--token", key(), 8000]),
}

@pytest.mark.parametrize("name", FAILS)
def test_work(energy, name):
    FAILS[name](energy)
"""


@pytest.mark.parametrize("style", [["--tb=long", "--showlocals", "-vv"], ["--tb=native"], []])
def test_nothing_that_a_run_writes_holds_a_credential(
    project: Project, monkeypatch: pytest.MonkeyPatch, style: list[str]
) -> None:
    """Not the screen, and no report: with every argument and variable of every frame in it."""
    pytest.importorskip("aiohttp")
    monkeypatch.setenv("OF_THE_TEST", KEY)  # no name of a secret: known from where it is given
    monkeypatch.setenv("OF_THE_URL", PASSWORD)
    project.write(TESTS)
    reports = ("--energy-out=out.html", "--junitxml=out.xml", "-ojunit_logging=all")
    run = project.run("--energy-sensors=estimate", "-rA", *reports, *style)
    run.result.assert_outcomes(failed=17)
    texts = [run.text, *((project.path / f"out.{kind}").read_text() for kind in ("json", "html", "xml"))]
    assert [(part, text) for part in PARTS for text in texts if part in text] == []
    assert "***" in run.text


def test_a_secret_is_forgotten_with_its_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A later run in the same process has words of its own, also one that a conftest.py has kept."""
    monkeypatch.setattr(masking, "_given", {})
    project.write(f"from pytest_energy.masking import keep_secret\nkeep_secret({KEY!r})\n", "conftest.py")
    project.write(f"from pytest_energy.masking import masked\ndef test_work(): print(masked({KEY!r}))\n")
    assert "***" in project.run("-s").text
    assert masked(KEY) == KEY
