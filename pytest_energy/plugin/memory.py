"""Tests that end because a device has too little memory."""

_MOST_CAUSES = 20  # errors that led to one another; who has more may have a circle


def why_out_of_memory(error: BaseException) -> str | None:
    """That *error*, or one that led to it, is of too little memory, in its own words; or `None`.

    Libraries are known by the names of their errors, so that none of them is imported here.

    Source:
        `torch.cuda.OutOfMemoryError` and `cupy.cuda.memory.OutOfMemoryError`.
    """
    one: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if one is None:
            return None
        names = {kind.__name__ for kind in type(one).__mro__}
        if names & {"OutOfMemoryError", "MemoryError"}:
            text = next(iter(str(one).splitlines()), "") or "no details are known"
            return f"out of memory: {text}"
        one = one.__cause__ or one.__context__
    return None
