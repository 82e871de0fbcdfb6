"""What hypothesis draws from, where several files draw alike."""

from hypothesis import strategies as st

from pytest_energy.codec import LEAST_NUMBER


def numbers(least: float | None = None, most: float | None = None) -> st.SearchStrategy[float]:
    """From *least* to *most*, or any: as near to 0 as a document holds them."""
    return st.floats(least, most).filter(lambda number: not 0 < abs(number) < LEAST_NUMBER)
