"""File systems of fsspec that refuse: one whose files are only read, one that nobody reaches."""

from collections.abc import Iterator
from contextlib import contextmanager

import fsspec
from fsspec.implementations.memory import MemoryFileSystem


class OnlyRead(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """`memory:` for those who may list and read, and no more."""

    protocol = "onlyread"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("onlyread://", "memory://")))

    def pipe_file(self, path: str, *_: object, **__: object) -> None:
        raise PermissionError(f"Access Denied: PutObject {path} with token=sesame-open-please")

    def rm(self, *_: object, **__: object) -> None:
        raise PermissionError("Access Denied: DeleteObject")


class Unreached(MemoryFileSystem):  # type: ignore[misc]
    """A service whose host is not found."""

    protocol = "unreached"

    def ls(self, *_: object, **__: object) -> list[object]:
        raise ConnectionError("Could not connect to the endpoint URL")


for _one in (OnlyRead, Unreached):
    fsspec.register_implementation(_one.protocol, _one, clobber=True)


@contextmanager
def empty_memory() -> Iterator[dict[str, object]]:
    """The files of `memory:`, which are of this process, until the end; none then."""
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]
    try:
        yield MemoryFileSystem.store
    finally:
        MemoryFileSystem.store.clear()
        MemoryFileSystem.pseudo_dirs[:] = [""]
