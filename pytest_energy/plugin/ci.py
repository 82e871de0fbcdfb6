"""Output for GitHub Actions: the job's summary, and annotations at the lines of tests.

Rule 1: what can't be shown there is named in the log and fails nothing.
Rule 2: a summary past its limit is refused whole by GitHub, with all that other commands of the step wrote;
so nothing is appended that doesn't fit.
Rule 3: a note at a line is an error exactly where an energy verdict has failed a test, and a warning where a
test has a limit that was not checked; why a run fails as a whole is an error without a line.

Source:
    GitHub, "Workflow commands for GitHub Actions": error messages, job summaries and their limits; the
    escapes are those of `@actions/core`, packages/core/src/command.ts.
"""

import errno
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_energy.judgement import Judgement
from pytest_energy.lazy_module import LazyModule
from pytest_energy.plugin.reports import failure_lines
from pytest_energy.report.view import View
from pytest_energy.whole_file import check_file

if TYPE_CHECKING:
    from pytest_energy.report import to_markdown
else:
    to_markdown = LazyModule("pytest_energy.report.to_markdown")

STEP_LIMIT_BYTES = 1024 * 1024
"""What one step may write into its summary."""
_LONGEST = STEP_LIMIT_BYTES // 4  # characters: in UTF-8 one takes 4 bytes at most
_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = _IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})
_MESSAGE_LIMIT = 4_000  # characters of a note: far more than its four lines need


def append_step_summary(view: View, path: Path) -> str:
    """Append the Markdown report of *view* to a step's summary, as much of it as there is room for.

    Args:
        view: The run.
        path: The file that `GITHUB_STEP_SUMMARY` names.

    Returns:
        What to say of it in the log.
    """
    try:
        check_file(path)
        used_bytes = path.stat().st_size if path.exists() else 0
        for limit in (_LONGEST, to_markdown.LIMIT):
            text = ("\n" if used_bytes else "") + to_markdown.render(view, limit=limit)
            encoded = text.encode("utf-8", "backslashreplace")
            if used_bytes + len(encoded) <= STEP_LIMIT_BYTES:
                _append(path, encoded, used_bytes)
                return f"summary appended to {path}"
    except OSError as error:
        return f"no job summary: {path} (GITHUB_STEP_SUMMARY) can't be written: {error.strerror or error}"
    return (
        f"no job summary: {path} holds {used_bytes} bytes of the {STEP_LIMIT_BYTES} that a step may write, "
        f"and this run's report needs {len(encoded)}; run pytest in its own step"
    )


def _append(path: Path, content: bytes, used_bytes: int) -> None:
    """Append *content* to *path*, of which *used_bytes* are used; or nothing of it."""
    is_whole = False
    with path.open("ab", buffering=0) as file:
        try:
            is_whole = file.write(content) == len(content)
        finally:
            if not is_whole:
                file.truncate(used_bytes)
    if not is_whole:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def annotations(
    tests: Iterable[tuple[pytest.TestReport, Judgement]],
    *,
    root: Path,
    environ: Mapping[str, str],
    failures: Iterable[str] = (),
) -> Iterator[str]:
    """A workflow command for each test that its energy has failed or left unchecked, and for a failed run.

    There are none outside GitHub Actions.

    Args:
        tests: Each report, with what `lifecycle.with_energy` puts on it, and its judgement.
        root: The folder that the places of tests are relative to.
        environ: Of the process.
        failures: Why the run fails as a whole.
    """
    if environ.get("GITHUB_ACTIONS") != "true":
        return
    for failure in failures:
        yield f"::error title=energy::{failure[:_MESSAGE_LIMIT].translate(_IN_MESSAGE)}"
    for report, judgement in tests:
        if report.energy["is_failing"]:
            if judgement.outcome == "failed":
                yield _note_at(report, judgement, "error", root, environ)
        elif judgement.is_unchecked:
            yield _note_at(report, judgement, "warning", root, environ)


def _note_at(
    report: pytest.TestReport, judgement: Judgement, level: str, root: Path, environ: Mapping[str, str]
) -> str:
    """Such as a failure in the log; a warning is one line."""
    lines = failure_lines(judgement) if level == "error" else [judgement.in_brief.headline]
    file, line, name = report.location
    properties = {
        "file": _in_workspace(root.resolve() / file, environ.get("GITHUB_WORKSPACE")),
        **({} if line is None else {"line": str(line + 1)}),  # pytest counts from 0
        "title": f"energy {judgement.verdict}: {name}",
    }
    attributes = ",".join(f"{key}={value.translate(_IN_PROPERTY)}" for key, value in properties.items())
    text = "\n".join(lines)
    return f"::{level} {attributes}::{text[:_MESSAGE_LIMIT].translate(_IN_MESSAGE)}"


def _in_workspace(path: Path, workspace: str | None) -> str:
    """*path* relative to the checkout, by which GitHub finds the line; as it is if it is outside."""
    whole = Path(os.path.normpath(path))  # a link in the checkout keeps its name, under which GitHub knows it
    if workspace and whole.is_relative_to(folder := Path(workspace).resolve()):
        return whole.relative_to(folder).as_posix()
    return whole.as_posix()
