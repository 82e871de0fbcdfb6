"""A comparison in words: how far, how sure, why, and what to do.

Rule 1: joules saved by slower answers are a saving, and said to be one of that kind.
"""

import math
from collections.abc import Iterator
from dataclasses import replace

from pytest_energy.baselines.schema import PINNED_COUNT
from pytest_energy.judgement import Comparison, Part, PartComparison, Verdict
from pytest_energy.model import Provenance, Record
from pytest_energy.stats.compare import LEAST_PROVING_SESSIONS
from pytest_energy.units import to_text
from pytest_energy.verdict.figures import change_text, confidence_text, count_text, ln_text, spread_notes
from pytest_energy.verdict.findings import (
    ByChance,
    Compared,
    CreepSince,
    Decision,
    FewLargeRounds,
    MachineMoved,
    NotConfirmed,
    SameCalls,
)
from pytest_energy.verdict.history import LATENCY
from pytest_energy.verdict.paragraph import Paragraph, Reference, Subject

_COMMIT_LENGTH = 10  # as git shows a commit in short
_DAY_LENGTH = len("2026-11-20")
_MORE_BLOCKS_ADVISED = 2  # one more changes little
_SHOWN_FACTOR = 0.001  # of a session; less is not worth a line
_PART_NAMES = {Part.WORK: "work", Part.WAITING: "waiting, seconds"}
_LEAST_PAIRS_ADVISED = 10  # twice the least that are measured in any case


def compared(finding: Compared, subject: Subject) -> Paragraph:
    comparison, record, reference = finding.comparison, subject.record, subject.reference
    note = "; ".join(_notes(finding, record))
    details = (
        *_part_lines(finding, subject),
        _why_line(comparison),
        _latency_line(comparison, record),
        _channel_line(finding),
        _sample_line(comparison, record),
        _differences_line(comparison, reference),
        _evidence(finding, record),
        _creep_text(finding.creep),
        note and f"note: {note}",
    )
    has_baseline = finding.is_interleaved is None
    advice = _baseline_advice(finding, subject) if has_baseline else _revision_advice(finding, reference)
    return Paragraph(_comparison_headline(finding, subject), details, advice)


def _comparison_headline(finding: Compared, subject: Subject) -> str:
    comparison, reference = finding.comparison, subject.reference
    percent = _allowed_text(finding)
    meaning = {
        Verdict.REGRESSION: f"more than the {percent} allowed",
        Verdict.IMPROVEMENT: f"a saving of more than {percent}",
        Verdict.PASS: f"within the {percent} allowed",
        Verdict.INCONCLUSIVE: f"can't tell whether within the {percent} allowed",
    }[finding.verdict]
    what, ratio, ratio_ci = _decisive(finding)
    allowed = _allowed(finding)
    change = change_text(ratio, allowed)
    lower, upper = (change_text(one, allowed) for one in ratio_ci)
    name = reference.name
    if finding.crept is not None:
        name = f"the first {finding.crept.entry_count} sessions of {reference.name}"
    return (
        f"{what} {change} against {name}, {meaning} "
        f"(bounds {lower} to {upper}): {subject.energy}, "
        f"{reference.level} {to_text(comparison.energy_j, 'J')}"
        f"{f' ({comparison.basis})' if comparison.basis else ''}"
        f"{f'; {_latency_text(comparison)}' if _is_bought_with_time(finding) else ''}"
    )


def _decisive(finding: Compared) -> tuple[str, float, tuple[float, float]]:
    """What the verdict is of, its ratio and the bounds of that."""
    comparison, part = finding.comparison, finding.decisive
    what = comparison.basis or "energy"
    if part is not None and part.part is not Part.JOULES:
        what = _PART_NAMES[part.part]
    if finding.crept is not None:
        return what, finding.crept.ratio, finding.crept.ratio_ci
    if part is not None:
        return what, part.ratio, part.ratio_ci
    return what, comparison.ratio, comparison.ratio_ci


def _allowed(finding: Compared) -> float:
    if finding.decisive is not None:
        return finding.decisive.allowed_ratio - 1
    return finding.comparison.tolerance or 0.0


def _allowed_text(finding: Compared) -> str:
    """What is allowed, and what that is of all joules where it is another share than the tolerance."""
    comparison, part, allowed = finding.comparison, finding.decisive, _allowed(finding)
    tolerance = comparison.tolerance or 0.0
    if part is None or math.isclose(allowed, tolerance, abs_tol=1e-9):
        return f"{tolerance * 100:g} %"
    of_joules = allowed * part.energy_j / comparison.energy_j
    return f"{allowed * 100:.3g} % ({of_joules * 100:.2g} % of its joules)"


def _part_lines(finding: Compared, subject: Subject) -> Iterator[str]:
    """Each part with its bounds, why there are none, and what the session has in common."""
    comparison = finding.comparison
    texts = [_part_text(part) for part in comparison.parts]
    if texts:
        yield "; ".join(texts)
    if comparison.no_parts_because and subject.record.provenance is Provenance.MEASURED:
        yield f"not told apart into work and waiting: {comparison.no_parts_because}"
    if comparison.session_ratio is not None and abs(comparison.session_ratio - 1) >= _SHOWN_FACTOR:
        yield (
            f"all tests of this session share {change_text(comparison.session_ratio)}, "
            "which is left out of these bounds"
        )


def _part_text(part: PartComparison) -> str:
    lower, upper = (change_text(ratio, part.allowed_ratio - 1) for ratio in part.ratio_ci)
    bounds = f"[{lower}, {upper}]"
    if part.part is not Part.WAITING:
        return f"{part.part.value} {change_text(part.ratio)} {bounds} of {to_text(part.energy_j, 'J')}"
    more_s, power_w = (part.ratio - 1) * part.duration_s, part.energy_j / part.duration_s
    sign = "+" if more_s >= 0 else "-"
    blunt = "" if part.is_judged else ", too blunt to judge here"
    return (
        f"waiting {sign}{to_text(abs(more_s), 's')} at {to_text(power_w, 'W')}: "
        f"seconds {change_text(part.ratio)} {bounds}{blunt}"
    )


def _is_bought_with_time(finding: Compared) -> bool:
    """Whether joules were saved by slower answers: at a fixed rate more of them then share a step."""
    comparison = finding.comparison
    limit = 1 + (comparison.tolerance or 0.0)
    return finding.verdict is Verdict.IMPROVEMENT and (comparison.latency_ratio or 0.0) > limit


def _latency_text(comparison: Comparison) -> str:
    return f"answers take {comparison.latency_ratio:.3g} times as long"


def _why_line(comparison: Comparison) -> str:
    """The change as a sum: ln(E'/E) = ln(T'/T) + ln(P'/P)."""
    # Of joules as measured: `ratio` may be less what all tests of the session share.
    ratio = comparison.duration_ratio * comparison.power_ratio
    ratios = (ratio, comparison.duration_ratio, comparison.power_ratio)
    change, time, power = (ln_text(ratio) for ratio in ratios)
    return (
        f"why: time {change_text(comparison.duration_ratio)}, power {change_text(comparison.power_ratio)} "
        f"(ln: {change} = {time} time {power} power)"
    )


def _latency_line(comparison: Comparison, record: Record) -> str:
    if comparison.latency_ratio is None:
        return ""
    now = to_text(record.metrics[LATENCY] or 0.0, "s")
    return f"{_latency_text(comparison)}: a median of {now} from request to last token"


def _channel_line(finding: Compared) -> str:
    texts = []
    for name, (then_j, now_j) in finding.channels.items():
        change = f" ({change_text(now_j / then_j)})" if then_j > 0 else ""
        texts.append(f"{name} {to_text(then_j, 'J')} -> {to_text(now_j, 'J')}{change}")
    return f"by channel: {', '.join(sorted(texts))}" if texts else ""


def _sample_line(comparison: Comparison, record: Record) -> str:
    if record.samples is None or comparison.basis:
        return ""
    then_j = comparison.energy_j / record.samples
    then, now = to_text(then_j, "J"), to_text(comparison.ratio * then_j, "J")
    return f"a sample ({record.samples} a round): {then} -> {now}"


def _differences_line(comparison: Comparison, reference: Reference) -> str:
    if not comparison.differences:
        return f"no recorded fact differs from {reference.facts}"
    texts = (f"{name} {old} -> {new}" for name, (old, new) in comparison.differences.items())
    return f"differs from {reference.facts}: {'; '.join(texts)}"


def _evidence(finding: Compared, record: Record) -> str:
    """What this comparison could have told: the detectable change, unless it proves nothing."""
    bounds = _confidence(finding)
    if finding.is_interleaved is None:
        rounds = count_text(len(record.usable_rounds), "round")
        counts = f"{rounds} against {count_text(finding.comparison.entry_count, 'session')}"
    else:
        counts = _pairs_text(finding)
    if finding.is_interleaved is False:
        return (
            f"{counts}, so that what drifts between the sides counts as theirs, and one pair of means proves "
            f"nothing ({bounds})"
        )
    if finding.is_interleaved and finding.spread.count == 1:
        return f"one pair of rounds proves nothing ({bounds})"
    if not finding.proves_rise:
        return f"single rounds prove no rise below {LEAST_PROVING_SESSIONS} sessions: {counts}, {bounds}"
    part = finding.decisive
    change = change_text(finding.comparison.detectable_ratio if part is None else part.detectable_ratio)
    return f"a rise of {change} would have been told with 80 % power: {counts}, {bounds}"


def _confidence(finding: Compared) -> str:
    chances = finding.chances
    if chances is None or chances.lower == chances.upper == finding.alpha:
        return f"bounds each at {confidence_text(finding.alpha)}"
    lower, upper = confidence_text(chances.lower), confidence_text(chances.upper)
    return f"bounds at {lower} (lower) and {upper} (upper), because of looks before the last block"


def _pairs_text(finding: Compared) -> str:
    if finding.is_interleaved:
        blocks = f" in {finding.block_count} blocks" if finding.block_count > 1 else ""
        if finding.planned_block_count is not None:
            blocks = f" in {finding.block_count} of {finding.planned_block_count} blocks, which was enough"
        return f"{count_text(finding.spread.count, 'pair')} of rounds, taken in turns{blocks}"
    return "the rounds could not be taken in turns"


def _baseline_advice(finding: Compared, subject: Subject) -> tuple[str, ...]:
    add, replace_all = (subject.command(f"--energy-baseline={mode}") for mode in ("add", "replace"))
    match finding.verdict:
        case Verdict.REGRESSION:
            return (f"find the cause above; if the rise is meant, accept it: {replace_all}",)
        case Verdict.IMPROVEMENT if _is_bought_with_time(finding):
            return (f"find what made answers slower; if they may be, keep this: {subject.acceptance}",)
        case Verdict.IMPROVEMENT:
            return (f"keep the saving, so that losing it fails: {subject.acceptance}",)
        case Verdict.INCONCLUSIVE if _decisive(finding)[2][0] > 1 + (finding.comparison.tolerance or 0.0):
            # As a session of the baseline it would pass for chance from then on.
            return (subject.more_rounds, f"or hold it against a revision that was good: {subject.ab}")
        case Verdict.INCONCLUSIVE:
            unchanged = "or, where the code is known to be unchanged, add this as a session"
            return (subject.more_rounds, f"{unchanged}: {add}")
        case _:
            return ()


def _revision_advice(finding: Compared, reference: Reference) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.REGRESSION:
            return (f"find the cause in what has changed since {reference.name}",)
        case Verdict.INCONCLUSIVE if not finding.is_interleaved:
            return ("measure the work with energy.measure(...), which can take turns",)
        case Verdict.INCONCLUSIVE:
            count = max(_LEAST_PAIRS_ADVISED, 2 * finding.spread.count)
            blocks = finding.block_count + _MORE_BLOCKS_ADVISED
            return (
                f"take more pairs: --pairs={count}, with --max-time if that ends it",
                f"or, where the processes differ more than the rounds, more blocks: --blocks={blocks}",
            )
        case _:
            return ()


def full_comparison(decision: Decision, reference: Reference) -> Comparison | None:
    """The figures of the comparison with their note and creep in words, or `None`."""
    finding = decision.compared
    if finding is None:
        return None
    notes = _notes(finding, decision.record)
    if finding.is_interleaved is not None:
        notes = (f"against {reference.name}: {_pairs_text(finding)}", *notes)
    return replace(finding.comparison, note="; ".join(notes), creep=_creep_text(finding.creep))


def _notes(finding: Compared, record: Record) -> tuple[str, ...]:
    """What a reader should know of the bounds and of the verdict on them."""
    if finding.is_interleaved is not None:
        spread = spread_notes(finding.spread, "one pair has no spread of its own", "differences")
        return spread if finding.doubt is None else (*spread, _doubt_text(finding.doubt))
    notes = list(spread_notes(finding.spread, "no record has two rounds to take a spread from", "rounds"))
    if finding.unused_count:
        sessions = count_text(finding.unused_count, "session")
        notes.append(f"{sessions} of the baseline left out for want of usable joules")
    if finding.odd_entries:
        days = ", ".join(created[:_DAY_LENGTH] for created in finding.odd_entries)
        notes.append(f"off by itself and left out: the session of {days}")
    notes += (
        f"round {odd.number} of the session of {odd.created[:_DAY_LENGTH]} has {to_text(odd.energy_j, 'J')}, "
        f"where {to_text(odd.usual_j, 'J')} are usual: is its file as it was accepted?"
        for odd in finding.odd_rounds
    )
    if finding.doubt is not None:
        notes.append(_doubt_text(finding.doubt))
    elif finding.verdict is Verdict.REGRESSION and record.confirming_count:
        notes.append(f"confirmed by a second batch of {count_text(record.confirming_count, 'round')}")
    return tuple(notes)


def _doubt_text(doubt: NotConfirmed | ByChance | FewLargeRounds | MachineMoved | SameCalls) -> str:
    if isinstance(doubt, SameCalls):
        return (
            "both sides make the same calls, and processes alone may be so far apart: "
            "the longer time is taken for the host's"
        )
    if isinstance(doubt, FewLargeRounds):
        repeated = doubt.repeated_ratio
        more = "" if repeated is None else f" ({change_text(repeated)} with one more of them)"
        plain = change_text(doubt.plain_ratio)
        return f"a few large rounds: the plain mean is {plain}{more}, the usual round is not"
    if isinstance(doubt, MachineMoved):
        return (
            f"the machine may be the cause: the yardstick's {doubt.load} is at {change_text(doubt.ratio)} "
            "or more, and fewer than five tests can't tell it from the code"
        )
    if isinstance(doubt, NotConfirmed) and doubt.batch == "only":
        return f"one round against single rounds proves no rise below {LEAST_PROVING_SESSIONS} sessions"
    if isinstance(doubt, NotConfirmed):
        return f"not confirmed: the {doubt.batch} batch of {doubt.round_count} rounds alone can't tell"
    return (
        f"among {doubt.test_count} tests one such rise is no surprise: "
        f"no change at all isn't excluded at {confidence_text(doubt.alpha)}"
    )


def _creep_text(creep: CreepSince | None) -> str:
    if creep is None:
        return ""
    commit = f" (commit {creep.commit[:_COMMIT_LENGTH]})" if creep.commit else ""
    return (
        f"creep: now {change_text(creep.ratio)} against the first {PINNED_COUNT} sessions, higher since "
        f"about {creep.created[:_DAY_LENGTH]}{commit}"
    )
