"""A repository whose whole history is imported by one git."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

FIRST_S = 1_767_225_600  # 2026-01-01, of the first commit; a day lies between two


def imported(
    folder: Path, changes: Sequence[Mapping[str, bytes]], *, aside: Mapping[str, bytes] | None = None
) -> list[str]:
    """A repository in *folder* with a commit for each of *changes*, path to content; their names.

    A commit of *aside* is on a branch of its own from the first commit; its name is the last.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _git(folder, "init", "--quiet", "--initial-branch=main")
    stream = b"".join(_commit(number, "main", files) for number, files in enumerate(changes))
    if aside is not None:
        stream += _commit(len(changes), "aside", aside, parent=b"from :1\n")
    _git(folder, "fast-import", "--quiet", given=stream)
    _git(folder, "reset", "--quiet", "--hard", "main")
    names = _git(folder, "rev-list", "--reverse", "main").split()
    return names if aside is None else [*names, _git(folder, "rev-parse", "aside").strip()]


def _commit(number: int, branch: str, files: Mapping[str, bytes], parent: bytes = b"") -> bytes:
    when = f"A Person <person@example.org> {FIRST_S + 86_400 * number} +0000"
    message = f"Change {number}".encode()
    head = f"commit refs/heads/{branch}\nmark :{number + 1}\ncommitter {when}\ndata {len(message)}\n".encode()
    blobs = b"".join(
        f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n"
        for path, content in files.items()
    )
    return head + message + b"\n" + parent + blobs + b"\n"


def _git(folder: Path, *words: str, given: bytes = b"") -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, input=given, capture_output=True, check=True)  # noqa: S603  # ours
    return done.stdout.decode()
