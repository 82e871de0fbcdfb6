"""A comparison in words: how far, how sure, why, and what to do.

Rule 1: joules saved by slower answers are a saving, and called one of that kind.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import replace

from pytest_energy.baselines.schema import PINNED_COUNT
from pytest_energy.judgement import Comparison, Part, PartComparison, Verdict
from pytest_energy.model import Provenance, Record
from pytest_energy.stats.compare import LEAST_PROVING_SESSIONS
from pytest_energy.units import to_text
from pytest_energy.verdict.count_phrases import OF_THE_CODE, differences_text
from pytest_energy.verdict.doubt_words import doubt_text
from pytest_energy.verdict.equal_steps import AMOUNT_WORDS
from pytest_energy.verdict.figures import (
    bounds_text,
    change_or_none,
    change_text,
    confidence_text,
    count_text,
    ln_text,
    spread_notes,
)
from pytest_energy.verdict.findings import (
    Compared,
    CreepSince,
    Decision,
    MachineBusy,
)
from pytest_energy.verdict.other_programs import LATENCY
from pytest_energy.verdict.paragraph import Paragraph, Reference, Subject
from pytest_energy.verdict.phase_words import phase_lines

_COMMIT_LENGTH = 10  # as git shows a commit in short
_DAY_LENGTH = len("2026-11-20")
_MORE_BLOCKS_ADVISED = 2  # one more changes little
_SHOWN_FACTOR = 0.001  # of a session; less is not worth a line
_PART_NAMES = {Part.WORK: "energy of the work", Part.WAITING: "time"}
_LEAST_PAIRS_ADVISED = 10  # twice the least that are measured in any case
_HASH = re.compile(r"\b[0-9a-f]{40}\b")


def compared(finding: Compared, subject: Subject) -> Paragraph:
    comparison, record, reference = finding.comparison, subject.record, subject.reference
    cause = _cause(finding)
    note = "; ".join(one for one in _notes(finding, record) if one != cause)
    has_baseline = finding.is_interleaved is None
    advice = _baseline_advice(finding, subject) if has_baseline else _revision_advice(finding, reference)
    return Paragraph(
        headline=_headline(finding, subject),
        cause=cause,
        advice=advice[0] if advice else "",
        details=(
            subject.energy,
            *_part_lines(finding, subject),
            *phase_lines(comparison, finding.judged_phases),
            _steps_line(comparison),
            _why_line(comparison),
            _latency_line(comparison, record),
            _channel_line(finding),
            _sample_line(comparison, record),
            _differences_line(comparison, reference),
            *_evidence(finding, record),
            _creep_text(finding.creep),
            note and f"note: {note}",
        ),
        other_advice=advice[1:],
    )


def _headline(finding: Compared, subject: Subject) -> str:
    """Such as `+20.1 % energy [+11.6, +29.3], allowed 5 %: 120.1 +- 0.4 J, baseline 100 J`."""
    comparison = finding.comparison
    what, ratio, ratio_ci = _decisive(finding)
    allowed = _allowed(finding)
    since = ""
    if finding.crept is not None:
        since = f" over the first {count_text(finding.crept.entry_count, 'session')}"
    limit = "" if finding.verdict is Verdict.IMPROVEMENT else f", allowed {_allowed_text(finding)}"
    basis = f" ({_basis_text(comparison)})" if comparison.basis else ""
    slower = f"; {_latency_text(comparison)}" if _is_bought_with_time(finding) else ""
    return (
        f"{change_text(ratio, allowed)} {what} {bounds_text(ratio_ci, allowed)}{since}{limit}: "
        f"{subject.brief_energy}, {subject.reference.level_text(to_text(comparison.energy_j, 'J'))}"
        f"{basis}{slower}"
    )


def _basis_text(comparison: Comparison) -> str:
    """What was compared, in words: files have `net joules a sample`."""
    return comparison.basis.replace(" a ", " per ")


def _decisive(finding: Compared) -> tuple[str, float, tuple[float, float]]:
    """What the verdict is of, its ratio and the bounds of that."""
    comparison, part = finding.comparison, finding.decisive
    what = _basis_text(comparison) or "energy"
    if part is not None and part.part is not Part.JOULES:
        what = _PART_NAMES[part.part]
    if comparison.equal_steps is not None and not comparison.equal_steps.not_used_because:
        equal = "amounts" if comparison.equal_steps.amount_ratios else "steps"
        what = f"{what} at equal {equal}" if part is None or part.part is not Part.WAITING else what
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
    """What is allowed, and what that is of all joules if it is another share than the tolerance."""
    comparison, part, allowed = finding.comparison, finding.decisive, _allowed(finding)
    tolerance = comparison.tolerance or 0.0
    if part is None or math.isclose(allowed, tolerance, abs_tol=1e-9):
        return f"{tolerance * 100:g} %"
    of_joules = allowed * part.energy_j / comparison.energy_j
    return f"{allowed * 100:.3g} % ({of_joules * 100:.2g} % of the energy)"


def _cause(finding: Compared) -> str:
    """Why a verdict is in doubt; else which part of the joules changed and what else differs."""
    comparison = finding.comparison
    if finding.doubt is not None:
        return doubt_text(finding.doubt)
    ratios = {part.part.value: part.ratio for part in comparison.parts}
    if not ratios:
        ratios = {"time": comparison.duration_ratio, "power": comparison.power_ratio}
    by_change = sorted(ratios.items(), key=lambda item: -abs(math.log(item[1])))
    texts = [f"{name} {change_or_none(ratio)}" for name, ratio in by_change]
    facts = {name: pair for name, pair in comparison.differences.items() if name not in OF_THE_CODE}
    return ", ".join(texts) + (f"; differs: {differences_text(facts)}" if facts else "")


def _part_lines(finding: Compared, subject: Subject) -> Iterator[str]:
    """Each part with its bounds, why there are none, and what the session has in common."""
    comparison = finding.comparison
    texts = [_part_text(part) for part in comparison.parts]
    if texts:
        yield "; ".join(texts)
    if comparison.no_parts_because and subject.record.provenance is Provenance.MEASURED:
        yield f"Work and waiting are not separated: {comparison.no_parts_because}."
    if comparison.session_ratio is not None and abs(comparison.session_ratio - 1) >= _SHOWN_FACTOR:
        yield (
            f"All tests of this session share {change_text(comparison.session_ratio)}, "
            "which is not in these bounds."
        )


def _part_text(part: PartComparison) -> str:
    bounds = bounds_text(part.ratio_ci, part.allowed_ratio - 1)
    if part.part is not Part.WAITING:
        return f"{part.part.value} {change_text(part.ratio)} {bounds} of {to_text(part.energy_j, 'J')}"
    more_s, power_w = (part.ratio - 1) * part.duration_s, part.energy_j / part.duration_s
    sign = "+" if more_s >= 0 else "-"
    blunt = "" if part.is_judged else ", too uncertain to judge here"
    return (
        f"waiting {sign}{to_text(abs(more_s), 's')} at {to_text(power_w, 'W')}: "
        f"time {change_text(part.ratio)} {bounds}{blunt}"
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
        f"time {change_text(comparison.duration_ratio)}, power {change_text(comparison.power_ratio)} "
        f"(ln: {change} = {time} time {power} power)"
    )


def _steps_line(comparison: Comparison) -> str:
    """How the joules are stated at equal amounts, or why they are not."""
    equal = comparison.equal_steps
    if equal is None:
        return ""
    steps = f"steps {change_or_none(equal.step_ratio)} (baseline {equal.step_count:,.0f} per round)"
    if equal.not_used_because:
        return f"{steps}, compared as measured: {equal.not_used_because}"
    step = to_text(equal.energy_per_step_j, "J")
    amounts = f"steps, seconds and tokens, {step} per step" if equal.amount_ratios else f"steps, {step} each"
    others = "".join(
        f", {AMOUNT_WORDS[name]} {change_or_none(ratio)}" for name, ratio in equal.amount_ratios.items()
    )
    return f"compared at equal {amounts}: {steps}{others}; as measured {change_text(equal.measured_ratio)}"


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
    return f"per sample ({record.samples} per round): {then} -> {now}"


def _differences_line(comparison: Comparison, reference: Reference) -> str:
    if not comparison.differences:
        return f"No recorded fact differs from {reference.facts}."
    texts = (f"{name} {_short(old)} -> {_short(new)}" for name, (old, new) in comparison.differences.items())
    return f"differs from {reference.facts}: {'; '.join(texts)}"


def _short(value: str) -> str:
    """*value*, a commit as git shows it in short."""
    return _HASH.sub(lambda commit: commit[0][:_COMMIT_LENGTH], value)


def _evidence(finding: Compared, record: Record) -> Iterator[str]:
    """What was compared with what, and which rise that would have detected, unless it proves nothing."""
    if finding.is_interleaved is None:
        rounds = count_text(len(record.usable_rounds), "round")
        sessions = count_text(finding.comparison.entry_count, "session")
        yield f"{rounds} compared with {sessions}, {_confidence(finding)}"
    else:
        yield f"{_pairs_text(finding)}, {_confidence(finding)}"
    if finding.is_interleaved is False:
        yield "A drift between the two sides counts as a difference, and one pair of means proves nothing."
    elif finding.is_interleaved and finding.spread.count == 1:
        yield "One pair of rounds proves nothing."
    elif not finding.proves_rise:
        yield f"Single rounds prove no rise with fewer than {LEAST_PROVING_SESSIONS} sessions."
    else:
        part = finding.decisive
        ratio = finding.comparison.detectable_ratio if part is None else part.detectable_ratio
        change = change_text(ratio).removeprefix("+")
        yield f"A rise of {change} would have been detected with 80 % probability."


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
        return f"{count_text(finding.spread.count, 'pair')} of rounds, in turns{blocks}"
    return "rounds not in turns"


def _baseline_advice(finding: Compared, subject: Subject) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.REGRESSION:
            command = subject.command("--energy-baseline=replace")
            return (f"If the rise is intended, accept it: {command}",)
        case Verdict.IMPROVEMENT if _is_bought_with_time(finding):
            return (
                f"Find what made answers slower. If that is intended, keep the saving: {subject.acceptance}",
            )
        case Verdict.IMPROVEMENT:
            return (f"Keep the saving, so that its loss fails the test: {subject.acceptance}",)
        case Verdict.INCONCLUSIVE:
            return _undecided_advice(finding, subject)
        case _:
            return ()


def _undecided_advice(finding: Compared, subject: Subject) -> tuple[str, ...]:
    if isinstance(finding.doubt, MachineBusy):
        return subject.when_quiet
    if _decisive(finding)[2][0] > 1 + (finding.comparison.tolerance or 0.0):
        # As a session of the baseline it would pass for chance from then on.
        return (subject.more_rounds, f"Or compare with a good revision: {subject.ab}")
    add = subject.command("--energy-baseline=add")
    return (subject.more_rounds, f"Or, if the code is unchanged, add this as a session: {add}")


def _revision_advice(finding: Compared, reference: Reference) -> tuple[str, ...]:
    match finding.verdict:
        case Verdict.REGRESSION:
            return (f"Find the cause in the changes since {reference.name}.",)
        case Verdict.INCONCLUSIVE if not finding.is_interleaved:
            return ("Measure the work with energy.measure(...), which can take turns.",)
        case Verdict.INCONCLUSIVE:
            count = max(_LEAST_PAIRS_ADVISED, 2 * finding.spread.count)
            blocks = finding.block_count + _MORE_BLOCKS_ADVISED
            return (
                f"Take more pairs: --pairs={count}, and --max-time if time runs out",
                f"Or, if processes differ more than rounds, take more blocks: --blocks={blocks}",
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
        notes = (f"compared with {reference.name}: {_pairs_text(finding)}", *notes)
    return replace(finding.comparison, note="; ".join(notes), creep=_creep_text(finding.creep))


def _notes(finding: Compared, record: Record) -> tuple[str, ...]:
    """What a reader should know of the bounds and of the verdict on them."""
    if finding.is_interleaved is not None:
        spread = spread_notes(finding.spread, "one pair has no spread", "differences")
        return spread if finding.doubt is None else (*spread, doubt_text(finding.doubt))
    notes = list(spread_notes(finding.spread, "no record has two rounds to take a spread from", "rounds"))
    if finding.unused_count:
        sessions = count_text(finding.unused_count, "session")
        notes.append(f"{sessions} of the baseline without usable joules not used")
    if finding.odd_entries:
        days = ", ".join(created[:_DAY_LENGTH] for created in finding.odd_entries)
        notes.append(f"outlier not used: the session of {days}")
    notes += (
        f"round {odd.number} of the session of {odd.created[:_DAY_LENGTH]} has {to_text(odd.energy_j, 'J')}, "
        f"usual are {to_text(odd.usual_j, 'J')}: was the file edited?"
        for odd in finding.odd_rounds
    )
    if finding.doubt is not None:
        notes.append(doubt_text(finding.doubt))
    elif finding.verdict is Verdict.REGRESSION and record.confirming_count:
        notes.append(f"confirmed by a second batch of {count_text(record.confirming_count, 'round')}")
    return tuple(notes)


def _creep_text(creep: CreepSince | None) -> str:
    if creep is None:
        return ""
    commit = f" (commit {creep.commit[:_COMMIT_LENGTH]})" if creep.commit else ""
    return (
        f"creep: now {change_text(creep.ratio)} compared with the first {PINNED_COUNT} sessions, higher "
        f"since about {creep.created[:_DAY_LENGTH]}{commit}"
    )
