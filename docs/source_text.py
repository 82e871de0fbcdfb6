"""What the pages of docs/reference show of the source: signatures and docstrings as Markdown.

Signatures are read from the source, so that equal code gives equal pages, whatever the version of Python.
"""  # noqa: INP001  # beside the pages that it serves

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

PACKAGE = Path(__file__).parents[1] / "pytest_energy"
LONGEST = 100  # of a signature on one line; a code block of the site is about so wide
SECTIONS = ("Args:", "Attributes:", "Returns:", "Raises:", "Source:", "Example::")


def classes(path: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def functions(path: str) -> dict[str, ast.FunctionDef]:
    tree = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def public(owner: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Methods that a reader calls, and properties."""
    for node in owner.body:
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and not (node.name.startswith("_") or _is_overload(node)):
            yield node


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it only says a type; the function itself follows."""
    return any(isinstance(mark, ast.Name) and mark.id == "overload" for mark in node.decorator_list)


def signature(node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str = "") -> str:
    """How it is called: on one line where that is short, else an argument a line."""
    given = list(arguments(node.args))
    returned = "" if node.returns is None else f" -> {annotation(node.returns)}"
    whole = f"{prefix}{node.name}({', '.join(given)}){returned}"
    if len(whole) <= LONGEST:
        return whole
    lines = "".join(f"    {argument},\n" for argument in given)
    return f"{prefix}{node.name}(\n{lines}){returned}"


def arguments(node: ast.arguments) -> Iterator[str]:
    """Each argument with its annotation and default, without `self`."""
    positional = [*node.posonlyargs, *node.args]
    defaults = [*[None] * (len(positional) - len(node.defaults)), *node.defaults]
    for argument, default in zip(positional, defaults, strict=True):
        if argument.arg != "self":
            yield named(argument, default)
        if node.posonlyargs and argument is node.posonlyargs[-1] and argument.arg != "self":
            yield "/"
    if node.vararg:
        yield f"*{named(node.vararg, None)}"
    elif node.kwonlyargs:
        yield "*"
    for argument, default in zip(node.kwonlyargs, node.kw_defaults, strict=True):
        yield named(argument, default)
    if node.kwarg:
        yield f"**{named(node.kwarg, None)}"


def named(argument: ast.arg, default: ast.expr | None) -> str:
    kind_of = "" if argument.annotation is None else f": {annotation(argument.annotation)}"
    return f"{argument.arg}{kind_of}" + ("" if default is None else f" = {source(default)}")


def annotation(node: ast.expr) -> str:
    """*node* without the quotes that keep an import away."""
    text = source(node)
    return text if text.startswith("Literal[") else text.replace('"', "")


def source(node: ast.expr) -> str:
    return ast.unparse(node).replace("'", '"')


def docs_of(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> str:
    """A docstring as Markdown: its sections become lists."""
    parts: list[str] = []
    for block in re.split(r"\n\n+", dedent_docstring(ast.get_docstring(node, clean=False) or "")):
        head, _, rest = block.partition("\n")
        if head.strip() in SECTIONS:
            parts.append(section(head.strip().rstrip(":"), dedent(rest)))
        elif block.startswith("    ") and parts and parts[-1].startswith("Example"):
            parts[-1] += f"\n\n```python\n{dedent(block)}\n```"
        elif not block.startswith(">>>"):
            parts.append(block)
    return "\n\n".join(part for part in parts if part)


def dedent_docstring(text: str) -> str:
    first, _, rest = text.partition("\n")
    return f"{first}\n{dedent(rest)}".strip()


def section(name: str, text: str) -> str:
    if name in {"Returns", "Source"}:
        return f"{name}: {' '.join(text.split())}"
    if name == "Example":
        return name + ":"
    items = re.split(r"\n(?=\S)", text.strip())
    heads = {"Args": "Arguments", "Attributes": "Attributes", "Raises": "Raises"}
    lines = (f"- {item(' '.join(one.split()))}" for one in items)
    return f"{heads[name]}:\n\n" + "\n".join(lines)


def item(text: str) -> str:
    name, found, meaning = text.partition(": ")
    return f"`{name}`: {meaning}" if found else text


def part(node: ast.FunctionDef | ast.AsyncFunctionDef, prefix: str = "", level: str = "##") -> str:
    title = f"{level} `{prefix}{node.name}`"
    return f"{title}\n\n```python\n{signature(node, prefix)}\n```\n\n{docs_of(node)}"


def first_line(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return (ast.get_docstring(node) or "").partition("\n")[0]


def public_and_init(owner: ast.ClassDef) -> Iterator[ast.FunctionDef]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef):
            yield node
