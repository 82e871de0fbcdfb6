"""Whole reports, letter by letter. `ENERGY_GOLDEN=accept` writes what is rendered now; then read the diff."""

import os
import re
from pathlib import Path

import pytest

from pytest_energy.report import formats, to_terminal, view
from tests.builders import CREATED
from tests.fakes.sessions import estimated_session, gpu_session, phased_session, replayed_session

FOLDER = Path(__file__).parent
TEMPLATES = Path(formats.__file__).parent / "templates"
SESSIONS = {
    "gpu": gpu_session,
    "estimated": estimated_session,
    "replayed": replayed_session,
    "phases": phased_session,
}


def _check(name: str, text: str) -> None:
    path = FOLDER / name
    if os.environ.get("ENERGY_GOLDEN") == "accept":
        path.write_text(text, encoding="utf-8", newline="")
    assert text == path.read_text(encoding="utf-8"), (
        f"{name} differs; `make golden` accepts what is rendered now"
    )


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("session", SESSIONS)
def test_terminal(session: str, width: int) -> None:
    """The screen at three widths is as accepted."""
    text = to_terminal.render(view.of(SESSIONS[session]()), width=width)
    _check(f"{session}_{width}.txt", text + "\n")


@pytest.mark.parametrize("suffix", formats.SUFFIXES)
@pytest.mark.parametrize("session", SESSIONS)
def test_file(session: str, suffix: str) -> None:
    """The files are as accepted."""
    text = formats.RENDERERS[suffix](view.of(SESSIONS[session]()), CREATED)
    _check(f"{session}{suffix}", _without_own_parts(text) if suffix == ".html" else text)


def _without_own_parts(page: str) -> str:
    """*page* with the names of its style and its script for what they hold, and no hashes of them."""
    for name in ("report.css", "report.js"):
        own = (TEMPLATES / name).read_text(encoding="utf-8").rstrip("\n")
        assert page.count(own) == 1, f"the page holds {name} as it stands, once"
        page = page.replace(own, name)
    return re.sub(r"&#39;sha256-[^ ;]*", "(hash)", page)
