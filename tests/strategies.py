"""What hypothesis draws from, where several files draw alike."""

from hypothesis import strategies as st

from pytest_energy.codec import LEAST_NUMBER


def numbers(least: float, most: float) -> st.SearchStrategy[float]:
    """From *least* to *most*, as a document holds them: 0, or not nearer to it than `LEAST_NUMBER`."""
    return st.floats(least, most).filter(lambda number: not 0 < abs(number) < LEAST_NUMBER)
