"""Which frame of a call chain is the user's."""

import sys
import sysconfig
from collections import Counter
from pathlib import Path

from pytest_energy.counts import CallPlace
from pytest_energy.masking import masked
from pytest_energy.tracing.events import Site

_MOST_PLACES = 3  # of an entry; more would be a list of the whole model
_INSTALLED = ("site-packages", "dist-packages")
_LIBRARIES = ("torch", "torchgen", "functorch", "triton")
_OURS = Path(__file__).parents[1].as_posix()


class Places:
    """Decides which files are the user's.

    Rule 1: a file in the folder of the suite is the user's, but for packages installed inside it.
    Rule 2: a file of another package is one only where no frame of the chain is in the folder.
    Rule 3: torch, the standard library and this package are never named.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._known: dict[str, tuple[int, str]] = {}

    def site(self, file: str, line: int, function: str) -> Site | None:
        """The frame as a site; `None` if the file is not the user's."""
        rank, path = self._known.get(file) or self._known.setdefault(file, self._rank(file))
        return Site(path, line, function, rank) if rank else None

    def _rank(self, file: str) -> tuple[int, str]:
        if not file or file.startswith("<"):
            return 0, file
        path = self._whole(Path(file))
        parts = path.parts
        if path.is_absolute() and not _is_installed(parts) and path.is_relative_to(self._folder):
            ours = path.as_posix().startswith(_OURS)
            return (0, file) if ours else (2, path.relative_to(self._folder).as_posix())
        if path.is_absolute() and not _is_installed(parts) and (near := path.resolve()) != path:
            return self._rank(str(near))
        return (0, file) if _is_of_a_library(path) else (1, _short(path))

    def _whole(self, path: Path) -> Path:
        """The path with the entry of `sys.path` that the profiler has cut off; as it is where none fits."""
        if path.is_absolute():
            return path
        there = [Path(entry).absolute() / path for entry in sys.path if (Path(entry) / path).is_file()]
        in_folder = [one for one in there if one.is_relative_to(self._folder)]
        return (in_folder or there or [path])[0]


def inner(outer: Site | None, now: Site | None) -> Site | None:
    """Of two sites of a chain the one to name: the innermost of the highest rank."""
    if now is None or (outer is not None and outer.rank > now.rank):
        return outer
    return now


def places_of(sites: Counter[Site]) -> tuple[CallPlace, ...]:
    """The most frequent sites, of equals the first in the order of files."""
    ranked = sorted(sites.items(), key=lambda item: (-item[1], item[0]))[:_MOST_PLACES]
    return tuple(
        CallPlace(file=masked(site.file), line=site.line, function=masked(site.function), count=count)
        for site, count in ranked
    )


def _is_installed(parts: tuple[str, ...]) -> bool:
    return any(name in parts for name in _INSTALLED)


def _short(path: Path) -> str:
    """The path from its package on."""
    parts = path.parts
    for index in range(len(parts) - 1, -1, -1):
        if parts[index] in _INSTALLED:
            return "/".join(parts[index + 1 :])
    return path.as_posix()


def _is_of_a_library(path: Path) -> bool:
    text = path.as_posix()
    if text.startswith(_OURS) or _short(path).split("/", 1)[0] in _LIBRARIES:
        return True
    return any(text.startswith(base) for base in _STANDARD) and not _is_installed(path.parts)


_STANDARD = tuple(
    {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), f"{sys.base_prefix}/lib"} - {""}
)
