"""The page of a history, as text."""

import base64
import hashlib
import re
from importlib.resources import files

from pytest_energy.history.tracks import LeftOut, history_of
from pytest_energy.report.over_commits import page
from tests.builders import CREATED
from tests.fakes.run_histories import commits, noisy, point, runs

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror=alert(1)>"


def text_of(**more: object) -> str:
    history = history_of(runs(noisy(40, steps={20: 1.2})), **more)  # type: ignore[arg-type]  # its own words
    return page.render(history, created=CREATED)


def test_the_first_screen_has_the_runs_and_the_steps() -> None:
    """Title, number of steps, order of runs, and a row with its step."""
    text = text_of()
    assert "<h1>Energy over 40 runs of 1 test on 1 machine, 2026-01-01 to 2026-02-09</h1>" in text
    assert "1 step; runs are in order of date." in text
    assert '<span class="verdict bad">+' in text
    assert "in order of commit" in text_of(commits=commits(40))


def test_only_what_is_written_here_runs() -> None:
    """The policy holds the hashes of the one style and the one script, and forbids all else."""
    text = text_of()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    style = text.partition("<style>")[2].partition("</style>")[0]
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    for part in (style, script):
        digest = base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy.replace("&#39;", "'").replace("&#43;", "+")
    assert policy.replace("&#39;", "'").startswith("default-src 'none'")


def test_foreign_text_is_only_text() -> None:
    """A name, a commit, a reason and a file of somebody's are no markup, in the page and in its data."""
    listed = runs(noisy(40, steps={20: 1.2}), test_id=f"t.py::test[{HOSTILE}]")
    text = page.render(
        history_of([*listed, point(key=HOSTILE)], left_out=[LeftOut(source=HOSTILE, because=HOSTILE)]),
        created=HOSTILE,
    )
    assert "<img" not in text
    assert text.count("<script") == 2


def test_no_style_needs_a_class_that_is_not_there() -> None:
    """Every class of the page's own style is in its template, its script or the looks of a mark."""
    templates = files("pytest_energy.report") / "templates"
    used = "".join(
        (templates / name).read_text(encoding="utf-8") for name in ("history.html.j2", "history.js")
    )
    style = (templates / "history.css").read_text(encoding="utf-8")
    names = set(re.findall(r"\.([a-z][a-z-]*)", re.sub(r"\{[^}]*\}", "", style))) - {"b", "g", "u", "x"}
    assert {name for name in names if not re.search(rf"\b{name}\b", used)} <= {"bad", "good"}
