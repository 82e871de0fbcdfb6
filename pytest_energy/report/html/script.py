"""What the page's script reads of charts: shapes, and what many of them share by its place in a list.

Rule 1: what charts have in common, such as looks, axes and keys, is written once: 10,000 tests stay light.
"""

import math

from pytest_energy.report.html.svg import Figure, Path, Text

_SORTED_DIGITS = 9  # of a number that is sorted by


def rounded(value: float | None) -> float | None:
    """*value* for the page's script, which sorts by it; `None` for what is no number."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.{_SORTED_DIGITS}g}")


class Shared:
    """Values that charts have in common, each once, in the order of their places."""

    def __init__(self) -> None:
        self._places: dict[object, int] = {}

    @property
    def values(self) -> list[object]:
        return list(self._places)

    def place(self, value: object) -> int:
        """Where *value*, of tuples, stands now or from now on."""
        return self._places.setdefault(value, len(self._places))

    def figure(self, figure: Figure) -> list[object]:
        """Places of the title with caption and height, of each part's shapes, and of the keys."""
        head = self.place((figure.title, figure.caption, figure.height))
        parts = [self.place(tuple(map(self._shape, part))) for part in figure.parts]
        keys = [self.place((self._shape(sample), text)) for sample, text in figure.keys]
        return [head, parts, keys]

    def _shape(self, shape: Path | Text) -> tuple[object, ...]:
        """Look and form of a path, and its places; or of a text its look, its place and itself."""
        if isinstance(shape, Path):
            return self.place((shape.look, shape.form)), shape.places
        return self.place((shape.look, shape.anchor)), shape.x, shape.y, shape.text
