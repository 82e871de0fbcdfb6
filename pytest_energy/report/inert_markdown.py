"""Foreign text in Markdown: names, sentences and blocks that make no markup, no link and no mention.

Rule 1: a name looks like code, a sentence like a sentence, several lines like a block, whatever is in them.
Rule 2: what GitHub and GitLab look for after Markdown is read (`@name`, `#12`, `!12`, web addresses) is
broken by a character of no width.
Rule 3: no line begins with a slash, which GitLab would take for a command (`/close`).

Source:
    GitHub Flavored Markdown Spec 0.29, sections 4.6, 4.10, 6.3, 6.9; GitLab, "GitLab Flavored Markdown" and
    "Quick actions".
"""

import html
import re

from pytest_energy.errors import printable

_NAME_LENGTH = 200

# Between backticks nothing means anything but these: a backtick ends the code, a bar the cell of a table, and
# a backslash before a bar not. The others are tags and entities where a program looks for them by itself.
_PLAIN_CODE = re.compile(r"[^\s`|\\<>&]([^`|\\<>&]*[^\s`|\\<>&])?")
# A bracket begins a task where it is the first, and ends a link, a note or a definition before another sign.
_MARKUP = re.compile(r"[\\`*_<>&|~$#]|^\[|\](?=[(\[:])")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", "$": "&#36;"}
_BEGIN_OF_LIST = re.compile(r"^(?:(?=[-+=](?:\s|[-=]|$))|(\d{1,9})(?=[.)](?:\s|$)))")
_REFERENCE = re.compile(
    r"""[@#!%~&^$](?=[\w"'{])|:(?=//)|\bwww(?=\.)|\bGH(?=-\d)|\b(?:mailto|xmpp)(?=:)""", re.IGNORECASE
)
_BREAK = "\u200b"


def code(text: str) -> str:
    """A name, in a sentence or a table's cell."""
    name = _shortened(printable(text))
    return f"`{name}`" if _PLAIN_CODE.fullmatch(name) else f"<code>{_in_entities(name)}</code>"


def sentence(text: str) -> str:
    """Text in a line."""
    line = _MARKUP.sub(_escaped, _broken(printable(text)))
    return _BEGIN_OF_LIST.sub(r"\1\\", line)


def summary(text: str) -> str:
    """The title of a fold, which is HTML."""
    return html.escape(_broken(printable(text)), quote=False)


def block(text: str) -> str:
    """Several lines, each as it is."""
    lines = (html.escape(printable(line), quote=False) for line in text.splitlines())
    whole = "\n".join(re.sub(r"^(\s*)/", r"\1&#47;", line) for line in lines)
    return f"<pre>{whole}</pre>"


def _broken(text: str) -> str:
    return _REFERENCE.sub(rf"\g<0>{_BREAK}", text)


def _escaped(character: re.Match[str]) -> str:
    return _ENTITIES.get(character[0], f"\\{character[0]}")


def _in_entities(text: str) -> str:
    """*text* where backticks don't work: what could mean anything to Markdown is an entity."""
    return re.sub(r"[^\w ,:]|_|:(?! )", lambda character: f"&#{ord(character[0])};", text)


def _shortened(text: str) -> str:
    half = _NAME_LENGTH // 2
    return text if len(text) <= _NAME_LENGTH else f"{text[: half - 2]}...{text[1 - half :]}"
