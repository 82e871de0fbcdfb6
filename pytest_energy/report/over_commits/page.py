"""A history as one page that needs no network.

Rule 1: as the report of a run (`report/to_html.py`): one file, a policy that allows no request, foreign
    text only ever as text.
Rule 2: without the script the page still has every test with its line, its newest step and its newest joules.
"""

from functools import lru_cache
from typing import TYPE_CHECKING

from pytest_energy.errors import SettingsError
from pytest_energy.history.tracks import History
from pytest_energy.report.cells import printable
from pytest_energy.report.html.sealed import data_text, own_text, policy
from pytest_energy.report.over_commits import entries, spark, summary
from pytest_energy.verdict.figures import count_text

if TYPE_CHECKING:
    from jinja2 import Template

MOST_LEFT_OUT = 200


def check_installed() -> None:
    """Refuse before the work, not after it.

    Raises:
        SettingsError: What writes the page is not installed.
    """
    try:
        _template()
    except ImportError as error:
        raise SettingsError(
            "an .html page is written by jinja2, which is not installed: pip install 'pytest-energy[html]'"
        ) from error


def render(history: History, *, created: str) -> str:
    """The page as text that ends in a newline.

    Args:
        history: With a point at least.
        created: UTC time of the document, ISO 8601 with `Z`.

    Raises:
        SettingsError: jinja2 is not installed.
    """
    check_installed()
    style = f"{own_text('report.css')}\n{own_text('history.css')}"
    script = own_text("history.js")
    return _template().render(
        style=style,
        script=script,
        policy=policy(style, script),
        data=data_text(entries.data(history)),
        title=f"Energy over {summary.heading(history)}",
        steps=count_text(len(history.steps), "step"),
        order="commit" if history.is_by_commit else "date",
        created=printable(created),
        rows=entries.rows(history),
        width=spark.WIDTH,
        height=spark.HEIGHT,
        legends=summary.legends(history),
        left_out=entries.left_out(history, MOST_LEFT_OUT),
        left_out_count=len(history.left_out),
    )


@lru_cache(maxsize=1)
def _template() -> "Template":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("pytest_energy.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("history.html.j2")
