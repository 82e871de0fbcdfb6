"""A bisection as a document: JSON for programs, Markdown for a comment.

FORMAT 1: 2026-11, the first.
"""

import html
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pytest_energy.bisect.bisection import Culprit, Found, Step
from pytest_energy.bisect.history import Commit
from pytest_energy.bisect.target import Level, Target
from pytest_energy.codec import NULLABLE, Document, Number, encode
from pytest_energy.errors import SettingsError, printable
from pytest_energy.judgement import CountChange
from pytest_energy.masking import masked_json
from pytest_energy.whole_file import check_place, write_whole, writing

FORMAT = 1


class CommitDocument(Document, frozen=True, kw_only=True):
    """A commit."""

    commit: str
    author_date: str
    subject: str


class LevelDocument(Document, frozen=True, kw_only=True):
    """Ratio to the good commit, or a count, with its bounds."""

    value: Number
    lower: Number
    upper: Number


class StepDocument(Document, frozen=True, kw_only=True):
    """One step; *because* is why the commit was skipped."""

    number: int
    commit: CommitDocument
    answer: str
    level: LevelDocument | None = NULLABLE
    because: str = ""
    verdict: str | None = NULLABLE
    round_count: int | None = NULLABLE
    duration_s: Number


class TargetDocument(Document, frozen=True, kw_only=True):
    """What rose, and the level that separates good from bad."""

    test_id: str
    measure: str
    good: LevelDocument
    bad: LevelDocument
    halfway: Number


class ChangeDocument(Document, frozen=True, kw_only=True):
    """One count that the commit changed."""

    kind: str
    name: str
    before: tuple[int, int]
    after: tuple[int, int]
    place: str = ""


class CulpritDocument(Document, frozen=True, kw_only=True):
    """The first bad commit, against *before*."""

    commit: CommitDocument
    before: CommitDocument
    level: LevelDocument
    level_before: LevelDocument
    energies_j: tuple[Number, Number] | None = NULLABLE
    share: Number
    count_lines: list[str] | None = NULLABLE
    count_changes: list[ChangeDocument] | None = NULLABLE
    diff_stat: list[str]


class BisectDocument(Document, frozen=True, kw_only=True):
    """All that a bisection found."""

    format: int
    created: str
    good: str
    bad: str
    alpha: Number
    step_alpha: Number
    target: TargetDocument | None = NULLABLE
    steps: list[StepDocument]
    suspects: list[CommitDocument]
    culprit: CulpritDocument | None = NULLABLE
    also_risen: list[str]
    notes: list[str]


def document_of(found: Found, created: str) -> BisectDocument:
    return BisectDocument(
        format=FORMAT,
        created=created,
        good=found.history.good.commit,
        bad=found.history.bad.commit,
        alpha=found.alpha,
        step_alpha=found.step_alpha,
        target=None if found.target is None else _target(found.target),
        steps=[_step(step) for step in found.steps],
        suspects=[_commit(one) for one in found.suspects],
        culprit=None if found.culprit is None else _culprit(found.culprit),
        also_risen=[one.test_id for one in found.others],
        notes=list(found.notes),
    )


def _commit(commit: Commit) -> CommitDocument:
    return CommitDocument(commit=commit.name, author_date=commit.author_date, subject=commit.subject)


def _level(level: Level) -> LevelDocument:
    return LevelDocument(value=level.value, lower=level.lower, upper=level.upper)


def _target(target: Target) -> TargetDocument:
    return TargetDocument(
        test_id=target.test_id,
        measure=target.measure,
        good=_level(target.good),
        bad=_level(target.bad),
        halfway=target.halfway,
    )


def _step(step: Step) -> StepDocument:
    judgement = step.judgement
    return StepDocument(
        number=step.number,
        commit=_commit(step.commit),
        answer=step.answer,
        level=None if step.level is None else _level(step.level),
        because=step.because,
        verdict=None if judgement is None else judgement.verdict.value,
        round_count=None if judgement is None else len(judgement.record.usable_rounds),
        duration_s=step.duration_s,
    )


def _culprit(culprit: Culprit) -> CulpritDocument:
    counts = culprit.counts
    return CulpritDocument(
        commit=_commit(culprit.commit),
        before=_commit(culprit.before),
        level=_level(culprit.level),
        level_before=_level(culprit.level_before),
        energies_j=culprit.energies_j,
        share=culprit.share,
        count_lines=None if counts is None else list(counts.lines),
        count_changes=None if counts is None else [_change(one) for one in counts.changes],
        diff_stat=list(culprit.diff_stat),
    )


def _change(change: CountChange) -> ChangeDocument:
    return ChangeDocument(
        kind=change.kind.value,
        name=change.name,
        before=change.before,
        after=change.after,
        place=change.place,
    )


# ---- files ----


def _json(document: BisectDocument, lines: Sequence[str]) -> str:
    del lines
    return masked_json(json.dumps(encode(document), indent=2, ensure_ascii=False)) + "\n"


def _markdown(document: BisectDocument, lines: Sequence[str]) -> str:
    """What the terminal showed; foreign text in it is inert inside `<pre>`."""
    del document
    text = html.escape("\n".join(map(printable, lines)), quote=False)
    return f"# Which commit raised the energy\n\n<pre>\n{text}\n</pre>\n"


RENDERERS: Mapping[str, Callable[[BisectDocument, Sequence[str]], str]] = {
    ".json": _json,
    ".md": _markdown,
}


def check_outputs(paths: Sequence[Path]) -> None:
    """Refuse, before the work, reports that can't be written.

    Raises:
        SettingsError: The suffix isn't known, or no file can be put there.
    """
    for path in paths:
        if path.suffix.lower() not in RENDERERS:
            raise SettingsError(f"--out {path} must end in one of {', '.join(RENDERERS)}")
        with writing(f"the report {path}"):
            check_place(path)


def write(path: Path, document: BisectDocument, lines: Sequence[str]) -> None:
    """Write the report of the kind that the suffix of *path* picks.

    Raises:
        SettingsError: It can't be written.
    """
    text = RENDERERS[path.suffix.lower()](document, lines)
    with writing(f"the report {path}"):
        write_whole(path, text.encode("utf-8", "backslashreplace"))
