"""The two trees that are compared, and their names.

Rule 1: the working tree is measured as it is, and beside it a revision in a worktree of its own.
Rule 2: where the environment alone differs both sides are the working tree; code that they share is then no
    mistake.
Rule 3: a side's own variables are part of its name, so that every sentence and report says what was compared.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pytest_energy.ab.side import Tree
from pytest_energy.ab.worktree import SHORT_LENGTH, Revision, repository_root, resolve, worktree
from pytest_energy.baselines.machine import commit
from pytest_energy.errors import SettingsError, printable
from pytest_energy.masking import keep_named_secrets, masked_words

HERE = "."
"""In place of a revision: the working tree itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """The two sides to compare.

    Attributes:
        root: Top of the working tree.
        folder: Where the command was started, relative to the top.
        revision: The other side; `None` if that is the working tree, too.
        variables: Of the environment, of the other side and of the working tree.
    """

    root: Path
    folder: Path
    revision: Revision | None
    variables: tuple[Mapping[str, str], Mapping[str, str]]

    @classmethod
    def of(cls, ref: str, started_in: Path, before: Mapping[str, str], after: Mapping[str, str]) -> "Sides":
        """As *ref* and the variables of both sides say.

        Raises:
            SettingsError: *started_in* is in no working tree, or *ref* is no commit.
        """
        keep_named_secrets([before, after])
        root = repository_root(started_in)
        revision = None if ref == HERE else resolve(root, ref)
        folder = started_in.resolve().relative_to(root)
        return cls(root=root, folder=folder, revision=revision, variables=(before, after))


@contextmanager
def trees_of(sides: Sides) -> Iterator[tuple[Tree, Tree]]:
    """Both trees, for as long as they are compared.

    Raises:
        SettingsError: A side can't be checked out, or has no folder where the command was started.
    """
    here = f"the working tree{_state(sides.root)}"
    if sides.revision is None:
        yield _tree(sides, 0, here, sides.root), _tree(sides, 1, here, sides.root)
        return
    with worktree(sides.root, sides.revision) as other:
        yield _tree(sides, 0, sides.revision.text, other), _tree(sides, 1, here, sides.root)


def _tree(sides: Sides, number: int, name: str, root: Path) -> Tree:
    variables = sides.variables[number]
    settings = [f"{variable}={value}" for variable, value in variables.items()]
    tree = Tree(
        name=f"{name} under {printable(' '.join(masked_words(settings)))}" if settings else name,
        root=root,
        origin=sides.root,
        folder=sides.folder,
        variables=variables,
    )
    if not tree.working_folder.is_dir():
        raise SettingsError(
            f"{name} has no folder {sides.folder}; start the command in a folder that both sides have"
        )
    return tree


def _state(root: Path) -> str:
    """Commit of the working tree, and whether it has changes."""
    facts = commit(root)
    if not facts:
        return ""
    changes = ", with changes that are not committed" if facts["git_dirty"] == "yes" else ""
    return f" ({facts['git_commit'][:SHORT_LENGTH]}{changes})"
