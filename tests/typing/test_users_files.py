"""What a user's own type checker says of tests that use the fixture."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]

# The plugin's own modules are followed as an installed package's are: silently. No annotation of the fixture
# is one of these libraries', whose files take mypy 45 s.
SETTINGS = """
[mypy]
[mypy-pytest_energy.*]
follow_imports = silent
[mypy-torch.*,transformers.*,pandas.*]
follow_imports = skip
"""


@pytest.mark.slow
def test_strict_mypy_accepts_a_user_s_files(tmp_path: Path) -> None:
    """With annotations and without; what the fixture returns has its type, and a wrong use is an error."""
    (tmp_path / "mypy.ini").write_text(SETTINGS)
    for name in ("annotated.py", "unannotated.py"):
        shutil.copy(FOLDER / name, tmp_path)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "annotated.py", "unannotated.py"]
    check = subprocess.run(  # noqa: S603  # our own interpreter
        command,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.stdout == "Success: no issues found in 2 source files\n"


def test_the_package_says_that_it_is_typed() -> None:
    """Without the marker, type checkers take everything of an installed package for `Any`."""
    assert (ROOT / "pytest_energy" / "py.typed").is_file()
