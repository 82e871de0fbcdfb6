"""What approaches a piecewise linear curve exponentially, as a slow meter's sum does the true one. Pure."""

from typing import TYPE_CHECKING

from pytest_energy.lazy_module import LazyModule

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
else:
    np = LazyModule("numpy")


def approached(at_s: "Floats", times_s: "Floats", sums: "Floats", slow_s: float) -> "Floats":
    """The piecewise linear *sums* at *at_s*, or what approaches them with the time constant *slow_s*.

    Of y' = (x - y) / c, where x is a + b t from some moment on: y is x - b c, and a rest that decays.

    Args:
        at_s: Any shape; in seconds.
        times_s: Of the corners, in order; shape (n,).
        sums: There, such as joules so far; shape (n,).
        slow_s: Seconds; 0 for the curve itself.

    Returns:
        In the unit of *sums*, of the shape of *at_s*.
    """
    plain: Floats = np.interp(at_s, times_s, sums)
    if not slow_s:
        return plain
    spacings_s = np.diff(times_s)
    has_length = spacings_s > 0
    slopes = np.append(
        np.divide(np.diff(sums), spacings_s, out=np.zeros_like(spacings_s), where=has_length), 0.0
    )
    bends = np.diff(slopes, prepend=0.0) * slow_s
    decays = np.append(1.0, np.exp(-spacings_s / slow_s))
    rest, rests = 0.0, []
    for decay, bend in zip(decays.tolist(), bends.tolist(), strict=True):
        rest = rest * decay + bend
        rests.append(rest)
    last = np.searchsorted(times_s, at_s, side="right") - 1
    after = last >= 0
    last = np.maximum(last, 0)
    behind = (
        np.array(rests)[last] * np.exp(-np.maximum(at_s - times_s[last], 0.0) / slow_s)
        - slopes[last] * slow_s
    )
    return np.where(after, plain + behind, plain)
