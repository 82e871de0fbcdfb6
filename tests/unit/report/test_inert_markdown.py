"""Foreign text on a page that a forge makes of Markdown: it is what it was, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_energy.errors import printable
from pytest_energy.report.inert_markdown import block, code, sentence, summary
from tests.fakes.markdown_page import Page

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "a|b",
    "a\\|b\\",
    "a`b``c",
    "a\n\n# title\n",
    "</details></pre></code>",
    '@someone #12 !12 ~label %"v1" $1 GH-12 owner/name#12 &3',
    "[x](http://example.com) ![x](http://example.com/x.png)",
    "<http://example.com> https://example.com mailto:a@b.example",
    "**a** _b_ ~~c~~ $d$ __e__ *f*",
    "www.example.com",
    "&lt;b&gt; &#64;",
    "\\",
    " a ",
    "",
    "- x",
    "1. x",
    "+ x",
    "===",
    "[ ] x",
    "[x]: http://example.com",
    "[^1]: x [^1]",
    "/close",
    "::error::x",
    "\x1b[31m \u202e",
    'it\'s 5 % of "it" (50.0 W, -3 %)',
)
ZERO_WIDTH = "\u200b"


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", [sentence, code])
def test_in_a_line_it_is_read_as_it_is(form: object, text: str) -> None:
    """In a list and in bold no tag, link or mention comes of it, and a reader reads what it was."""
    written = {"sentence": sentence, "code": code}[getattr(form, "__name__", "")](text)
    assert "\n" not in written
    for page in (Page(f"- {written}"), Page(f"- **x {written}**: {written}")):
        assert page.foreign_tags == set()
        assert page.references == []
        assert page.attributes == []
    page = Page(f"- {written}")
    whole = page.code[0] if form is code else page.prose.strip("\n")
    assert whole.replace(ZERO_WIDTH, "").strip() == printable(text).strip()


@settings(deadline=None)  # no clock: a busy machine is slow
@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_name_is_one_cell(text: str) -> None:
    """Whatever a name holds, a table's row has its cells, and the name is whole in one."""
    page = Page(f"| a | b |\n| --- | --- |\n| {code(text)} | x |\n")
    assert page.tags.count("td") == 2
    assert page.foreign_tags == set()
    assert [one.strip() for one in page.code] == [printable(text).strip()]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_any_sentence_is_one(text: str) -> None:
    """It makes no tag, whatever is in it."""
    page = Page(f"- {sentence(text)}")
    assert page.tags in (["ul", "li"], ["ul", "li", "p"])
    assert page.references == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_fold_has_its_title(text: str) -> None:
    """The title is HTML, in which Markdown means nothing."""
    page = Page(f"<details><summary>{summary(text)}</summary>\n\nx\n\n</details>")
    assert page.tags == ["details", "summary", "p"]
    assert page.references == []


@pytest.mark.parametrize("text", HOSTILE)
def test_a_block_is_what_it_was(text: str) -> None:
    """Each line as it is; none is a command of GitLab."""
    written = block(f"first\n{text}\nlast")
    page = Page(f"{written}\n")
    assert page.tags == ["pre"]
    assert page.code == ["\n".join(map(printable, f"first\n{text}\nlast".splitlines()))]
    assert not any(line.lstrip().startswith("/") for line in written.splitlines())


def test_plain_names_are_between_backticks() -> None:
    """What a reader of the source meets is readable: quotes and marks in it are no entities."""
    assert code('test_it\'s[a-b_c, "d"; @e #f]') == '`test_it\'s[a-b_c, "d"; @e #f]`'


def test_plain_sentences_stay_as_they_are() -> None:
    """Numbers, percents and signs need no escape."""
    plain = "+20.1 % energy [+11.6, +29.3], allowed 5 %: 4.0 J (was 3.3 J); it's -3 W"
    assert sentence(plain) == plain


def test_a_long_name_is_cut_in_the_middle() -> None:
    """Its beginning and its end tell tests apart."""
    assert len(code("x" * 300 + "[end]")) == 202
    assert code("x" * 300 + "[end]").endswith("[end]`")
