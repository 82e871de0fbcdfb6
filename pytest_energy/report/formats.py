"""Which renderer writes which file: the suffix picks."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_energy.errors import EnergyError, SettingsError
from pytest_energy.judgement import Judgement, RunJudgement
from pytest_energy.report import to_csv, to_html, to_json, to_markdown, to_terminal, view
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


def made(what: str, make: Callable[[View], str], run: View) -> str:
    """What the renderer *make* makes of *run*; *what* names it in a message.

    Raises:
        SettingsError: It fails, by a mistake of its own. The test that it fails on is named.
    """
    try:
        return make(run)
    except EnergyError:
        raise
    except Exception as error:  # what else was asked for is there all the same
        tests = _fewest(make, run.judgements)
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise SettingsError(
            f"{what} can't be made{tests}: {type(error).__name__}: {error} "
            f"({Path(place.filename).name}:{place.lineno}); this is a mistake in pytest-energy: report it"
        ) from error


def _fewest(make: Callable[[View], str], judgements: Sequence[Judgement]) -> str:
    """The one test of *judgements* that *make* fails on, in words; nothing where it takes several."""
    halves = [judgements]
    while failing := next((half for half in halves if _fails(make, half)), None):
        if len(failing) == 1:
            return f" for {failing[0].record.test_id}"
        middle = len(failing) // 2
        halves = [failing[:middle], failing[middle:]]
    return ""


def _fails(make: Callable[[View], str], judgements: Sequence[Judgement]) -> bool:
    try:
        make(view.of(judgements))
    except Exception:  # noqa: BLE001  # of the same kind as in `made`
        return True
    return False


def summary_text(run: View, *, width: int, shows_rest: bool = False) -> str:
    """*run* as a terminal of *width* columns shows it.

    Raises:
        SettingsError: As for `made`.
    """
    return made("the summary", lambda one: to_terminal.render(one, width=width, shows_rest=shows_rest), run)


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
        SettingsError: The suffix is not known, or the report can't be made, or not be written.
    """
    renderer = renderer_of(path)
    run = view.of(judgements, run_notes=run_notes, yardstick=yardstick, run_judgement=run_judgement)
    text = made(f"the report {path}", lambda one: renderer(one, created), run)
    try:
        write_whole(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise SettingsError(f"the report {path} can't be written: {error.strerror or error}") from error
