"""A history as a table: a row for each test and run. Pure."""

from pytest_energy.codec import JsonDict
from pytest_energy.history.series import Mark
from pytest_energy.history.tracks import History, Track
from pytest_energy.report import to_csv

_COLUMNS = (
    *("id", "machine_key", "provenance", "unit", "created", "commit", "is_dirty", "value", "uncertainty"),
    *(
        "verdict",
        "outcome",
        "why_unused",
        "step_ratio",
        "step_ratio_ci_lower",
        "step_ratio_ci_upper",
        "source",
    ),
)


def render(history: History) -> str:
    """Text with a header: joules, and in the first run of a new level the step to it."""
    rows = tuple(
        _row(track, place, mark) for track in history.tracks for place, mark in enumerate(track.marks)
    )
    return to_csv.render(to_csv.Table(columns=_COLUMNS, rows=rows))


def _row(track: Track, place: int, mark: Mark) -> JsonDict:
    point, step = mark.point, next((step for step in track.steps if step.place == place), None)
    row: JsonDict = {
        "id": track.test_id,
        "machine_key": track.machine_key,
        "provenance": track.provenance.value,
        "unit": track.kind if track.kind == "ratio" else f"J/{track.kind}",
        "created": point.created.isoformat().replace("+00:00", "Z"),
        "commit": point.commit,
        "is_dirty": point.is_dirty,
        "value": mark.value,
        "uncertainty": None if mark.value is None else mark.uncertainty,
        "why_unused": mark.why_unused,
        "source": point.source,
    }
    if track.test_id:
        row |= {"verdict": point.verdict and point.verdict.value, "outcome": point.outcome}
    if step is not None:
        low, high = step.ratio_ci
        row |= {"step_ratio": step.ratio, "step_ratio_ci_lower": low, "step_ratio_ci_upper": high}
    return row
