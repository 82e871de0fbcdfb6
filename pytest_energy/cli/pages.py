"""`--out` of commands whose result is a page: Markdown, JSON or a figure, by the name of the file."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from pytest_energy.cli.files import say
from pytest_energy.report.charts.spec import Sheet
from pytest_energy.report.plots.page import LIGHT, Look
from pytest_energy.report.plots.painter import DPI, Format, draw, save, styled
from pytest_energy.whole_file import write_whole, writing

_FIGURES: dict[str, Format] = {".png": "png", ".svg": "svg", ".pdf": "pdf"}


def add_pages(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out",
        type=_path,
        action="append",
        default=[],
        metavar="PATH",
        help="also write to PATH: .md, .json, or a figure as .png, .svg or .pdf (repeatable)",
    )


def _path(text: str) -> Path:
    path = Path(text)
    if path.suffix not in {".md", ".json", *_FIGURES}:
        raise argparse.ArgumentTypeError(f"must end in .md, .json, .png, .svg or .pdf. Got {text!r}")
    return path


def write_page(
    path: Path, *, markdown: Callable[[], str], document: Callable[[], object], sheet: Callable[[], Sheet]
) -> None:
    """Write to *path* what its name asks for, and say so.

    Raises:
        SettingsError: It can't be written, or matplotlib is not installed.
    """
    if path.suffix in _FIGURES:
        look = Look(theme=LIGHT)
        with styled(look.theme):
            save(draw(sheet(), look), path, _FIGURES[path.suffix], dpi=DPI)
    else:
        text = markdown() if path.suffix == ".md" else json.dumps(document(), indent=2) + "\n"
        with writing(str(path)):
            write_whole(path, text.encode("utf-8"))
    say(f"written to {path}")
