"""A badge of a run: as a file that shields.io reads, and as a picture that needs no service.

Source:
    shields.io, "Endpoint Badge": the schema of the file, and the colours' names.
"""

import json
from dataclasses import dataclass

from pytest_energy.judgement import FAILING, Verdict
from pytest_energy.report.view import View

_LABEL = "energy"
# White text on them has a contrast of 4.5 or more (WCAG 2.2, 1.4.3); the names are those of shields.io.
_COLOURS = {"brightgreen": "#3c8505", "yellow": "#8f6d00", "red": "#c33c26", "lightgrey": "#6b6b6b"}
_CHARACTER_PX, _PADDING_PX = 6.3, 10  # of Verdana at 11 px, on average; textLength makes up for the rest
_GOOD = (Verdict.PASS, Verdict.IMPROVEMENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """Message and colour of a badge, as shields.io names them."""

    message: str
    colour: str


def badge_of(view: View) -> Badge:
    """The failing tests, else how many of all tests pass, else that nothing was compared."""
    counts = view.counts
    failing = [f"{count} {verdict}" for verdict, count in counts.items() if verdict in FAILING]
    test_count, good_count = len(view.rows), sum(counts.get(verdict, 0) for verdict in _GOOD)
    if failing:
        return Badge(message=", ".join(failing), colour="red")
    if not test_count:
        return Badge(message="no tests", colour="lightgrey")
    if not good_count:
        return Badge(message="not compared", colour="lightgrey")
    if good_count < test_count:
        return Badge(message=f"{good_count} of {test_count} pass", colour="yellow")
    return Badge(message=f"{good_count} pass", colour="brightgreen")


def render_json(view: View) -> str:
    """The file for shields.io's endpoint badge."""
    badge = badge_of(view)
    fields = {"schemaVersion": 1, "label": _LABEL, "message": badge.message, "color": badge.colour}
    return json.dumps(fields, indent=2) + "\n"


def render_svg(view: View) -> str:
    """The picture."""
    badge = badge_of(view)
    left_px, right_px = _width_px(_LABEL), _width_px(badge.message)
    width_px, title = left_px + right_px, f"{_LABEL}: {badge.message}"
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{width_px}" height="20" role="img" aria-label="{title}">
<title>{title}</title>
<clipPath id="r"><rect width="{width_px}" height="20" rx="3"/></clipPath>
<g clip-path="url(#r)">
<rect width="{left_px}" height="20" fill="#555"/>
<rect x="{left_px}" width="{right_px}" height="20" fill="{_COLOURS[badge.colour]}"/>
</g>
<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
{_text(_LABEL, 0, left_px)}
{_text(badge.message, left_px, right_px)}
</g>
</svg>
"""


def _width_px(text: str) -> int:
    return round(len(text) * _CHARACTER_PX) + _PADDING_PX


def _text(text: str, x_px: int, width_px: int) -> str:
    length_px = width_px - _PADDING_PX
    return f'<text x="{x_px + _PADDING_PX // 2}" y="14" textLength="{length_px}">{text}</text>'
