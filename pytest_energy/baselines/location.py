"""Where the baselines are: a folder, or a URL."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pytest_energy.baselines.object_store import ObjectStore
from pytest_energy.baselines.protocol import BaselineStore
from pytest_energy.baselines.schema import KEPT_COUNT
from pytest_energy.baselines.store import Store

Location: TypeAlias = Path | str
"""A folder, or a URL as text."""


def location(text: str, folder: Path = Path()) -> Location:
    """*text* as a URL if it has `://`, else as a path from *folder*.

    >>> location("s3://bucket/baselines")
    's3://bucket/baselines'
    """
    return text if "://" in text else folder / text


def store_at(
    where: Location, *, keep: int = KEPT_COUNT, tell: Callable[[str], None] = lambda _: None
) -> BaselineStore:
    """The baselines at *where*.

    Args:
        where: Nothing is looked at yet.
        keep: Sessions of a baseline that count where all are stored.
        tell: Called with what was left out of a baseline, and why.
    """
    return Store(where) if isinstance(where, Path) else ObjectStore(where, keep=keep, tell=tell)
