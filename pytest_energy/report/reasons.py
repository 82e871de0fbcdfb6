"""Reasons and remarks grouped by kind, each kind with its tests. Pure."""

from collections.abc import Callable, Iterable, Sequence

from pytest_energy.errors import printable
from pytest_energy.judgement import Judgement, Verdict
from pytest_energy.notes import kind_of, of_one_kind
from pytest_energy.report.cells import first_line
from pytest_energy.report.view import Row

WITHOUT_JOULES = frozenset({Verdict.VOID, Verdict.UNMEASURED, Verdict.SATURATED})
"""Verdicts of tests whose joules can't be used."""

_NAMED_TESTS = 3


def headline(judgement: Judgement) -> str:
    """First line of the reason; a test that it names itself is "this test", so that many have one reason."""
    return _of_itself(first_line(judgement.reason), judgement.record.test_id)


def _of_itself(text: str, test_id: str) -> str:
    return text.replace(printable(test_id), "this test") if test_id else text


def several(names: Sequence[str]) -> str:
    """The first of *names*, and how many more there are."""
    more = f" and {len(names) - _NAMED_TESTS} more" if len(names) > _NAMED_TESTS else ""
    return ", ".join(map(printable, names[:_NAMED_TESTS])) + more


def of_tests(texts: Iterable[tuple[str, str]]) -> list[str]:
    """What is true of tests, given the name of each and a text: a line per kind of text, behind its tests."""
    kinds: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for name, text in texts:
        own = _of_itself(text, name)
        kinds.setdefault(kind_of(own), []).append((name, own))
    return [
        f"{several([name for name, _ in alike])}: {of_one_kind(text for _, text in alike)}"
        for alike in kinds.values()
    ]


SharedReason = tuple[Verdict, str, list[Row]]


def shared_reasons(rows: Iterable[Row], text_of: Callable[[Judgement], str | None]) -> list[SharedReason]:
    """Verdict and what *text_of* makes of the judgement of every test, the same once; `None` is left out.

    Why joules can't be used is the same where it differs in quantities alone, whose range is then given.
    """
    shared: dict[object, list[tuple[Row, str]]] = {}
    for row in rows:
        if (text := text_of(row.judgement)) is not None:
            key = kind_of(text) if row.verdict in WITHOUT_JOULES else text
            shared.setdefault((row.verdict, key), []).append((row, text))
    return [
        (members[0][0].verdict, of_one_kind(text for _, text in members), [row for row, _ in members])
        for members in shared.values()
    ]
