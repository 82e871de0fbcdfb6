"""Which renderer writes which output: a file's suffix picks, and a collector gets metrics.

Rule 1: a renderer is imported when an output that it writes is checked: before any test of a run.
"""

import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pytest_energy.errors import EnergyError, SettingsError, described
from pytest_energy.judgement import Judgement
from pytest_energy.lazy_module import LazyModule
from pytest_energy.report import to_json, to_terminal, view
from pytest_energy.report.outputs import Collector, Output
from pytest_energy.report.view import View
from pytest_energy.run_judgement import RunJudgement
from pytest_energy.spelling import did_you_mean
from pytest_energy.tariff import Tariff
from pytest_energy.whole_file import check_place, write_whole, writing
from pytest_energy.yardstick import Yardstick

if TYPE_CHECKING:
    from pytest_energy.report import badge, to_csv, to_html, to_markdown, to_otlp, to_prometheus
else:
    badge = LazyModule("pytest_energy.report.badge")
    to_csv = LazyModule("pytest_energy.report.to_csv")
    to_html = LazyModule("pytest_energy.report.to_html")
    to_markdown = LazyModule("pytest_energy.report.to_markdown")
    to_otlp = LazyModule("pytest_energy.report.to_otlp")
    to_prometheus = LazyModule("pytest_energy.report.to_prometheus")

T = TypeVar("T")

Renderer = Callable[[View, str], str]
"""From a view and the UTC time of the document (ISO 8601 with `Z`) to the file's text."""

RENDERERS: Mapping[str, Renderer] = {
    ".json": lambda view, created: to_json.render(view, created=created),
    ".rounds.csv": lambda view, _: to_csv.render(to_csv.table_of_rounds(view)),
    ".csv": lambda view, _: to_csv.render(to_csv.table_of_tests(view)),
    ".md": lambda view, _: to_markdown.render(view),
    ".html": lambda view, created: to_html.render(view, created=created),
    ".prom": lambda view, _: to_prometheus.render(view),
    ".badge.json": lambda view, _: badge.render_json(view),
    ".badge.svg": lambda view, _: badge.render_svg(view),
}

SUFFIXES = tuple(RENDERERS)

_GET_READY: Mapping[str, Callable[[], object]] = {
    ".rounds.csv": lambda: to_csv.render,
    ".csv": lambda: to_csv.render,
    ".md": lambda: to_markdown.render,
    ".html": lambda: to_html.check_installed(),  # noqa: PLW0108  # to name it is to import it
    ".prom": lambda: to_prometheus.check_installed(),  # noqa: PLW0108  # to name it is to import it
    ".badge.json": lambda: badge.render_json,
    ".badge.svg": lambda: badge.render_svg,
}
"""What imports a renderer and checks that its libraries are installed."""


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
    suffix = max((suffix for suffix in RENDERERS if name.endswith(suffix)), key=len, default=None)
    if suffix is None:
        hint = did_you_mean(path.suffix, SUFFIXES) if path.suffix else ""
        msg = f"{path} ends in {path.suffix or 'no suffix'!r}; a report ends in one of {', '.join(SUFFIXES)}"
        raise SettingsError(f"{msg}.{hint}")
    if suffix in _GET_READY:
        _GET_READY[suffix]()
    return RENDERERS[suffix]


def check_outputs(outputs: Iterable[Output]) -> None:
    """Refuse, before the work, reports that are sure not to be written.

    Raises:
        SettingsError: As for `renderer_of`; or no file can be put there; or what sends metrics is missing.
    """
    for output in outputs:
        if isinstance(output, Collector):
            to_otlp.check(output)
            continue
        renderer_of(output)
        with writing(f"the report {output}"):
            check_place(output)


def is_whole_run(output: Output) -> bool:
    """Whether every other report can be made of the one in *output*, which is JSON.

    >>> is_whole_run(Path("energy.JSON")), is_whole_run(Path("energy.csv"))
    (True, False)
    """
    return isinstance(output, Path) and renderer_of(output) is RENDERERS[".json"]


def mistake_text(error: Exception) -> str:
    """The message of an *error* that was not foreseen."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    what = f"{described(error)} ({Path(place.filename).name}:{place.lineno})"
    if isinstance(error, MemoryError):
        return f"{what}; out of memory"
    return f"{what}; this is a bug in pytest-energy: please report it"


def made(what: str, make: Callable[[View], T], run: View) -> T:
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


def _fewest(make: Callable[[View], object], judgements: Sequence[Judgement]) -> str:
    """The one test of *judgements* that *make* fails on, in words; nothing where it takes several."""
    halves = [judgements]
    while failing := next((half for half in halves if _fails(make, half)), None):
        if len(failing) == 1:
            return f" for {failing[0].record.test_id}"
        middle = len(failing) // 2
        halves = [failing[:middle], failing[middle:]]
    return ""


def _fails(make: Callable[[View], object], judgements: Sequence[Judgement]) -> bool:
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
    output: Output,
    *,
    created: str,
    run_notes: Iterable[str] = (),
    yardstick: Yardstick | None = None,
    run_judgement: RunJudgement | None = None,
    tariff: Tariff | None = None,
) -> None:
    """Write the report of *judgements* to *output*; folders on the way are made.

    Args:
        judgements: In the order that a reader expects.
        output: A path whose suffix is one of `SUFFIXES`, or a collector.
        created: UTC time of the document, ISO 8601 with `Z`.
        run_notes: What was found at the end of the run.
        yardstick: What the fixed loads used, where any were.
        run_judgement: By what the run was judged as a whole, where that is known.
        tariff: Carbon intensity and price of a kilowatt hour, where they were given.

    Raises:
        SettingsError: The suffix is not known, or the report can't be made, or not be written or sent.
    """
    run = view.of(
        judgements,
        run_notes=run_notes,
        yardstick=yardstick,
        run_judgement=run_judgement,
        tariff=tariff,
    )
    if isinstance(output, Collector):
        to_otlp.send(made(f"the metrics for {output}", to_otlp.metrics_of, run), output)
        return
    renderer = renderer_of(output)
    text = made(f"the report {output}", lambda one: renderer(one, created), run)
    with writing(f"the report {output}"):
        write_whole(output, text.encode("utf-8", "backslashreplace"))


def write_each(
    outputs: Iterable[Output], write_one: Callable[[Output], None], tell: Callable[[Output], None]
) -> None:
    """Write each of *outputs*: first those of which the others can be made again, and each on its own.

    Args:
        outputs: As for `write`.
        write_one: Writes one.
        tell: Is told of each that is written.

    Raises:
        SettingsError: Some can't be made or written, all of which it names. The others are written.
    """
    failures = []
    for output in sorted(outputs, key=lambda output: not is_whole_run(output)):
        try:
            write_one(output)
        except EnergyError as error:
            failures.append(str(error))
        else:
            tell(output)
    if failures:
        raise SettingsError("\n".join(failures))
