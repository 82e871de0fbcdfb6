"""What a history shows of a point and of a step, as text. Pure."""

from pytest_energy.history.commits import SHORT_LENGTH
from pytest_energy.history.points import Point
from pytest_energy.history.tracks import Step, Track
from pytest_energy.judgement import FAILING
from pytest_energy.report.cells import ABSENT, energy, percent, printable, verdict
from pytest_energy.units import percent_change_text
from pytest_energy.verdict.figures import count_text

ALL_TESTS = "all tests together"
KINDS = {"round": "joules per round", "sample": "joules per sample", "ratio": "change from the median run"}


def name(track: Track) -> str:
    """The test's id, or the name for all tests of a machine."""
    return printable(track.test_id) or ALL_TESTS


def commit(point: Point) -> str:
    """Short name of the commit, with a `+` if files differed from it."""
    text = printable(point.commit[:SHORT_LENGTH]) or ABSENT
    return f"{text}+" if point.is_dirty else text


def date(point: Point) -> str:
    return point.created.strftime("%Y-%m-%d")


def value(track: Track, number: float | None, uncertainty: float | None = None) -> str:
    """A value of *track*, with its unit."""
    if track.kind == "ratio":
        return ABSENT if number is None else percent(number)
    return energy(track.provenance, number, uncertainty)


def change(step: Step) -> str:
    """Size of *step* with its bounds: `+8.1 % [+7.2, +9.0]`."""
    low, high = (percent_change_text(ratio).removesuffix(" %") for ratio in step.ratio_ci)
    return f"{percent_change_text(step.ratio)} [{low}, {high}]"


def where(step: Step) -> str:
    """The first commit of the new level, and how many runs that lasts: `1a2b3c4, 12 runs since`."""
    runs = count_text(step.run_count, "run")
    return f"{commit(step.after.point)}, {f'{runs} since' if step.is_newest else f'for {runs}'}"


def verdict_text(point: Point) -> str:
    """What became of the run: its verdict, or that it was accepted into a baseline."""
    if point.verdict is None:
        return "in the baseline"
    is_own = point.is_failed and point.verdict not in FAILING
    return f"{verdict(point.verdict)}, test failed" if is_own else verdict(point.verdict)
