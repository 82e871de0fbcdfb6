"""A history as one page that needs no network.

Rule 1: as the report of a run (`report/to_html.py`): one file, a policy that allows no request, foreign
    text only ever as text.
Rule 2: without the script the page still has every test with its line, its newest step and its newest joules.
"""

from pytest_energy.history.tracks import History
from pytest_energy.report.cells import printable
from pytest_energy.report.html.sealed import data_text, own_text, page_template, policy
from pytest_energy.report.over_commits import entries, spark, summary
from pytest_energy.verdict.figures import count_text

_TEMPLATE = "history.html.j2"

MOST_LEFT_OUT = 200


def check_installed() -> None:
    """Refuse before the work, not after it; what the page needs is imported, before tests may be in its way.

    Raises:
        SettingsError: What writes the page is not installed.
    """
    page_template(_TEMPLATE)


def render(history: History, *, created: str) -> str:
    """The page as text that ends in a newline.

    Args:
        history: With a point at least.
        created: UTC time of the document, ISO 8601 with `Z`.

    Raises:
        SettingsError: jinja2 is not installed.
    """
    style = f"{own_text('report.css')}\n{own_text('history.css')}"
    script = own_text("history.js")
    return page_template(_TEMPLATE).render(
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
