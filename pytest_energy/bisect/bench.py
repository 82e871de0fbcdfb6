"""Trees of commits that are compared with the good one: checked out, completed, built.

Rule 1: the good commit's tree lasts for all steps; each other commit's tree lasts for its own step.
Rule 2: a commit whose tree can't be made or measured is no reason to stop: the caller skips it.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_energy.ab.comparison import Choice, Comparison, ComparisonPlan
from pytest_energy.ab.known_side import KnownSide
from pytest_energy.ab.side import SideEnded, Tree, last_lines
from pytest_energy.ab.worktree import Revision, without_git_variables, worktree
from pytest_energy.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a commit's tree is made ready.

    Attributes:
        root: Top of the working tree.
        folder: Where the command was started, relative to the top.
        copies: Paths of the working tree, relative to the top, that replace those of each commit.
        build: Shell command that is run in each tree, or empty.
        logs: Folder for what processes print.
    """

    root: Path
    folder: Path
    copies: tuple[Path, ...]
    build: str
    logs: Path

    @contextmanager
    def tree(self, revision: Revision) -> Iterator[Tree]:
        """The tree of *revision*, for as long as the block runs.

        Raises:
            EnergyError: It can't be checked out or built, or lacks the folder where the command was started.
        """
        with worktree(self.root, revision) as path:
            tree = Tree(name=revision.text, root=path, origin=self.root, folder=self.folder)
            for copy in self.copies:
                _copy(self.root / copy, path / copy)
            if not tree.working_folder.is_dir():
                raise SettingsError(f"{tree.name} has no folder {self.folder}")
            if self.build:
                self._build(tree)
            yield tree

    def _build(self, tree: Tree) -> None:
        log = self.logs / "build.log"
        python_path = tree.import_path(sys.path, os.environ.get("PYTHONPATH", ""))
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S602  # the user's own command line
                self.build,
                shell=True,
                cwd=tree.working_folder,
                env=without_git_variables(os.environ) | {"PYTHONPATH": python_path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that all of it is ended with the command
            )
            try:
                status = process.wait()
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        if status:
            raise SideEnded(f"the build of {tree.name} ended with exit status {status}:\n{last_lines(log)}")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


class Bench:
    """Compares commits with the good one.

    Args:
        good: The good commit's tree.
        report: Receives what happens meanwhile, a line at a time.
    """

    def __init__(self, setup: Setup, good: Tree, report: Callable[[str], None]) -> None:
        self._setup, self._good, self._report = setup, good, report
        self._known: KnownSide | None = None  # the good commit, once it was counted

    def compare(
        self, commit: str, plan: ComparisonPlan, choice: Choice, is_enough: Callable[[Comparison], bool]
    ) -> Comparison:
        """Compare *commit* with the good one; with twice the rounds unless the first are enough.

        Raises:
            EnergyError: A tree can't be made, or a side can't be measured.
        """
        with self._setup.tree(Revision(name=commit, commit=commit)) as tree:
            trees, setup = (self._good, tree), self._setup
            comparison = Comparison(
                trees, setup.root, setup.logs, plan, self._report, choice=choice, before=self._known
            )
            comparison.measure()
            if comparison.broken is None and not is_enough(comparison):
                comparison.extend()
        self._known = self._known or comparison.known_before()
        if comparison.broken is not None:
            raise SideEnded(comparison.broken)
        return comparison
