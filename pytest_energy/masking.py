"""Masks secrets, before a text is cut or shown.

Rule 1: known as secrets are what `keep_secret` was given, the values of environment variables whose names say
so (from 8 characters on), and of any URL the user's part and the parameters whose names say so.
Rule 2: a secret is covered in each form that programs write it in: as it is, percent-encoded, with the
escapes of JSON or HTML, as the codes of its characters, in base64, in upper case, broken into lines.
Rule 3: a word that begins as a secret does is covered to its end: it may have been cut.
Rule 4: a shorter secret is often a word (`EMPTY`, `x`, `test`). It is covered in what others wrote (a server,
a program), if it is alone; our own sentences repeat no argument that may hold one.
"""

import base64
import html
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar
from urllib.parse import quote, quote_plus

T_co = TypeVar("T_co", covariant=True)

COVER = "***"

WORD_LENGTH = 8  # what is shorter may be a word
MOST_BEGIN_LENGTH = 32  # of a value that is a secret by its variable's name alone: it may be like others
MOST_BROKEN_LENGTH = 128  # a longer secret is looked for with its own line breaks, or none

# `_KEY` and not `KEY`, which ends MONKEY; the name of libpq's variable is PGPASSWORD.
_LAST_OF_NAME = (
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY|(?<![^\W_])(?:KEY|PASS|PAT|CREDENTIALS?|AUTHORIZATION))"
    r"(?:_?\d+)?"
)
_SECRET_NAME = re.compile(f"{_LAST_OF_NAME}$", re.IGNORECASE)
_HEADER_OR_SETTING = re.compile(rf"[\w-]*{_LAST_OF_NAME}[=:]\s*", re.IGNORECASE)
_NAMED_VALUE = re.compile(
    rf"""(?P<start>(?<![\w-])(?:[\w-]*{_LAST_OF_NAME}["']?[=:]\s*|-[\w-]*{_LAST_OF_NAME}\s+)"""
    r"""(?:(?:basic|bearer)\s+)?["']?)(?P<value>[^\s"',;}]+)""",
    re.IGNORECASE,
)
_OPAQUE = re.compile(r"[\w+/=.~-]+")  # no part of a program, such as `key=len(name)`
_USER_OF_URL = re.compile(r"""(?<=://)[^\s/?#"'<>]+@""")
_SECRET_OF_URL = re.compile(
    rf"""(?<=[?&])(?P<start>[\w.-]*{_LAST_OF_NAME}=)[^\s&#"'<>]+""",
    re.IGNORECASE,
)
_REST_OF_WORD = r"""[^\s"'<>]*"""

_ENVIRON = os.environ  # the process's own, whatever stands in its place during a test
_given: dict[str, int] = {}  # secret to how much of it gives it away


class Secret(str):
    """A text that no `repr` shows, and so no traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return COVER


@dataclass(frozen=True, slots=True, repr=False)
class Hidden(Generic[T_co]):
    """An argument that may be a secret or hold one; of any type, as users mistake them."""

    value: T_co

    def __repr__(self) -> str:
        return COVER


def keep_secret(*secrets: str) -> None:
    """Cover *secrets* in every text from now on; without what is empty."""
    _given.update(dict.fromkeys(filter(None, map(str.strip, secrets)), WORD_LENGTH))


def _keep_by_name(value: str) -> None:
    if len(value := value.strip()) >= WORD_LENGTH:
        _given.setdefault(value, _begin_length(value))


def keep_named_secrets(value: object, *, is_secret: bool = False) -> None:
    """Mask values in *value*, of mappings and lists, under the name of a secret."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            keep_named_secrets(item, is_secret=is_secret or is_secret_name(str(name)))
    elif isinstance(value, list | tuple):
        for item in value:
            keep_named_secrets(item, is_secret=is_secret)
    elif is_secret and isinstance(value, str):
        _keep_by_name(value)


def with_secrets(values: Mapping[str, object]) -> dict[str, object]:
    """*values* with those texts as `Secret` that are one by their name, kept from now on."""
    keep_named_secrets(values)
    return {
        name: Secret(value) if isinstance(value, str) and is_secret_name(name) else value
        for name, value in values.items()
    }


def keep_secrets_of_words(words: Sequence[str]) -> None:
    """Mask the arguments of a command that follow the name of a secret."""
    for word, spans in zip(words, _secret_spans(words), strict=True):
        for part in " ".join(word[slice(*span)] for span in spans).split():
            if _OPAQUE.fullmatch(part):
                _keep_by_name(part)


def secrets_of_run() -> Callable[[], None]:
    """Mask the environment's secrets, which a test may remove; returns what ends the masking."""
    before = dict(_given)
    _given.update(_of_environment())

    def forget() -> None:
        _given.clear()
        _given.update(before)

    return forget


def is_secret_name(name: str) -> bool:
    """Whether what goes by *name* (a variable, a field, an option) is a secret."""
    return _SECRET_NAME.search(name) is not None


def masked(text: str) -> str:
    """*text* with every known secret covered, without those that may be words of it."""
    given = {secret: length for secret, length in _given.copy().items() if len(secret) >= WORD_LENGTH}
    return _covered(text, _of_environment() | given)


def masked_foreign(text: str) -> str:
    """*text* of a server or a program with every known secret covered."""
    return _covered(text, _of_environment() | _given)


def masked_json(text: str) -> str:
    """*text* of JSON with every known secret covered, and values under the name of one."""
    return masked_foreign(_NAMED_VALUE.sub(_covered_value, text))


def masked_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """*facts* with every secret covered, those included that are one by their name alone."""
    return {name: COVER if is_secret_name(name) else masked(value) for name, value in facts.items()}


def masked_words(words: Sequence[str]) -> list[str]:
    """The arguments of a command, without what goes by the name of a secret.

    >>> masked_words(["serve", "--api-key", "sesame", "--token=sesame", "-H", "Authorization: sesame"])
    ['serve', '--api-key', '***', '--token=***', '-H', 'Authorization: ***']
    >>> masked_words(["sh", "-c", "cd x; KEY=sesame serve --api-key sesame -v"])
    ['sh', '-c', 'cd x; KEY=*** serve --api-key *** -v']
    """
    covered = map(_without, words, _secret_spans(words))
    return [masked_foreign(word) for word in covered]


def _without(word: str, spans: Sequence[tuple[int, int]]) -> str:
    starts, ends = [0, *(end for _, end in spans)], [*(start for start, _ in spans), len(word)]
    return COVER.join(word[start:end] for start, end in zip(starts, ends, strict=True))


def _secret_spans(words: Sequence[str]) -> Iterator[list[tuple[int, int]]]:
    """Of each word, where it holds a secret by its name."""
    is_value = False
    for word in words:
        if is_value:
            yield [(0, len(word))]
        elif named := _HEADER_OR_SETTING.match(word):
            yield [(named.end(), len(word))]
        else:
            yield [one.span("value") for one in _NAMED_VALUE.finditer(word)]
        is_value = not is_value and word.startswith("-") and is_secret_name(word)


def _covered(text: str, begin_lengths: Mapping[str, int]) -> str:
    for secret in sorted(begin_lengths, key=len, reverse=True):  # one may be the beginning of another
        text = _pattern(secret, begin_lengths[secret]).sub(COVER, text)
    return _SECRET_OF_URL.sub(_covered_value, _USER_OF_URL.sub(f"{COVER}@", text))


def _covered_value(found: re.Match[str]) -> str:
    return f"{found['start']}{COVER}"  # a template would have `re` import, maybe among a test's patches


def _of_environment() -> dict[str, int]:
    names = filter(is_secret_name, tuple(_ENVIRON))
    values = (_ENVIRON.get(name, "").strip() for name in names)  # another thread may take one away
    return {value: _begin_length(value) for value in values if len(value) >= WORD_LENGTH}


def _begin_length(value: str) -> int:
    if value.startswith(("/", "~", ".")):
        return len(value)  # the path of a key, perhaps, which begins as others do
    return max(WORD_LENGTH, min(len(value) // 2, MOST_BEGIN_LENGTH))


@lru_cache(maxsize=256)
def _pattern(secret: str, begin_length: int) -> re.Pattern[str]:
    """What *secret* is found by: itself in each form, or a word that begins with so much of it."""
    if len(secret) < WORD_LENGTH:
        return re.compile("|".join(rf"(?<!\w){re.escape(form)}(?!\w)" for form in _forms(secret)))
    begin = secret[:begin_length]
    begins = (*_forms(begin), *_codes(begin), *_base64(secret[: begin_length // 3 * 3]))
    codes = _codes(secret) if len(secret) <= MOST_BROKEN_LENGTH else ()  # they begin as a word does
    wholes = map(_broken, (*_forms(secret), *codes, *_base64(secret)))
    parts = (*wholes, *(re.escape(begin) + _REST_OF_WORD for begin in begins))
    return re.compile("|".join(dict.fromkeys(parts)), re.IGNORECASE)


def _broken(form: str) -> str:
    """*form* with any line breaks in it, or the zeros of UTF-16."""
    words = form.split()
    return r"[\s\0]*".join(map(re.escape, "".join(words) if len(form) <= MOST_BROKEN_LENGTH else words))


def _forms(secret: str) -> tuple[str, ...]:
    written = (
        secret,
        quote(secret, errors="replace"),
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
        json.dumps(secret)[1:-1],
        html.escape(secret),
    )
    return tuple(dict.fromkeys(written))


def _codes(secret: str) -> tuple[str, ...]:
    """*secret* with the code of each of its characters or bytes in its place."""
    written = ("\\u{:04x}", "\\x{:02x}", "&#{};", "&#x{:x};")
    content = secret.encode(errors="replace")
    of_bytes = ("".join(map(form.format, content)) for form in ("%{:02x}", "{:02x}"))
    of_characters = ("".join(form.format(ord(character)) for character in secret) for form in written)
    return (*of_characters, *of_bytes, ", ".join(map(str, content)))


def _base64(secret: str) -> tuple[str, ...]:
    content = secret.encode(errors="replace")
    ways = (base64.b64encode, base64.urlsafe_b64encode)
    return tuple(dict.fromkeys(way(content).decode().rstrip("=") for way in ways))
