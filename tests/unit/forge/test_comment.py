"""One comment, whoever comments at once; what a comment may hold."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.forge.comment import Change, Mark, comment_text, put
from pytest_energy.forge.job import job_of
from pytest_energy.report import to_markdown, view
from tests.builders import judgement
from tests.fakes.forge_server import SOMEBODY, Answer, ForgeServer
from tests.unit.forge.conftest import on_github

NEW = Mark(run=(5, 1))


def body(mark: Mark, text: str = "x") -> str:
    return f"{mark}\n{text}"


def put_at(server: ForgeServer, mark: Mark, text: str = "x") -> Change:
    change, _ = put(job_of("github", on_github(server)).forge, body(mark, text), mark)
    return change


class TestPut:
    def test_the_first_is_created_and_the_next_updates_it(self, server: ForgeServer) -> None:
        """However many runs, there is one comment, with the text of the last."""
        assert put_at(server, NEW, "first") is Change.CREATED
        assert put_at(server, Mark(run=(6, 1)), "second") is Change.UPDATED
        assert server.bodies() == [body(Mark(run=(6, 1)), "second")]

    @pytest.mark.parametrize("page_limit", [100, 30])
    def test_it_is_found_among_many(self, server: ForgeServer, page_limit: int) -> None:
        """On whatever page it is, and however many comments a page has."""
        server.page_limit = page_limit
        for number in range(240):
            server.add(f"talk {number}", SOMEBODY)
        ours = server.add(body(Mark(run=(4, 1))))
        for number in range(30):
            server.add(f"more {number}", SOMEBODY)
        assert put_at(server, NEW) is Change.UPDATED
        assert server.comments[ours][1] == body(NEW)
        assert len(server.comments) == 271

    def test_somebody_elses_comment_with_our_mark_stays(self, server: ForgeServer) -> None:
        """A mark alone makes no comment ours."""
        theirs = server.add(body(Mark(run=(4, 1)), "theirs"), SOMEBODY)
        assert put_at(server, NEW) is Change.CREATED
        assert server.comments[theirs] == (SOMEBODY, body(Mark(run=(4, 1)), "theirs"))

    def test_our_other_comments_stay(self, server: ForgeServer) -> None:
        """What we wrote without the mark, with it further down, or for another job, is another comment."""
        others = [server.add("hello"), server.add(f"> {NEW}"), server.add(body(Mark(key="gpu", run=(4, 1))))]
        before = [server.comments[number] for number in others]
        assert put_at(server, NEW) is Change.CREATED
        assert [server.comments[number] for number in others] == before

    @pytest.mark.parametrize("is_app", [True, False])
    def test_a_jobs_token_knows_itself_as_a_persons_does(self, server: ForgeServer, *, is_app: bool) -> None:
        """Where the REST API has no user for a token, GraphQL names it."""
        server.is_app = is_app
        server.add(body(Mark(run=(4, 1))))
        assert put_at(server, NEW) is Change.UPDATED

    def test_where_nothing_names_the_token_it_is_the_jobs(self, server: ForgeServer) -> None:
        """The bot of GitHub Actions is taken, whose comments a job's token writes."""
        refused = Answer(status=403, fields={"message": "Resource not accessible by integration"})
        ours = server.add(body(Mark(run=(4, 1))), "github-actions[bot]")
        server.answers = [refused, refused]
        assert put_at(server, NEW) is Change.UPDATED
        assert server.comments[ours][1] == body(NEW)

    @pytest.mark.parametrize(("other_run", "text"), [((4, 1), "ours"), ((6, 1), "theirs")])
    def test_of_two_at_once_the_newer_text_stays_in_the_older_comment(
        self, server: ForgeServer, other_run: tuple[int, int], text: str
    ) -> None:
        """Another job comments between our look and our comment."""
        other = Mark(run=other_run)
        server.before_create = lambda one: one.add(body(other, "theirs"))
        change = put_at(server, NEW, "ours")
        assert server.bodies() == [body(max(NEW, other, key=lambda mark: mark.run), text)]
        assert change is (Change.UPDATED if text == "ours" else Change.LEFT)

    def test_of_many_at_once_one_comment_stays(self, server: ForgeServer) -> None:
        """However the requests of eight jobs fall between each other."""
        with ThreadPoolExecutor(8) as pool:
            changes = list(pool.map(lambda number: put_at(server, Mark(run=(number, 1))), range(1, 9)))
        assert len(changes) == 8
        (kept,) = server.bodies()
        mark = Mark.of(kept)
        assert mark is not None
        assert 1 <= mark.run[0] <= 8

    def test_an_older_run_leaves_the_comment_of_a_newer(self, server: ForgeServer) -> None:
        """Who ends late with an old commit changes nothing."""
        server.add(body(Mark(run=(6, 1)), "newer"))
        assert put_at(server, NEW, "older") is Change.LEFT
        assert server.bodies() == [body(Mark(run=(6, 1)), "newer")]

    def test_what_is_posted_by_hand_is_the_newest(self, server: ForgeServer) -> None:
        """Where no service counts runs, the comment is updated whatever is in it."""
        server.add(body(Mark(run=(6, 1)), "old"))
        assert put_at(server, Mark(), "by hand") is Change.UPDATED
        assert server.bodies() == [body(Mark(), "by hand")]

    def test_a_second_try_of_a_run_is_newer(self, server: ForgeServer) -> None:
        """The number of the try counts where that of the run is equal."""
        server.add(body(Mark(run=(5, 1)), "first"))
        assert put_at(server, Mark(run=(5, 2)), "second") is Change.UPDATED

    def test_doubles_are_removed(self, server: ForgeServer) -> None:
        """What earlier runs left twice is one comment again."""
        for _ in range(3):
            server.add(body(Mark(run=(4, 1))))
        assert put_at(server, NEW) is Change.UPDATED
        assert server.bodies() == [body(NEW)]

    def test_an_answer_that_was_lost_doubles_nothing(self, server: ForgeServer) -> None:
        """The comment was made, its answer was 502: the next try makes it again, and one stays."""
        server.answers = [None, None, Answer(status=502, is_after=True)]
        assert put_at(server, NEW) is Change.UPDATED
        assert server.bodies() == [body(NEW)]


class TestMark:
    @pytest.mark.parametrize("mark", [Mark(), NEW, Mark(key="gpu-2.b_c", run=(12, 3))])
    def test_a_mark_is_read_as_it_was_written(self, mark: Mark) -> None:
        """Its key and run come back from the first line of a comment."""
        assert Mark.of(f"{mark}\r\ntext") == mark

    @pytest.mark.parametrize("key", ["a b", "-->", "a--b", "x" * 51, "ä", "a\n"])
    def test_a_key_that_could_end_the_mark_is_refused(self, key: str) -> None:
        """What would be visible or break the comment names what is allowed."""
        with pytest.raises(SettingsError, match="at most 50 letters, digits"):
            Mark(key=key)

    def test_the_mark_of_a_report_counts(self) -> None:
        """A report that a workflow posted by itself is a comment without a key, older than any run."""
        assert Mark.of(to_markdown.MARKER + "\n") == Mark()


class TestText:
    def test_it_begins_with_the_mark_and_ends_with_the_link(self) -> None:
        """The report's own mark gives way to the job's."""
        text = comment_text(
            f"{to_markdown.MARKER}\n### Title\n",
            NEW,
            limit=1000,
            report_url="https://x.example/1",
            commit="0123abc",
        )
        assert text == f"{NEW}\n### Title\n\n[Files of this run](https://x.example/1), commit 0123abc\n"

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "https://x) <b>", "https://x\ny", ""])
    def test_a_link_that_is_none_is_left_out(self, url: str) -> None:
        """What could be markup never gets into the comment."""
        assert comment_text("a", NEW, limit=1000, report_url=url) == f"{NEW}\na\n"

    @pytest.mark.parametrize("limit", [400, 1500, 4000, 8000])
    def test_a_long_report_is_cut_between_lines(self, limit: int) -> None:
        """It keeps to the limit, closes what it opened, and says where the rest is."""
        report = to_markdown.render(
            view.of([judgement(test_id=f"t.py::test_{n}<", reason="a\nb") for n in range(150)])
        )
        assert len(report) > 8000
        text = comment_text(report, NEW, limit=limit, report_url="https://x.example/1")
        assert len(text) <= limit
        for name in ("details", "pre"):
            assert text.count(f"<{name}") == text.count(f"</{name}>")
        assert "\nThis report is too long for a comment. The whole report is under the link below.\n" in text
        assert text.endswith("[Files of this run](https://x.example/1)\n")
        kept = text.partition("\nThis report is too long")[0]
        whole = set(report.splitlines()) | {str(NEW)}
        assert [line for line in kept.splitlines() if line not in whole] == []

    def test_a_report_at_the_limit_is_whole(self) -> None:
        """Nothing is cut that fits."""
        exact = comment_text("a" * 100, NEW, limit=10**6)
        assert comment_text("a" * 100, NEW, limit=len(exact)) == exact
        assert "too long" in comment_text("a\n" * 100, NEW, limit=len(exact))


def test_own_reports_fit_with_what_is_added(server: ForgeServer) -> None:
    """The largest report that we render is hardly cut on GitHub: its first table stays."""
    many = [judgement(test_id=f"t.py::test_{n}{'x' * 150}") for n in range(2000)]
    text = comment_text(to_markdown.render(view.of(many)), NEW, limit=65_536, report_url=f"{server.url}/x")
    assert len(text) <= 65_536
    assert re.search(r"\.\.\. and \d+ more tests", text)
