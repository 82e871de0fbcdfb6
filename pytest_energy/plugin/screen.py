"""The terminal at the end of a run: the report, in its colours, or the verdicts in one line."""

from collections import Counter
from collections.abc import Sequence

import pytest

from pytest_energy.errors import printable
from pytest_energy.judgement import FAILING, SEVERITY, Judgement, Verdict
from pytest_energy.notes import kind_of, of_one_kind
from pytest_energy.report import to_terminal
from pytest_energy.report.formats import made
from pytest_energy.report.reasons import WITHOUT_JOULES, headline
from pytest_energy.report.screen import width_of, wrapped
from pytest_energy.report.view import View

_COLOURS = {
    **dict.fromkeys(Verdict, "yellow"),
    **dict.fromkeys(FAILING, "red"),
    Verdict.PASS: "green",
    Verdict.IMPROVEMENT: "green",
    Verdict.NO_BASELINE: "cyan",
}
"""As pytest has them: red for a failure, yellow for a doubt, green where all is well."""


class Screen:
    """The terminal of *reporter*; its writer decides whether there are colours (`NO_COLOR`, `--color`)."""

    def __init__(self, reporter: pytest.TerminalReporter, *, is_full: bool) -> None:
        self._writer = reporter.config.get_terminal_writer()
        self._reporter, self._is_full = reporter, is_full

    def write(self, text: str, *, is_red: bool = False) -> None:
        """Write lines. On a terminal a long one goes on in the next, between words; a log keeps it whole."""
        width = self._writer.fullwidth
        for line in map(printable, text.split("\n")):
            is_folded = self._reporter.isatty() and width_of(line) > width
            for one in wrapped([line], width, hanging="  ", breaks_words=False) if is_folded else [line]:
                self._reporter.write_line(one, red=is_red)

    def parts(self, run: View, *, message_count: int) -> tuple[str, str]:
        """The report of *run*: what comes above the table of tests, and the table.

        Args:
            run: What is reported.
            message_count: Lines that will stand between the two.

        Raises:
            SettingsError: It can't be made.
        """
        width, is_full = self._writer.fullwidth, self._is_full

        above = made("the summary", lambda one: to_terminal.head(one, width=width, is_full=is_full), run)
        line_count = above.count("\n") + 1 + message_count

        def table(one: View) -> str:
            paint = self._painted
            return to_terminal.table_text(one, width=width, is_full=is_full, paint=paint, above=line_count)

        return above, made("the summary", table, run)

    def _painted(self, text: str, verdict: Verdict) -> str:
        return self._writer.markup(text, **{_COLOURS[verdict]: True, "bold": verdict in FAILING})


def verdict_lines(judgements: Sequence[Judgement]) -> str:
    """The verdicts in a line, and below why the worst of the tests without usable joules have none."""
    counts = Counter(judgement.verdict for judgement in judgements)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    lines = [f"energy: {verdicts} (--energy-report shows the joules)"]
    without = [one for one in judgements if one.verdict in WITHOUT_JOULES]
    if without:
        worst = min(without, key=lambda one: SEVERITY[one.verdict].of_rows).verdict
        reasons = [headline(one) for one in without if one.verdict is worst]
        alike = [reason for reason in reasons if kind_of(reason) == kind_of(reasons[0])]
        lines.append(f"energy: {worst}: {of_one_kind(alike)}")
    return "\n".join(lines)
