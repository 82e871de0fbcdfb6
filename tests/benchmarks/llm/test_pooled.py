"""The pooled table: its design, its prompts, the rows that are kept, and what is made of them."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from statistics import fmean

import pytest

from benchmarks.llm.design import answer_lengths, rows
from benchmarks.llm.pooled import main
from benchmarks.llm.pooled_table import agreement, records, table
from benchmarks.profiles import GPU
from pytest_energy.conversion import judgement_to_json
from pytest_energy.model import Record
from pytest_energy.stats.correlate import spearman
from tests.builders import judged, reading, record

tokenizers = pytest.importorskip("tokenizers")

from benchmarks.llm.prompts import asked_prompts  # noqa: E402
from benchmarks.llm.questions import CATEGORIES, question_set, questions_of  # noqa: E402
from benchmarks.llm.tokenizer import trained_tokenizer, widened_tokenizer  # noqa: E402


def test_no_column_of_the_design_goes_with_another() -> None:
    """Four sizes, five rates, four shares, reasoning on and off: 20 rows, no rho above 0.04."""
    found = rows(GPU.llm.pooled)
    sizes = list(GPU.llm.pooled.model_sizes)
    columns: list[list[float]] = [
        [sizes.index(row.size) for row in found],
        [row.rate for row in found],
        [row.shared_share for row in found],
        [row.has_reasoning for row in found],
    ]
    assert len(found) == len({(row.size, row.rate) for row in found}) == 20
    assert sum(columns[3]) == 10
    rhos = [spearman(x, y, seed=1).rho for x, y in combinations(columns, 2)]
    assert max(abs(rho or 0.0) for rho in rhos) <= 0.04 + 1e-9
    assert {sum(row.has_reasoning for row in found if row.rate == rate) for rate in columns[1]} == {2}


@pytest.mark.parametrize("count", [13, 512, 2048])
def test_answers_of_one_kind_have_one_mean_length(count: int) -> None:
    """An exponential cut at twice its scale has a mean of 1 - exp(-2) of it; half a token is rounding up."""
    lengths = answer_lengths(count, scale=128, seed="1")
    assert fmean(lengths) == pytest.approx(128 * (1 - 0.1353) + 0.5, abs=0.2)
    assert (min(lengths) >= 1, max(lengths)) == (True, 256)
    assert lengths != answer_lengths(count, scale=128, seed="2")


def test_eighty_questions_of_eight_kinds() -> None:
    """Ten of each, none twice, each with a length for its answer; the first eight are one of each."""
    both = [questions_of(category) for category in CATEGORIES]
    assert [len(one.prompts) for one in both] == [10] * 8
    found = question_set()
    assert len({*found.prompts}) == len(found.output_tokens or ()) == 80
    assert found.prompts[:8] == tuple(one.prompts[0] for one in both)
    assert min(found.output_tokens or ()) >= 1


@pytest.mark.parametrize("share", [0.0, 0.25, 0.75])
def test_prompts_share_their_start_and_nothing_else(share: float) -> None:
    """A prefix cache answers that share of each, in later rounds too; each ends with its question."""
    first, second = (
        asked_prompts(90, length=128, shared_share=share, seed="1", round_index=index) for index in (0, 1)
    )
    start = first[0][: round(share * 128)]
    assert {len(prompt) for prompt in first + second} == {128}
    assert all(prompt[: len(start)] == start for prompt in first + second)
    assert len({tuple(prompt[len(start) : len(start) + 16]) for prompt in first + second}) > 170
    assert [prompt[-8:] for prompt in first[:80]] == [[*question[-8:]] for question in question_set().prompts]


def test_a_widened_tokenizer_has_text_for_every_token_and_encodes_as_before() -> None:
    """Answers of a model with random weights hold tokens that no text was encoded to."""
    wide, text = widened_tokenizer(5000), "What is the difference?"
    assert wide.get_vocab_size() == 5000
    assert wide.encode(text).ids == trained_tokenizer().encode(text).ids
    assert wide.decode(wide.encode(text).ids) == text
    assert all(wide.id_to_token(token) for token in range(5000))
    assert wide.decode([4999])


def row(size: str, rate: float, energy_j: float, *, gpus: int = 1, **metrics: float) -> Record:
    """A row whose round of ten requests took ten times *energy_j*."""
    cards = {f"gpu:{number}": 10 * energy_j / gpus for number in range(gpus)}
    return replace(
        record(
            rounds=[replace(reading(10 * energy_j), channels=cards)],
            test_id=f"test_pooled[{size}@{rate:g}-{gpus}]",
            samples=10,
            metrics={"request_rate": rate, "energy_per_sample": energy_j, "tpot_p50_s": 0.004, **metrics},
        ),
        model=f"{size}@{rate:g}/s",
        engine_settings={"gpus": str(gpus)},
    )


def written(folder: Path, found: Sequence[Record]) -> Path:
    lines = (f"{json.dumps(judgement_to_json(judged(one)))}\n" for one in found)
    (folder / "rows.jsonl").write_text("".join(lines))
    return folder


def grid() -> list[Record]:
    """Joules fall with the rate and rise with the size, as parameters do."""
    return [
        row(size, rate, parameters / rate, parameters=parameters)
        for size, parameters in (("0.5B", 5.0), ("1B", 10.0), ("3B", 30.0), ("8B", 80.0))
        for rate in (1.0, 4.0, 16.0, 64.0, 256.0)
    ]


def test_the_table_has_our_rho_beside_the_papers(tmp_path: Path) -> None:
    """Of all rows, with an interval over sizes and rates; within a size the rate alone orders them."""
    text = table([written(tmp_path, grid())])
    (line,) = [line.split() for line in text.splitlines() if line.startswith("request_rate ")]
    rho = spearman(
        [one.metrics["request_rate"] or 0 for one in grid()],
        [one.metrics["energy_per_sample"] or 0 for one in grid()],
        seed=1,
    ).rho
    assert line[1:3] == ["-0.95", f"{rho:+.2f}"]
    assert line[6:] == ["20", "-1.00", "yes"]
    assert max(map(len, text.splitlines())) <= 80
    (line,) = [line.split() for line in text.splitlines() if line.startswith("parameters ")]
    assert line[-3:-1] == ["20", "-"]


def test_several_cards_stand_beside_one_and_in_no_correlation(tmp_path: Path) -> None:
    """Joules of all cards, of each, and the ratio."""
    text = table([written(tmp_path, [*grid(), row("8B", 4.0, 30.0, gpus=2, parameters=80.0)])])
    assert text.splitlines()[-1].split() == ["8B", "4", "20", "30", "1.50", "15", "+", "15", "4.0", "4.0"]
    (line,) = [line.split() for line in text.splitlines() if line.startswith("request_rate ")]
    assert line[6] == "20"


def test_the_newest_row_of_a_test_counts(tmp_path: Path) -> None:
    """Also where a later file holds an older one, and one without joules counts never."""
    newest = replace(row("8B", 1.0, 7.0), created="2026-03-01T00:00:00Z")
    lost = replace(
        row("8B", 1.0, 9.0), created="2026-04-01T00:00:00Z", rounds=(), unmeasured_because="no sensor"
    )
    for name, one in (("a", newest), ("b", row("8B", 1.0, 8.0)), ("c", lost)):
        (tmp_path / name).mkdir()
        written(tmp_path / name, [one])
    (found,) = records([tmp_path / name for name in "abc"])
    assert found.energy_j == 70.0


def test_without_rows_the_table_is_empty_and_no_error(tmp_path: Path) -> None:
    """A run that was cut before its first row."""
    (line,) = [line.split() for line in table([tmp_path]).splitlines() if "request_rate" in line]
    assert line == ["request_rate", "-0.95", "-", "-", "0", "-", "-"]


def test_a_page_takes_the_same_table_as_markdown(tmp_path: Path) -> None:
    """Every line of it is one of a Markdown table."""
    lines = table([written(tmp_path, grid())], form="github").splitlines()
    assert next(line for line in lines if "parameters" in line).startswith("| parameters ")


@pytest.mark.parametrize(
    ("ci", "word"), [((-1.0, -0.8), "yes"), ((-1.0, 0.1), "open"), ((-0.9, -0.1), "no"), (None, "-")]
)
def test_agreement_is_judged_by_the_interval(ci: tuple[float, float] | None, word: str) -> None:
    """One that holds both the paper's rho and none at all decides nothing."""
    assert agreement(-0.95, ci) == word


def test_the_command_without_words_says_how(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 2, as of a wrong command line."""
    assert main([]) == 2
    assert "benchmarks.llm.pooled run OUT" in capsys.readouterr().out


KEEPER = ("-p", "benchmarks.llm.keeper", "--energy-off")
SIZES = """
import pytest

@pytest.mark.parametrize("row", ["1B@1", "1B@4", "0.1B@1"])
def test_pooled(row): pass
"""


@pytest.mark.parametrize(("most_s", "skipped"), [("1e9", 0), ("70", 2)])
def test_rows_of_one_size_run_and_none_begins_too_late(
    pytester: pytest.Pytester, most_s: str, skipped: int
) -> None:
    """A size is no part of another's name; what comes too late is skipped, with its reason."""
    pytester.makepyfile(SIZES)
    run = pytester.runpytest_inprocess(
        *KEEPER, "--keep-rows=rows.jsonl", "--of-size=1B", f"--most-s={most_s}", "-rs"
    )
    run.assert_outcomes(passed=2 - skipped, skipped=skipped, deselected=1)


def test_a_row_is_kept_as_soon_as_it_is_reported(pytester: pytest.Pytester) -> None:
    """The run fails after it, and the row is there."""
    pytester.makepyfile(
        """
        import pytest
        from pathlib import Path

        @pytest.mark.energy
        @pytest.mark.parametrize("row", ["1B@1"])
        def test_first(row): pass

        @pytest.mark.parametrize("row", ["1B@4"])
        def test_then(row):
            assert not Path("rows.jsonl").read_text().count("test_first")
        """
    )
    run = pytester.runpytest_inprocess(
        *KEEPER[:2], "--keep-rows=rows.jsonl", "--of-size=1B", "--most-s=1e9", "--energy-baseline=off"
    )
    run.assert_outcomes(passed=1, failed=1)
    (line,) = (pytester.path / "rows.jsonl").read_text().splitlines()
    assert json.loads(line)["id"].endswith("test_first[1B@1]")
