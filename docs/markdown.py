"""The parts that pages of docs/reference are made of: a page, a table, code."""  # noqa: INP001  # beside the pages that it makes

import re
from collections.abc import Iterable

MADE = "<!-- Made by docs/generate.py from {source}; don't edit. -->"


def page(title: str, made_from: str, *parts: str) -> str:
    return (
        "\n\n".join([f"# {title}", MADE.format(source=made_from), *(part.strip("\n") for part in parts)])
        + "\n"
    )


def table(headers: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headers, tuple("---" for _ in headers), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def typed(text: str) -> str:
    """*text* with the options in it as code."""
    return re.sub(r"(?<![`\w-])(--[a-z][\w-]*(?:=[\w:.-]*\w)?)(?!`)", r"`\1`", text)


def code(text: str) -> str:
    return f"`{text}`" if text else ""
