"""The live line on a terminal that an emulator draws, and the lines of a log."""

from collections.abc import Callable

import pyte
import pytest
from wcwidth import wcswidth

from pytest_energy.plugin.progress import LineBelow, Log, Progress
from tests.fakes.hand_clock import HandClock

WIDTH, HEIGHT = 40, 6


class Terminal:
    """A terminal on which pytest writes a line, and we the one below it."""

    def __init__(self, width: int = WIDTH) -> None:
        self.screen = pyte.Screen(width, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self.written = ""  # of pytest's line
        self.line = LineBelow(
            column=lambda: wcswidth(self.written), width=lambda: width, write=self._stream.feed
        )

    def write(self, text: str) -> None:
        """What pytest writes."""
        self._stream.feed(text.replace("\n", "\r\n"))
        self.written = (self.written + text).rpartition("\n")[2]

    def show(self, text: str) -> None:
        self.line.show(lambda _: text)

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


def test_it_stands_below_pytests_line(terminal: Terminal) -> None:
    """pytest goes on where it was, with our line below or without it."""
    terminal.write("test_a.py ..")
    terminal.show("round 1")
    terminal.show("round")
    assert terminal.lines == ["test_a.py ..", "round"]
    terminal.line.erase()
    terminal.write(".  [100%]\n")
    assert terminal.lines == ["test_a.py ...  [100%]"]


def test_at_the_bottom_the_screen_scrolls_once(terminal: Terminal) -> None:
    """The newline makes room for our line; what stood above stays in order."""
    terminal.write("".join(f"line {n}\n" for n in range(HEIGHT)) + "dots ..")
    for number in range(5):
        terminal.show(f"round {number}")
    terminal.line.erase()
    terminal.write(".\n")
    assert terminal.lines[-2:] == ["line 5", "dots ..."]


def test_a_line_of_pytest_that_wraps(terminal: Terminal) -> None:
    """A long name under -v goes on in the next row: ours is below that, and the cursor goes back there."""
    terminal.write(f"{'x' * (WIDTH + 5)} ")
    terminal.show("round 1")
    assert terminal.lines == ["x" * WIDTH, "x" * 5, "round 1"]
    terminal.line.erase()
    terminal.write("PASSED")
    assert terminal.lines == ["x" * WIDTH, "xxxxx PASSED"]


def test_a_line_that_ends_at_the_edge_is_left_alone(terminal: Terminal) -> None:
    """There the cursor waits past the last cell, where nothing puts it back."""
    terminal.write("x" * WIDTH)
    terminal.show("round 1")
    terminal.line.erase()
    terminal.write("y")
    assert terminal.lines == ["x" * WIDTH, "y"]


def test_erased_twice_is_erased_once(terminal: Terminal) -> None:
    """What is not there costs no sequence."""
    terminal.line.erase()
    terminal.write("dots")
    assert terminal.lines == ["dots"]
    assert terminal.screen.cursor.y == 0


@pytest.mark.parametrize("width", [40, 80])
def test_no_text_is_wider_than_the_terminal(width: int) -> None:
    """The name gives way first, hostile or wide as it may be."""
    terminal = Terminal(width)
    progress = Progress(terminal.line, HandClock().now_s)
    test_id = f"t.py::test_{'漢字' * 40}[\x1b[31m\n]"
    progress.expect([test_id])
    terminal.write("dots")
    progress.show(test_id, "round 12, 4.13 mJ +- 19 %, <5 s left")
    first, second = terminal.lines
    assert first == "dots"
    assert second.startswith("[1/1] test")
    assert wcswidth(second) < width
    assert "\x1b" not in second


class Board:
    """Where progress is shown, 80 cells wide: what was shown, and what a log would hold."""

    def __init__(self) -> None:
        self.details: list[str] = []
        self.overall: list[str] = []

    def show(self, text_for: Callable[[int], str], overall: str) -> None:
        self.details.append(text_for(80))
        self.overall.append(overall)

    def explain(self, text: str) -> None:
        self.details.append(text)

    def erase(self) -> None:
        self.details.append("")


class Bench:
    """Four tests of which progress is shown."""

    def __init__(self) -> None:
        self.board, self.clock = Board(), HandClock()
        self.progress = Progress(self.board, self.clock.now_s)
        self.progress.expect([f"t.py::test_{letter}" for letter in "abcd"])

    def show(self, letter: str, text: str, *, after_s: float = 0.0) -> str:
        """What is shown of a test, *after_s* seconds later."""
        self.clock.sleep_s(after_s)
        self.progress.show(f"t.py::test_{letter}", text)
        return self.board.details[-1]


def test_number_name_state_and_the_time_left() -> None:
    """Of the whole run nothing is known before a test is over; then as long as the tests so far."""
    bench = Bench()
    assert bench.show("a", "round 1") == "[1/4] test_a: round 1"
    assert bench.show("b", "round 1", after_s=10) == "[2/4] test_b: round 1; run ~30 s left"
    assert bench.show("b", "round 2", after_s=4) == "[2/4] test_b: round 2; run ~26 s left"
    assert bench.board.overall[-1] == "1 of 4 tests, ~26 s left"


def test_fast_rounds_are_not_all_drawn() -> None:
    """A text per tenth of a second and test; a new test is shown at once."""
    bench = Bench()
    bench.show("a", "round 1")
    assert bench.show("a", "round 2", after_s=0.06).endswith("round 1")
    assert bench.show("a", "round 3", after_s=0.06).endswith("round 3")
    assert bench.show("b", "round 1").startswith("[2/4] test_b: round 1")


def test_a_part_counts_as_its_test_and_a_load_as_none() -> None:
    """Layers have their test's number; the yardstick is no test."""
    bench = Bench()
    assert bench.show("b#conv1", "round 1") == "[2/4] test_b#conv1: round 1"
    bench.progress.show("yardstick::gpu-compute", "round 1")
    assert bench.board.details[-1] == "gpu-compute: round 1"


def test_a_status_is_gone_with_its_block() -> None:
    """Also where the block raises."""
    bench = Bench()
    status = bench.progress.status("measuring the power at rest")
    with pytest.raises(RuntimeError), status:
        raise RuntimeError
    assert bench.board.details == ["energy: measuring the power at rest", ""]


def test_tests_of_other_processes_are_counted() -> None:
    """Under xdist the controller sees what is over."""
    bench = Bench()
    bench.progress.count(0, 41)
    bench.clock.sleep_s(1)
    bench.progress.count(1, 41)
    bench.clock.sleep_s(59)
    bench.progress.count(11, 41)
    assert bench.board.details == [
        "energy: 0 of 41 tests",
        "energy: 1 of 41 tests",
        "energy: 11 of 41 tests, ~3 min left",
    ]


def test_a_log_has_a_line_per_minute() -> None:
    """The first after a minute; why nothing moves is written at once."""
    lines: list[str] = []
    clock = HandClock()
    log = Log(lines.append, clock.now_s)
    for second in range(150):
        log.show(str, f"{second} s")
        clock.sleep_s(1)
    assert lines == ["60 s", "120 s"]
    log.explain("waiting for gpu:0")
    clock.sleep_s(40)
    log.show(str, "later")
    assert lines == ["60 s", "120 s", "waiting for gpu:0"]
