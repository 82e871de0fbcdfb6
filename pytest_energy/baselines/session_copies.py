"""Copies of a test's sessions in one object, for those who read its whole history. Pure.

Rule 1: a copy is never the truth. It is used for an object that is listed, whose name says what is in it.
What is not in it is read, and a damaged one is no copy.
"""

import gzip
import zlib
from collections.abc import Mapping

import msgspec

COPIES_NAME = ".copies.json.gz"
"""Beside the sessions; no listing takes it for one."""

# A thousand sessions of twenty rounds are 5 MB. More than this is none of ours, and would take the memory.
_MOST_BYTES = 200_000_000
_GZIP = 16 + zlib.MAX_WBITS


def packed(contents: Mapping[str, bytes]) -> bytes:
    """The *contents* of objects by their names, as one."""
    texts = {name: content.decode("utf-8") for name, content in sorted(contents.items())}
    return gzip.compress(msgspec.json.encode(texts), mtime=0)


def unpacked(content: bytes) -> dict[str, bytes]:
    """What `packed` was given; nothing of what it did not make."""
    try:
        text = zlib.decompressobj(_GZIP).decompress(content, _MOST_BYTES)
        texts = msgspec.json.decode(text, type=dict[str, str])
    except (zlib.error, msgspec.MsgspecError):
        return {}
    return {name: one.encode("utf-8") for name, one in texts.items()}
