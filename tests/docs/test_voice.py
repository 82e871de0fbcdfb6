"""The words of docs/voice.md that we no longer use, in what a user reads."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_energy
from pytest_energy.plugin.options import OPTIONS

ROOT = Path(__file__).parents[2]
PACKAGE = Path(pytest_energy.__file__).parent

FORMER = {
    "tells?": "report, show, detect",
    "told": "reported, shown, detected",
    "parted": "separated",
    "held against": "compared with",
    "stands?(?! still)": "is, remains",
    "goes(?= with| from)": "correlates, lasts",
    "surely": "at 95 % confidence",
    "strangers?": "other programs",
    "nobody": "who does not",
    "somebody": "another program, a user",
    "mend(?:s|ed|ing)?": "fix",
    "is there:": "is available:",
    "there, but": "available, but",
    "from 1 on": "at least 1",
    "(?:become|becomes|get|gets) (?:dearer|cheaper)": "rise, fall",
    "what was seen": "what it is",
}
"""A word, as a regular expression, to what is written instead."""

WORDS = re.compile(rf"\b(?:{'|'.join(FORMER)})(?!\w)", re.IGNORECASE)

KEPT = {"docs/voice.md", "docs/decisions.md", "docs/results.md"}
"""Pages that show former words, or list records that are not rewritten."""

Passage = tuple[str, str]


def pages() -> Iterator[Path]:
    """README and every page of the docs, without records of decisions and measurements."""
    yield ROOT / "README.md"
    for path in sorted((ROOT / "docs").rglob("*.md")):
        place = path.relative_to(ROOT)
        if place.parts[1] not in ("decisions", "results") and place.as_posix() not in KEPT:
            yield path


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Lines of a page with their numbers; without code and comments, which are no sentences."""
    is_code = False
    for number, line in enumerate(text.splitlines(), start=1):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif not is_code and not line.startswith("<!--"):
            yield number, re.sub(r"`[^`]*`", "", line)


def former_words(passages: Iterator[Passage]) -> list[str]:
    """Where a former word is, with the line that it is in."""
    return [
        f"{place}: {found[0]!r} in {text.strip()}"
        for place, text in passages
        for found in WORDS.finditer(text)
    ]


def literals(path: Path) -> Iterator[Passage]:
    """The string literals of a module that are no docstrings, the pieces of f-strings included."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield f"{path.relative_to(PACKAGE.parent)}:{node.lineno}", node.value


def in_pages() -> Iterator[Passage]:
    for path in pages():
        for number, line in prose(path.read_text(encoding="utf-8")):
            yield f"{path.relative_to(ROOT)}:{number}", line


def in_literals() -> Iterator[Passage]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield from literals(path)


def test_pages_use_the_words_of_the_voice() -> None:
    """What docs/voice.md replaces comes back in no page."""
    assert former_words(in_pages()) == []


def test_messages_use_the_words_of_the_voice() -> None:
    """Errors, notes, tables and help are string literals: none holds a former word."""
    assert former_words(in_literals()) == []


def test_help_of_options_uses_the_words_of_the_voice() -> None:
    """As it is shown, put together from its pieces."""
    assert former_words((option.flag, option.help) for option in OPTIONS) == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("a rise would have been told", "told"),
        ("what nobody can measure", "nobody"),
        ("joules held against a budget", "held against"),
        ("the mended side", "mended"),
    ],
)
def test_a_former_word_is_found(line: str, word: str) -> None:
    """With its place."""
    assert former_words(iter([("page:1", line)])) == [f"page:1: {word!r} in {line}"]


def test_code_is_no_prose() -> None:
    """An option, a name or a program may be called as it is."""
    assert list(prose("one `told`\n```\ntold\n```\n<!-- told -->\ntwo")) == [(1, "one "), (6, "two")]
