"""What a forge makes of Markdown: tags, and text in which it looks for names, numbers and addresses."""

import re
from html.parser import HTMLParser

from markdown_it import MarkdownIt

OWN_TAGS = frozenset(
    {
        "h3",
        "ul",
        "li",
        "p",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
        "pre",
        "details",
        "summary",
    }
)
# Of GitHub and of GitLab: people, issues, merge requests, labels, milestones, snippets, epics; web addresses.
_REFERENCE = re.compile(r"""[@#!~%&^$][\w"'{]|https?://|www\.\w|\bGH-\d|mailto:""", re.IGNORECASE)


class Page(HTMLParser):
    """The page of a Markdown text.

    Attributes:
        tags: Each tag that opens, in order.
        prose: Text outside code and blocks.
        code: Each piece of code and each block, as it is read.
        links: Attributes of all tags.
    """

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.prose = ""
        self.code: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._depth = 0
        self.feed(MarkdownIt("gfm-like", {"linkify": False}).render(markdown))
        self.close()

    @property
    def foreign_tags(self) -> set[str]:
        return set(self.tags) - OWN_TAGS

    @property
    def references(self) -> list[str]:
        return _REFERENCE.findall(self.prose)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [one for one in attrs if one[0] != "style"]  # of a table's cell
        if tag in {"code", "pre"}:
            self._depth += 1
            self.code.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"code", "pre"}:
            self._depth -= 1

    def handle_data(self, data: str) -> None:
        if self._depth:
            self.code[-1] += data
        else:
            self.prose += data
