"""Names of folders and files for machines and tests: the same in a folder as behind a URL. Pure.

Rule 1: no id, however odd, leads out of its folder or to another test's place, on a file system that ignores
case neither.
"""

import hashlib
import re
from functools import lru_cache
from pathlib import PurePosixPath

CALIBRATION_NAME = "calibration.json"
"""In a machine's folder, which has no baselines itself: those are in the folders of their test files."""

# Names that every file system stores as they are, and that no two of which differ by case only. `~` is left
# out: it stands before the hash of those that are not such names.
_PLAIN_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9_.,=+\[\]-]*[a-z0-9_+\]])?")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9_.,=+\[\]-]+")
# File systems end at 255 bytes a name; the hash, `.json` and the marks of a file being written need 50.
_NAME_LENGTH = 120
# Linux ends at 4096 bytes a path, and the folder itself stands before this part of it.
_PATH_LENGTH = 1000
# 48 bits: two of a million odd names fall together once in 500 suites, and then the id in the file tells.
_HASH_LENGTH = 12
# S3 ends at 1024 bytes a key: the URL's own path and the object's name need the rest.
_PREFIX_LENGTH = 600
# fsspec takes brackets for patterns; names have none of these in their place.
_NO_PATTERN = str.maketrans("[]", "()")


def path_of(test_id: str) -> PurePosixPath:
    """Path of a test's file inside its machine's folder."""
    test_file, _, name = test_id.partition("::")
    folders = [name_of(part) for part in test_file.split("/")]
    if sum(len(part) + 1 for part in folders) > _PATH_LENGTH:
        folders = [_hashed(test_file, test_file)]
    # The whole id is hashed, as two ids can share an odd name: `a.py` and `a.py::` have none.
    file_name = name if _is_plain(name) else _hashed(name, test_id)
    return PurePosixPath(*folders, f"{file_name}.json")


def name_of(part: str) -> str:
    """*part* as the name of a folder: itself if it is plain, else its readable part and a hash."""
    # A folder never ends in `.json`, so that it is never in the way of a baseline.
    return part if _is_plain(part) and not part.endswith(".json") else _hashed(part, part)


def _is_plain(name: str) -> bool:
    return len(name) <= _NAME_LENGTH and _PLAIN_NAME.fullmatch(name) is not None


def _hashed(name: str, content: str) -> str:
    # A file name that was not UTF-8 comes as lone surrogates.
    digest = hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()
    readable = _NOT_PLAIN.sub("-", name).strip("-.+=,")[:_NAME_LENGTH]
    return f"{readable or '_'}~{digest[:_HASH_LENGTH]}"


@lru_cache(maxsize=1024)  # each of a thousand sessions is of the same one
def prefix_of(machine_key: str, test_id: str) -> PurePosixPath:
    """Behind a URL: the folder of the sessions of *test_id* on *machine_key*."""
    return machine_prefix_of(machine_key) / test_prefix_of(test_id)


def machine_prefix_of(machine_key: str) -> PurePosixPath:
    """Behind a URL: the folder of what is kept of *machine_key*."""
    return PurePosixPath(name_of(machine_key).translate(_NO_PATTERN))


def test_prefix_of(test_id: str) -> PurePosixPath:
    """Behind a URL: the folder of the sessions of *test_id* inside its machine's."""
    path = str(path_of(test_id)).removesuffix(".json")
    short = path if len(path) <= _PREFIX_LENGTH else f"_/{_hashed(test_id, test_id)}"
    return PurePosixPath(short.translate(_NO_PATTERN))
