"""Which renderer writes which file: the suffix picks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement, RunJudgement
from pytest_energy.report import to_csv, to_html, to_json, to_markdown, view
from pytest_energy.report.view import View
from pytest_energy.whole_file import write_whole
from pytest_energy.yardstick import Yardstick

Renderer = Callable[[View, str], str]
"""From a view and the UTC time of the document (ISO 8601 with `Z`) to the file's text."""

RENDERERS: Mapping[str, Renderer] = {
    ".json": lambda view, created: to_json.render(view, created=created),
    ".rounds.csv": lambda view, _: to_csv.render(to_csv.table_of_rounds(view)),
    ".csv": lambda view, _: to_csv.render(to_csv.table_of_tests(view)),
    ".md": lambda view, _: to_markdown.render(view),
    ".html": lambda view, created: to_html.render(view, created=created),
}

SUFFIXES = tuple(RENDERERS)


def renderer_of(path: Path) -> Renderer:
    """The renderer for *path*; a name of nothing but a suffix will do.

    Raises:
        SettingsError: There is none for its suffix, or what it is made with is not installed.

    >>> renderer_of(Path("energy.JSON")) is RENDERERS[".json"]
    True
    >>> renderer_of(Path("rounds.csv")) is RENDERERS[".rounds.csv"]
    True
    """
    name = f".{path.name.lower()}"
    suffix = next((suffix for suffix in RENDERERS if name.endswith(suffix)), None)
    if suffix is None:
        msg = f"{path} ends in {path.suffix or 'no suffix'!r}; a report ends in one of {', '.join(SUFFIXES)}"
        raise SettingsError(msg)
    if suffix == ".html":
        to_html.check_installed()
    return RENDERERS[suffix]


def write(
    judgements: Sequence[Judgement],
    path: Path,
    *,
    created: str,
    run_notes: Iterable[str] = (),
    yardstick: Yardstick | None = None,
    run_judgement: RunJudgement | None = None,
) -> None:
    """Write the report of *judgements* to *path*; folders on the way are made.

    Args:
        judgements: In the order that a reader expects.
        path: Its suffix is one of `SUFFIXES`.
        created: UTC time of the document, ISO 8601 with `Z`.
        run_notes: What was found at the end of the run.
        yardstick: What the fixed loads used, where any were.
        run_judgement: By what the run was judged as a whole, where that is known.

    Raises:
        SettingsError: The suffix is not known, or the file can't be written.
    """
    run = view.of(judgements, run_notes=run_notes, yardstick=yardstick, run_judgement=run_judgement)
    text = renderer_of(path)(run, created)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise SettingsError(f"the report {path} can't be written: {error.strerror or error}") from error
