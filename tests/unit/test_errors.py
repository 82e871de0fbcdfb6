"""Text that anybody may have written is inert wherever we show it."""

import builtins
import codecs

import pytest

from pytest_energy.errors import (
    BaselineError,
    NotComparable,
    Reason,
    SensorUnavailable,
    described,
    printable,
    printable_lines,
)


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("tests/test_é.py::test_a[1 µJ ✓]", "tests/test_é.py::test_a[1 µJ ✓]"),
        ("a\nb\r\n", "a\\nb\\r\\n"),
        ("\x1b[31mred\x1b]0;title\x07", "\\x1b[31mred\\x1b]0;title\\x07"),
        ("c1 \x9b31m \x85", "c1 \\x9b31m \\x85"),
        ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
        ("no\u200bwidth\ufeff", "no\\u200bwidth\\ufeff"),
        ("one\u2028two\u2029", "one\\u2028two\\u2029"),
        ("\udc80\x00\t", "\\udc80\\x00\\t"),
        ("::error file=a::b", ":\\:error file=a::b"),
        ("   ::set-output", "   :\\:set-output"),
        ("a ##[error]b ##[group]", "a ##\\[error]b ##\\[group]"),
        ("##[error]", "##\\[error]"),
    ],
)
def test_nothing_moves_the_cursor_or_commands_a_runner(text: str, visible: str) -> None:
    """What can't be seen is shown as its escape; a command of CI is broken; twice changes nothing more."""
    assert printable(text) == visible
    assert printable(visible) == visible


@pytest.mark.parametrize(
    "text", ["plain", "::error::", "##[error]", "\x06", "\x9c\u2067", "\udc82\U000e0001"]
)
def test_to_make_a_text_inert_imports_nothing(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is done while a test's patches are in force; `re` and codecs import behind one's back."""

    def refuse(name: str, *_: object, **__: object) -> None:
        raise ImportError(name)

    with monkeypatch.context() as patch:
        patch.setattr(codecs, "lookup", refuse)
        patch.setattr(builtins, "__import__", refuse)
        inert = printable(text)
    assert inert.isprintable()
    assert (inert == text) == (text == "plain")


def test_lines_stay_lines() -> None:
    """Of a text of several lines each is made inert, and none begins with a command."""
    assert printable_lines("a:\n::error::b\n\x1b[0m\n") == "a:\n:\\:error::b\n\\x1b[0m\n"


@pytest.mark.parametrize(
    "error",
    [
        BaselineError("x\n::error::\x1b[31m"),
        NotComparable({"x\n::error::\x1b[31m": ("a", "b")}),
        SensorUnavailable("x\n::error::\x1b[31m", Reason("why")),
    ],
)
def test_an_error_is_inert(error: Exception) -> None:
    """Whoever shows one, pytest included, shows no raw text of a file."""
    assert str(error).startswith("x\n:\\:error::\\x1b[31m")
    assert "\x1b" not in repr(error)


def test_an_error_of_others_is_described_without_its_secrets() -> None:
    """What a sensor's library says of the address that it asked may hold the way in."""
    error = OSError("http://me:sesame@meter/power?token=sesame was refused")
    assert described(error) == "OSError: http://***@meter/power?token=*** was refused"
