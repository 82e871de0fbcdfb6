"""Which renderer writes which file: the suffix picks."""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from pytest_energy.errors import EnergyError, SettingsError, described
from pytest_energy.judgement import Judgement, RunJudgement
from pytest_energy.report import to_csv, to_html, to_json, to_markdown, to_terminal, view
from pytest_energy.report.view import View
from pytest_energy.whole_file import check_place, write_whole, writing
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


def check_outputs(paths: Iterable[Path]) -> None:
    """Refuse, before the work, reports that are sure not to be written.

    Raises:
        SettingsError: As for `renderer_of`; or no file can be put there.
    """
    for path in paths:
        renderer_of(path)
        with writing(f"the report {path}"):
            check_place(path)


def is_whole_run(path: Path) -> bool:
    """Whether every other report can be made of the one in *path*, which is JSON.

    >>> is_whole_run(Path("energy.JSON")), is_whole_run(Path("energy.csv"))
    (True, False)
    """
    return renderer_of(path) is RENDERERS[".json"]


def mistake_text(error: Exception) -> str:
    """What is said of an *error* that nobody has foreseen."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{described(error)} ({Path(place.filename).name}:{place.lineno})"
    if isinstance(error, MemoryError):
        return f"{what}; there is too little memory"
    return f"{what}; this is a mistake in pytest-energy: report it"


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
        raise SettingsError(f"{what} can't be made{tests}: {mistake_text(error)}") from error


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


def summary_text(run: View, *, width: int) -> str:
    """The whole of *run* as a terminal of *width* columns shows it.

    Raises:
        SettingsError: As for `made`.
    """
    return made("the summary", lambda one: to_terminal.render(one, width=width), run)


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
    with writing(f"the report {path}"):
        write_whole(path, text.encode("utf-8", "backslashreplace"))


def write_each(
    paths: Iterable[Path], write_one: Callable[[Path], None], tell: Callable[[Path], None]
) -> None:
    """Write each of *paths*: first those of which the others can be made again, and each on its own.

    Args:
        paths: As for `write`.
        write_one: Writes one.
        tell: Is told of each that is written.

    Raises:
        SettingsError: Some can't be made or written, all of which it names. The others are written.
    """
    failures = []
    for path in sorted(paths, key=lambda path: not is_whole_run(path)):
        try:
            write_one(path)
        except EnergyError as error:
            failures.append(str(error))
        else:
            tell(path)
    if failures:
        raise SettingsError("\n".join(failures))
