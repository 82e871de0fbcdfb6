"""Where a side's code comes from, and the talk with a worker that doesn't do as it should."""

import sys
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_energy.ab import side
from pytest_energy.ab.protocol import (
    CollectedTests,
    FinishedTest,
    Link,
    ReadyTest,
    RoundMessage,
    from_line,
    to_line,
)
from pytest_energy.ab.side import SideEnded, Tree, own_sources, shared_sources, worker
from pytest_energy.codec import Document
from pytest_energy.conversion import as_document, judgement_to_json, reading_of
from pytest_energy.documents import Round
from pytest_energy.errors import FormatError
from tests.builders import judged, reading, record

M = TypeVar("M", bound=Document)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A tree beside the working tree, both with `src`, a package and an environment."""
    for name in ("origin", "other"):
        (tmp_path / name / "src" / "pack").mkdir(parents=True)
        (tmp_path / name / "src" / "pack" / "__init__.py").touch()
        (tmp_path / name / "sub").mkdir()
    (tmp_path / "origin" / ".venv" / "site-packages").mkdir(parents=True)
    return Tree(
        name="main (abc1234)", root=tmp_path / "other", origin=tmp_path / "origin", folder=Path("sub")
    )


def test_paths_into_the_working_tree_are_moved(tree: Tree) -> None:
    """An argument that names a place in the working tree means the same place on this side."""
    origin, root = tree.origin, tree.root
    assert tree.moved(f"{origin}/tests") == f"{root}/tests"
    assert tree.moved(f"--rootdir={origin}") == f"--rootdir={root}"
    for word in ("tests/test_x.py", "-k", "a=b", f"{origin}-more/x", "--energy-sensors=replay:r.json"):
        assert tree.moved(word) == word


def test_the_sides_own_code_comes_first(tree: Tree) -> None:
    """The folder, the root and their `src` stand before all; an editable install is moved to this side."""
    lib, packages = tree.origin / "lib", tree.origin / ".venv" / "site-packages"
    lib.mkdir()
    path = tree.import_path(["/usr/lib/python3", str(lib), str(packages)], f"{tree.origin}/extra:/opt")
    assert path.split(":") == [
        str(tree.root / "sub"),
        str(tree.root),
        str(tree.root / "src"),
        str(tree.root / "lib"),
        str(tree.root / "extra"),
        "/opt",
    ]


def test_code_that_both_sides_share_is_found(tree: Tree) -> None:
    """One file on both sides is told if it is the project's: in its tree, or of a name in it."""
    origin = tree.origin
    packages = origin / ".venv" / "site-packages"
    shared = {
        "pack": "/usr/site-packages/pack/__init__.py",
        "tool": str(origin / "tool.py"),
        "numpy": str(packages / "numpy" / "__init__.py"),
    }
    before = shared | {"work": str(tree.root / "work.py")}
    after = shared | {"work": str(origin / "work.py")}
    assert set(shared_sources(before, after, origin)) == {"pack", "tool"}
    assert own_sources(after, origin) == ("tool", "work")
    assert own_sources(before, tree.root) == ("work",)


def script(tree: Tree, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    """Have the worker be a script of our own instead of pytest; `say` writes a line to the command."""
    file = tree.root / "script.py"
    file.write_text(
        "import json, os, sys\n"
        "reads, writes = (int(word) for word in os.environ['PYTEST_ENERGY_AB_PIPES'].split(','))\n"
        f"def say(text): os.write(writes, (text + chr(10)).encode())\n{source}"
    )
    monkeypatch.setattr(side, "_words", lambda *_: [str(file)])


def test_a_worker_that_ends_shows_its_last_lines(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit status and the end of its output are in the error."""
    script(tree, monkeypatch, "print('ModuleNotFoundError: gone')\nsys.exit(3)\n")
    with (
        worker(tree, [], tmp_path / "log") as started,
        pytest.raises(SideEnded, match=r"pytest on main \(abc1234\) ended with exit status 3") as raised,
    ):
        started.collected()
    assert "  | ModuleNotFoundError: gone" in str(raised.value)


def test_a_worker_that_was_killed_is_told(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that dies when it is spoken to is an error, not a hang."""
    script(
        tree,
        monkeypatch,
        "say(json.dumps({'kind': 'collected', 'tolerances': {}, 'other_count': 0, "
        "'sources': {}}))\nos.read(reads, 1)\nos.kill(os.getpid(), 9)\n",
    )
    with worker(tree, [], tmp_path / "log") as started:
        assert started.collected().tolerances == {}
        with pytest.raises(SideEnded, match="ended with exit status -9"):
            started.begin("test_work", None)


def test_a_pipe_that_a_child_holds_open_is_no_hang(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has ended is noticed although a process of its own still holds the pipe."""
    script(tree, monkeypatch, "import signal\nif os.fork() == 0:\n    signal.pause()\nos._exit(5)\n")
    monkeypatch.setattr(side, "_LOOK_S", 0.05)
    with (
        worker(tree, [], tmp_path / "log") as started,
        pytest.raises(SideEnded, match="ended with exit status 5"),
    ):
        started.collected()


@pytest.mark.parametrize("said", ["not json", '{"kind": "other"}', '{"no": "kind"}', "[]"])
def test_what_is_not_understood_is_an_error(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Another version on the other side is the likely cause, and is named."""
    script(tree, monkeypatch, f"say({said!r})\nos.read(reads, 1)\n")
    with (
        worker(tree, [], tmp_path / "log") as started,
        pytest.raises(SideEnded, match="is the same pytest-energy installed on both sides"),
    ):
        started.collected()


def test_a_worker_that_will_not_end_is_ended(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hears nothing and ignores Ctrl-C is killed."""
    script(
        tree,
        monkeypatch,
        "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nsay('up')\n"
        "while True: signal.pause()\n",
    )
    for name in ("_END_S", "_INTERRUPTED_S"):
        monkeypatch.setattr(side, name, 0.05)
    with worker(tree, [], tmp_path / "log") as started, pytest.raises(SideEnded):
        started.collected()
    assert started._process.returncode == -9


def test_the_command_line(tree: Tree) -> None:
    """Pytest as this interpreter has it, without baselines and without xdist's workers."""
    words = side._words(tree, [f"{tree.origin}/tests", "-n8"])
    assert words[:4] == ["-m", "pytest", "-p", "pytest_energy.ab.worker"]
    assert words[4:] == [
        f"{tree.root}/tests",
        "-n8",
        "--energy-baseline=off",
        "--energy-yardstick=off",
        "-n0",
    ]
    assert sys.executable


def test_messages_survive_the_wire() -> None:
    """What one process says is what the other hears."""

    def sent(message: M) -> M:
        return from_line(to_line(message), "a message", type(message))

    collected = CollectedTests(tolerances={"a": None, "b": 0.1}, other_count=2, sources={"m": "/m.py"})
    ready = ReadyTest(
        call_count=3,
        may_repeat=False,
        limit=4,
        round_count=None,
        void_retry_count=2,
        max_time_s=60.0,
        is_judged=True,
    )
    done = FinishedTest(outcome="failed", text="E", judgement=judgement_to_json(judged(record())), sources={})
    one = reading(3.0, uncertainty_j=0.1)
    heard = sent(RoundMessage(provenance=one.provenance, reading=as_document(Round, one)))
    assert sent(collected) == collected
    assert sent(ready) == ready
    assert sent(done) == done
    assert reading_of(heard.reading, heard.provenance, "a message") == one


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b"])
def test_a_worker_without_pipes_says_so(text: str) -> None:
    """The plugin by itself, without the command, is an error in words."""
    with pytest.raises(FormatError, match="`pytest-energy ab` sets it"):
        Link.from_text(text)
