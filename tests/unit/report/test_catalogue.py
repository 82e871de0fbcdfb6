"""Files of figures: their names, what is drawn, and that the same run gives the same file."""

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.judgement import Judgement
from pytest_energy.report import view
from pytest_energy.report.catalogue import Plan, RoundsContext, distinct, plans, slug, write
from pytest_energy.report.plots.page import DARK, Look
from pytest_energy.report.plots.painter import Format
from tests.builders import comparison, judgement
from tests.fakes import faulty_disk


def swept(model: str, batch_size: int) -> Judgement:
    return judgement(
        test_id=f"b.py::test_batch_size[{model}-{batch_size}]",
        group="batch",
        model=f"{model}@{batch_size}",
        metrics={"batch_size": float(batch_size)},
    )


def served(model: str, rate: float) -> Judgement:
    return judgement(
        test_id=f"b.py::test_requests[{model}@{rate:g}]",
        group="requests",
        energy_j=100 / rate,
        model=f"{model}@{rate:g}/s",
        metrics={"request_rate": rate},
    )


def whole_run() -> list[Judgement]:
    """A run that has every figure."""
    return [
        *(swept("vgg16", size) for size in (4, 8)),
        *(served("1B", rate) for rate in (1.0, 2.0, 4.0)),
        *(
            judgement(test_id=f"t.py::test_{group}[{model}]", group=group, model=model, metrics=metrics)
            for group in ("training", "inference")
            for model, metrics in (("a", {"parameters": 1e5}), ("b", {"parameters": 1e6}))
        ),
        judgement(test_id="t.py::test_w[../x]", compared=comparison(1.02)),
    ]


def test_every_figure_of_a_run() -> None:
    """One a group, model and, if asked for, compared test; what has none is told."""
    run = view.of(whole_run())
    found, told = plans(run, rounds_of=RoundsContext())
    assert [plan.stem for plan in found] == [
        "correlation-batch",
        "correlation-requests",
        "correlation-training",
        "correlation-inference",
        "batch-size-vgg16",
        "request-rate-1B",
        "training-vs-inference",
        "rounds-test_w-x",
    ]
    assert told == ("9 of 10 tests were not compared with a baseline: no figure of their rounds",)
    assert "rounds-test_w-x" not in [plan.stem for plan in plans(run)[0]]


def test_what_can_not_be_drawn_is_told() -> None:
    """A group, a model and a test without anything to draw: a sentence each, no empty figure."""
    run = view.of(
        [
            judgement(test_id="t.py::test_one[a]", group="one", metrics={"m": 1.0}),
            judgement(test_id="b.py::test_batch_size[v-4]", group="batch", model="v@4", samples=None),
            judgement(test_id="b.py::test_requests[1B@4]", group="requests", model="1B@4/s", samples=None),
            judgement(test_id="t.py::test_odd", compared=replace(comparison(), basis="joules a furlong")),
        ]
    )
    found, told = plans(run, rounds_of=RoundsContext())
    assert found == ()
    for part in ("group one has no", "v has no batch size", "1B has no rate", "joules a furlong"):
        assert any(part in sentence for sentence in told)


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_same_run_same_file(tmp_path: Path, form: Format) -> None:
    """Written twice, and with other settings in force, a figure is the same bytes, without a date."""
    some = plans(view.of(whole_run()))[0][-3:]
    first = [one.path for one in write(some, tmp_path / "a", form=form)]
    with mpl.rc_context({"font.size": 20, "svg.fonttype": "path", "axes.facecolor": "red"}):
        second = [one.path for one in write(some, tmp_path / "b", form=form)]
    assert [path.name for path in first] == [path.name for path in second]
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert b"dc:date" not in one.read_bytes()
        assert b"CreationDate" not in one.read_bytes()


def test_text_of_an_svg_is_text(tmp_path: Path) -> None:
    """Names can be searched and read aloud; a name is no mathematics and no markup."""
    name = "$x_1$ <b> 漢字"
    run = view.of([served(name, rate) for rate in (1.0, 2.0, 4.0)])
    (written,) = write(plans(run)[0][-1:], tmp_path, form="svg")
    text = written.path.read_text(encoding="utf-8")
    assert "$x_1$ &lt;b&gt; 漢字: energy per request over the request rate" in text
    assert "<b>" not in text


def test_settings_of_the_reader_stay(tmp_path: Path) -> None:
    """Drawing leaves matplotlib's settings as they were."""
    with mpl.rc_context({"font.size": 20}):
        list(write(plans(view.of(whole_run()))[0][-1:], tmp_path, look=Look(theme=DARK)))
        assert mpl.rcParams["font.size"] == 20


def test_two_figures_of_one_name(tmp_path: Path) -> None:
    """Models whose names make the same slug have a file each."""
    run = view.of([served(name, rate) for name in ("a/b", "a b") for rate in (1.0, 2.0, 4.0)])
    found = [plan for plan in plans(run)[0] if plan.stem.startswith("request")]
    assert [one.path.name for one in write(found, tmp_path)] == [
        "request-rate-a-b.png",
        "request-rate-a-b-2.png",
    ]


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra; nothing is made."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(SettingsError, match=r"pip install 'pytest-energy\[plot\]'"):
        list(write(plans(view.of(whole_run()))[0], tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """What can't be made or written is said with its path."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    found = plans(view.of(whole_run()))[0][-1:]
    with pytest.raises(SettingsError, match=r"folder .*file can't be written"):
        list(write(found, tmp_path / "file"))
    (tmp_path / "x.png").mkdir()
    with pytest.raises(SettingsError, match=r"figure .*x\.png can't be written"):
        list(write([Plan(stem="x", sheet=found[0].sheet)], tmp_path))


def test_a_figure_that_can_not_be_written_costs_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are told at the end, when the others are there."""
    sheet = plans(view.of(whole_run()))[0][-1].sheet
    faulty_disk.refuse(monkeypatch, "/a.png", "/c.png")
    with pytest.raises(SettingsError) as error:
        list(write([Plan(stem=stem, sheet=sheet) for stem in "abcd"], tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.png", "d.png"]
    assert [line.partition(" can't")[0] for line in str(error.value).splitlines()] == [
        f"the figure {tmp_path / name}" for name in ("a.png", "c.png")
    ]


HOSTILE = [
    "../../etc/passwd",
    "..",
    ".hidden",
    "/",
    "\x00\x1b[31m",
    "CON",
    "a\nb",
    "$x^2$",
    "漢字",
    "x" * 500,
    'a"b<c>|?*:',
    "\u202egnp",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_slug_is_safe(name: str) -> None:
    """Whatever a test is called, its part of a file's name is short ASCII that leads nowhere."""
    stem = slug(name)
    assert stem
    assert len(stem) <= 100
    assert set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
    assert ".." not in stem
    assert not stem.startswith((".", "-"))


def test_distinct_counts_on() -> None:
    """Names that a file system may take for one get numbers, also where that number is a name."""
    stems = distinct(["a", "A", "a-2", "a"])
    assert stems[0] == "a"
    assert len({name.lower() for name in stems}) == 4
