"""A study as one page that needs no network and runs no script."""

from pytest_energy.report import cells
from pytest_energy.report.cells import printable
from pytest_energy.report.html.sealed import own_text, page_template, policy
from pytest_energy.report.html.svg import draw
from pytest_energy.report.html.tables import of_texts
from pytest_energy.study.figures import plans_of
from pytest_energy.study.study import Study
from pytest_energy.study.tables import heading, sections_of

_TEMPLATE = "study.html.j2"


def check_installed() -> None:
    """Refuse before the work, not after it.

    Raises:
        SettingsError: What writes the page is not installed.
    """
    page_template(_TEMPLATE)


def render(study: Study, *, created: str) -> str:
    """The page as text that ends in a newline.

    Args:
        study: The study.
        created: UTC time of the document, ISO 8601 with `Z`.

    Raises:
        SettingsError: jinja2 is not installed.
    """
    style = own_text("report.css")
    sheets = [plan.sheet() for plan in plans_of(study)]
    return page_template(_TEMPLATE).render(
        style=style,
        policy=policy(style, ""),
        title=f"Energy of {heading(study)}",
        sections=sections_of(study),
        charts=[(printable(sheet.title), sheet.charts) for sheet in sheets],
        cells=cells,
        of_texts=of_texts,
        draw=draw,
        created=printable(created),
    )
