"""Writes the pages of docs/reference, each from the code that it describes.

    python docs/generate.py

Rule 1: nothing on these pages is written by hand; a text that reads badly is mended in the code.
Rule 2: equal code gives equal pages, whatever the version of Python: signatures are read from the source, and
help texts from the parsers' own tables.
"""  # noqa: INP001  # a script beside its pages

import sys
from pathlib import Path

if not __package__:  # run as a file: the folder above `docs` isn't on the path
    sys.path.append(str(Path(__file__).resolve().parents[1]))

from docs.markdown import page
from docs.setting_pages import command_page, marker_page, names_page, options_page
from docs.source_pages import api_page, fixture_page, hooks_page, serving_page
from docs.value_pages import json_page, metrics_page

DOCS = Path(__file__).parent
FOLDER = DOCS / "reference"

PAGES = {
    "api.md": api_page,
    "options.md": options_page,
    "marker.md": marker_page,
    "names.md": names_page,
    "fixture.md": fixture_page,
    "hooks.md": hooks_page,
    "serving.md": serving_page,
    "command-line.md": command_page,
    "metrics.md": metrics_page,
    "json.md": json_page,
}


def pages() -> dict[str, str]:
    """Every page by its name in docs/reference."""
    made = {name: make() for name, make in PAGES.items()}
    names = "\n".join(name.removesuffix(".md") for name in made)
    contents = "\n".join(
        f"- [{text.partition(chr(10))[0].removeprefix('# ')}]({name})" for name, text in made.items()
    )
    hidden = f"```{{toctree}}\n:hidden:\n\n{names}\n```"
    index = page("Reference", "the code", "Made from the code that it describes.", contents, hidden)
    return {"index.md": index, **made}


def main() -> int:
    """Write every page that has changed, and say which."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        path = FOLDER / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(f"written: {path.relative_to(DOCS.parent)}")  # noqa: T201  # a script says what it did
    return 0


if __name__ == "__main__":
    sys.exit(main())
