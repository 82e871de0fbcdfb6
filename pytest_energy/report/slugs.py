"""Names of files, out of names that anybody may have given. Pure.

Rule 1: a file's name holds letters of ASCII, digits and `._+-` alone, begins with a word of ours, and is
    short: no name leads out of the folder, none is hidden, none is refused by a file system.
Rule 2: two figures of one run never have the same file.
"""

import re
import unicodedata
from collections.abc import Iterable

_MOST_CHARACTERS = 100  # file systems take 255; a path has folders too


def slug(text: str) -> str:
    """*text* as a part of a file's name.

    >>> slug("test_a.py::test_training[resnet18/../x]"), slug("größe 1B@4/s"), slug("//")
    ('test_a.py-test_training-resnet18-x', 'grosse-1B-4-s', 'unnamed')
    """
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode("ascii")
    kept = re.sub(r"[^A-Za-z0-9._+]+|\.\.+", "-", plain)
    kept = re.sub(r"-(-|\.)*-", "-", kept)
    return kept[:_MOST_CHARACTERS].strip("-.") or "unnamed"


def distinct(stems: Iterable[str]) -> list[str]:
    """*stems* with a number behind each that another has already, capitals or not.

    >>> distinct(["a", "A", "a", "a-2"])
    ['a', 'A-2', 'a-3', 'a-2-2']
    """
    used: set[str] = set()
    names = []
    for stem in stems:
        name, number = stem, 1
        while name.lower() in used:
            number += 1
            name = f"{stem}-{number}"
        used.add(name.lower())
        names.append(name)
    return names
