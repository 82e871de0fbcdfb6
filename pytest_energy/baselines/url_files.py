"""Files behind a URL, by fsspec: listed, read, put and removed whole.

Rule 1: what is not there is told from what can't be reached or is refused: only the first may be absent.
Rule 2: a listing is never taken from a cache.
Rule 3: a file is put in one step. Object stores do so; a local file is written beside its place first.
Rule 4: no secret of the URL, nor of an answer, is in a message.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from pytest_energy.baselines.protocol import NotWritable
from pytest_energy.errors import BaselineError, SettingsError, described
from pytest_energy.lazy_module import LazyModule
from pytest_energy.masking import masked, masked_json
from pytest_energy.whole_file import make_folder, replace_whole

if TYPE_CHECKING:
    from fsspec import core
    from fsspec.implementations import local
else:
    core = LazyModule("fsspec.core")
    local = LazyModule("fsspec.implementations.local")

# What fsspec takes for a pattern, anywhere in a path.
_PATTERN = re.compile(r"[*?\[]")
# The first part of such a path is a bucket or container, which nobody makes by writing into it.
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss"})
# Packages by protocol, as users install them.
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_AT_ONCE = 32  # requests that wait for their answers: 1,000 at 30 ms each take 1 s
_REASON_LENGTH = 500
_ADVICE = "check the URL, the credentials and the network, or name a folder"


@dataclass(frozen=True, slots=True)
class Found:
    """A file in a listing."""

    name: str
    size_bytes: int


@dataclass(frozen=True)
class UrlFiles:
    """The files below *url*; paths are relative to it, and have no patterns in them."""

    url: str
    _checked: list[bool] = field(default_factory=list, repr=False)

    @cached_property
    def name(self) -> str:
        return masked(self.url).rstrip("/")

    def shown(self, path: PurePath | str) -> str:
        return f"{self.name}/{path}"

    # ---- what is there ----

    def files(self, folder: PurePath) -> tuple[Found, ...]:
        """Those directly in *folder*, sorted by name; none if it is not there."""
        return tuple(
            Found(_last(one["name"]), int(one.get("size") or 0))
            for one in self._listed(folder)
            if one["type"] != "directory"
        )

    def folders(self, folder: PurePath) -> tuple[str, ...]:
        """Names of those directly in *folder*, sorted; none if it is not there."""
        return tuple(_last(one["name"]) for one in self._listed(folder) if one["type"] == "directory")

    def all_files(self) -> Iterator[PurePath]:
        """Every file, in no order."""
        with self._asking("list", ""):
            self._check()
            found = self._system.find(self._root)
        skipped = len(self._root.rstrip("/")) + 1
        yield from (PurePath(one[skipped:]) for one in found)

    def _listed(self, folder: PurePath) -> list[Any]:
        with self._asking("list", folder):
            self._check()
            try:
                found = self._system.ls(self._path(folder), detail=True)
            except FileNotFoundError:
                return []
        return sorted(found, key=lambda one: str(one["name"]))

    # ---- what is in it ----

    def contents(self, paths: Iterable[PurePath]) -> Mapping[PurePath, bytes]:
        """What is in each of *paths*; without those that are gone."""
        by_name = {self._path(path): path for path in paths}
        if not by_name:
            return {}
        with self._asking("read", next(iter(by_name.values()))):
            answers = self._system.cat([*by_name], on_error="return")
            result = {}
            for name, path in by_name.items():
                answer = answers[name]
                if isinstance(answer, bytes):
                    result[path] = answer
                elif not isinstance(answer, FileNotFoundError):
                    raise answer
        return result

    # ---- changes ----

    def put(self, path: PurePath, content: bytes) -> None:
        """Put *content* at *path*.

        Raises:
            NotWritable: That is refused.
        """
        name = self._path(path)
        with self._asking("write", path):
            if isinstance(self._system, local.LocalFileSystem):
                make_folder(Path(name).parent)
                replace_whole(Path(name), content)
            else:
                self._system.pipe_file(name, content)

    def put_each(self, contents: Mapping[PurePath, bytes]) -> None:
        """`put` each of *contents*, several at once."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self.put, contents, contents.values()))

    def remove(self, paths: Iterable[PurePath]) -> None:
        """Remove *paths*; one that is gone is no error."""
        names = [self._path(path) for path in paths]
        if not names:
            return
        with self._asking("remove", _last(names[0])):
            try:
                self._system.rm(names)
            except FileNotFoundError:  # another one removes them, too
                for name in names:
                    with suppress(FileNotFoundError):
                        self._system.rm_file(name)

    # ---- the other side ----

    @cached_property
    def _place(self) -> tuple[Any, str]:
        """The file system, and the path of the URL in it."""
        protocol = self.url.partition("://")[0].rpartition("::")[2]
        if _PATTERN.search(self.url):
            raise SettingsError(f"the URL of the baselines must have no *, ? or [. Got {self.name!r}.")
        try:
            system, root = core.url_to_fs(self.url, use_listings_cache=False)
        except ImportError as error:
            package = _PACKAGES.get(protocol, "")
            raise SettingsError(
                f"{self.name} needs a package that is not installed ({error}): "
                f'pip install "pytest-energy[fleet]" {package}'.rstrip()
            ) from error
        except ValueError as error:
            raise SettingsError(f"{self.name} can't be used: {_reason(error)}; {_ADVICE}") from error
        return system, str(root).rstrip("/")

    @property
    def _system(self) -> Any:
        return self._place[0]

    @property
    def _root(self) -> str:
        return self._place[1]

    def _path(self, path: PurePath) -> str:
        return self._root if path == PurePath() else f"{self._root}/{path}"

    def _check(self) -> None:
        """Refuse a bucket that is not there: it would look like one without baselines."""
        if self._checked:
            return
        if self.url.partition("://")[0].rpartition("::")[2] in _BUCKETS:
            bucket = self._root.partition("/")[0]
            if not bucket:
                raise SettingsError(f"{self.name} must name a bucket, such as s3://bucket/baselines")
            try:
                self._system.info(bucket)
            except FileNotFoundError as error:
                raise BaselineError(f"{self.name}: there is no bucket {bucket!r}; {_ADVICE}") from error
            except PermissionError:
                pass  # to look at the whole may be refused where its part is readable: the listing tells
        self._checked.append(True)

    @contextmanager
    def _asking(self, verb: str, path: PurePath | str) -> Iterator[None]:
        """Tell what goes wrong in the block, to *verb* the *path*, as a `BaselineError`."""
        try:
            yield
        except (BaselineError, SettingsError):
            raise
        except PermissionError as error:
            if verb in {"write", "remove"}:
                raise NotWritable(
                    f"can't {verb} {self.shown(path)}: {_reason(error)}. Baselines at {self.name} are only "
                    "readable with these credentials: drop --energy-baseline, or use credentials that write"
                ) from error
            raise BaselineError(f"can't {verb} {self.shown(path)}: {_reason(error)}; {_ADVICE}") from error
        except Exception as error:  # each service has errors of its own
            kind = NotWritable if verb in {"write", "remove"} else BaselineError
            raise kind(f"can't {verb} {self.shown(path)}: {_reason(error)}; {_ADVICE}") from error


def _last(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2]


def _reason(error: BaseException) -> str:
    """What *error* says, of bounded length: an answer may repeat what it was asked with."""
    return masked_json(described(error))[:_REASON_LENGTH]
