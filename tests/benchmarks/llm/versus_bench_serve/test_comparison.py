"""The comparison with `vllm bench serve`: the same work for both, their figures in our units, the verdict."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest

from benchmarks.llm.versus_bench_serve.__main__ import main
from benchmarks.llm.versus_bench_serve.figures import (
    NAMES,
    Pair,
    Run,
    check_same_work,
    lateness_p99_s,
    our_figures,
    our_span_s,
    their_figures,
    their_span_s,
)
from benchmarks.llm.versus_bench_serve.judging import LIMITS, Row, compared, table
from benchmarks.llm.versus_bench_serve.work import Work, trace
from pytest_energy.errors import NotMeasurable, SettingsError
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.load_result import LoadResult, Served
from pytest_energy.stats.centre import spread_of
from pytest_energy.stats.compare import Bounds


def work(*, rate: float = 2.0, output_tokens: int = 3) -> Work:
    return Work(
        size="1M",
        prompt_tokens=5,
        output_tokens=output_tokens,
        count=4,
        rate=rate,
        burstiness=1.0,
        arrivals="same",
    )


def run(
    *,
    scale: float = 1.0,
    output_tokens: int = 12,
    foreign_cores: float = 0.0,
    server_cpu_s: float | None = None,
) -> Run:
    return Run(
        figures={name: scale for name, _, _ in NAMES},
        prompt_tokens=20,
        output_tokens=output_tokens,
        late_p99_s=None,
        foreign_cores=foreign_cores,
        server_cpu_s=server_cpu_s,
    )


def pairs(*ratios: float) -> list[Pair]:
    return [
        Pair(seed=seed, is_ours_first=False, theirs=run(), ours=run(scale=ratio))
        for seed, ratio in enumerate(ratios)
    ]


def replaced(pair: Pair, theirs_s: float | None, ours_s: float | None) -> Pair:
    """*pair* with these processor times of the server."""
    return replace(
        pair,
        theirs=replace(pair.theirs, server_cpu_s=theirs_s),
        ours=replace(pair.ours, server_cpu_s=ours_s),
    )


def load(*token_times_s: tuple[float, ...]) -> LoadResult:
    """A load whose requests were all sent at its start."""
    served = tuple(
        Served(request_id=str(position), due_s=0.0, submitted_s=0.0, token_times_s=times_s, prompt_tokens=5)
        for position, times_s in enumerate(token_times_s)
    )
    return LoadResult(engine="any", schedule=Schedule(rate=2.0), served=served)


def test_trace_has_our_schedule_and_lengths() -> None:
    """The other client replays the very times at which ours sends, and the same lengths."""
    rows = [json.loads(line) for line in trace(work(), seed=7).splitlines()]
    assert [row["timestamp"] for row in rows] == list(Schedule(rate=2.0, seed=7).due_s(4))
    assert {(row["input_length"], row["output_length"]) for row in rows} == {(5, 3)}


def test_trace_repeats_no_prompt() -> None:
    """Prompts differ within a run and between seeds, so that no cache answers for the model."""
    hashes = [
        tuple(json.loads(line)["hash_ids"])
        for seed in (1, 2)
        for line in trace(work(), seed=seed).splitlines()
    ]
    assert len(set(hashes)) == len(hashes)


def test_their_figures_are_in_our_units() -> None:
    """Milliseconds become seconds, rates stay."""
    told = {"completed": 4, **{theirs: 2.0 for _, theirs, _ in NAMES}}
    figures = their_figures(told, 4)
    assert figures["ttft_p99_s"] == pytest.approx(0.002)
    assert figures["achieved_rate"] == 2.0


def test_server_has_room_for_a_prompt_as_text() -> None:
    """A space beside each word: the bound is of so many of the longest words without."""
    asked, word = work(), "w9"
    text = " ".join([word] * asked.prompt_tokens)
    assert len(text) <= (asked.room - asked.output_tokens) * len(word)


def test_lost_request_ends_the_comparison() -> None:
    """A run in which not all requests were answered is no measurement, and the first reason is told."""
    told = {"completed": 3, "errors": ["", "Bad Request"], **{theirs: 2.0 for _, theirs, _ in NAMES}}
    with pytest.raises(NotMeasurable, match="3 of 4 requests were answered; the first error: Bad Request"):
        their_figures(told, 4)


def test_load_ends_with_the_last_token() -> None:
    """From the first request on, whichever request ends last."""
    told = {"start_times": [5.0, 6.0], "latencies": [3.5, 1.25]}
    assert their_span_s(told) == (5.0, 8.5)
    assert our_span_s(replace(load((0.1, 3.0), (0.2, 0.3)), started_s=5.0)) == (5.0, 8.0)


def test_our_figures_are_those_of_the_load() -> None:
    """Means over requests, percentiles linear between neighbours, rates over the whole load."""
    figures = our_figures(load((0.1, 0.2, 0.3), (0.3, 0.6, 0.9)))
    assert figures == pytest.approx(
        {
            "ttft_mean_s": 0.2,
            "ttft_p50_s": 0.2,
            "ttft_p99_s": 0.298,
            "tpot_mean_s": 0.2,
            "tpot_p50_s": 0.2,
            "tpot_p99_s": 0.298,
            "achieved_rate": 2 / 0.9,
            "output_token_rate": 6 / 0.9,
        }
    )


def test_both_sides_have_every_figure() -> None:
    """No figure of one client is compared with nothing."""
    assert list(our_figures(load((0.1, 0.2)))) == [name for name, _, _ in NAMES]


def test_answers_of_one_token_have_no_tpot() -> None:
    """Absent is not zero: such answers can't be compared."""
    with pytest.raises(NotMeasurable, match="second token"):
        our_figures(load((0.1,)))


@pytest.mark.parametrize(
    ("rate", "output_tokens", "told"), [(math.inf, 3, "finite"), (0.0, 3, "above 0"), (2.0, 1, "no TPOT")]
)
def test_work_that_has_not_all_figures_is_refused(rate: float, output_tokens: int, told: str) -> None:
    """A rate and a time per token must exist."""
    with pytest.raises(SettingsError, match=told):
        work(rate=rate, output_tokens=output_tokens)


def test_lateness_is_told_from_the_most_punctual_request() -> None:
    """The clock's origin doesn't matter, only the pattern does."""
    due_s = [float(position) for position in range(101)]
    started_s = [50.0 + when_s for when_s in due_s]
    assert lateness_p99_s(started_s, due_s) == 0.0
    started_s[3] += 0.5
    started_s[9] += 0.25
    assert lateness_p99_s(started_s, due_s) == pytest.approx(0.25)


def test_other_work_is_not_compared() -> None:
    """A run with another number of tokens is other work."""
    check_same_work(run(), run())
    with pytest.raises(NotMeasurable, match="output_tokens of vllm bench serve: 12, of ours: 13"):
        check_same_work(run(), run(output_tokens=13))


@pytest.mark.parametrize(
    ("lower", "upper", "verdict"),
    [
        (0.96, 1.04, "agrees"),
        (*LIMITS, "agrees"),
        (0.94, 1.04, "undecided"),
        (0.99, 1.06, "undecided"),
        (0.90, 1.10, "undecided"),
        (1.051, 1.06, "differs"),
        (0.90, 0.949, "differs"),
    ],
)
def test_verdict_is_where_the_interval_lies(lower: float, upper: float, verdict: str) -> None:
    """Only an interval within the limits is agreement; one across a limit proves nothing."""
    bounds = Bounds(
        ratio=1.0,
        lower=lower,
        chance_lower=0.0,
        plain_ratio=1.0,
        repeated_ratio=1.0,
        upper=upper,
        detectable_ratio=1.1,
        baseline_j=1.0,
        spread=spread_of(5),
    )
    assert Row(name="ttft_p50_s", theirs=1.0, ours=1.0, bounds=bounds).verdict == verdict


def test_ratio_is_ours_to_theirs() -> None:
    """A client of ours that reads 10 % more in every pair differs, in that direction."""
    rows = compared(pairs(1.10, 1.11, 1.10, 1.09, 1.10, 1.10))
    assert {row.verdict for row in rows} == {"differs"}
    assert rows[0].bounds.ratio == pytest.approx(1.1, rel=1e-3)


def test_scatter_is_no_agreement() -> None:
    """Ratios of 1 on average that scatter by half are undecided."""
    assert {row.verdict for row in compared(pairs(0.5, 1.5, 0.7, 1.4, 1.0, 1.1))} == {"undecided"}


def test_few_pairs_are_no_comparison() -> None:
    """The spread of less than five is hardly known."""
    assert compared(pairs(1.0, 1.0, 1.0, 1.0)) == ()


def test_table_shows_times_in_milliseconds() -> None:
    """A line for each figure, its verdict last."""
    lines = table(compared(pairs(1.0, 1.001, 0.999, 1.0, 1.0))).splitlines()
    assert len(lines) == 2 + len(NAMES)
    assert lines[2].startswith("| TTFT mean, ms | 1000 | 1000 | 1.0000 |")
    assert lines[2].endswith("| agrees |")
    assert lines[-1].startswith("| output token rate, 1/s | 1 | 1 |")


def test_server_that_works_more_for_one_client_differs() -> None:
    """Its processor time is judged as the clients' figures are, and is the last line, in seconds."""
    shares = (1.2, 1.21, 1.2, 1.19, 1.2)
    row = compared(
        [replaced(pair, 4.0, 4.0 * share) for pair, share in zip(pairs(*shares), shares, strict=True)]
    )[-1]
    assert (row.name, row.verdict) == ("server_cpu_s", "differs")
    assert table([row]).splitlines()[-1].startswith("| server CPU, s | 4 | 4.8 | 1.2")


def test_server_elsewhere_has_no_row() -> None:
    """Absent is not zero: one run without the server's time leaves the row out."""
    some = [replaced(pair, 4.0, 4.0) for pair in pairs(1.0, 1.0, 1.0, 1.0, 1.0)]
    assert len(compared(some)) == len(NAMES) + 1
    assert [row.name for row in compared([*some[:-1], replaced(some[-1], 4.0, None)])] == [
        n for n, _, _ in NAMES
    ]


def test_pair_is_as_disturbed_as_its_worse_run() -> None:
    """Quiet beside one client doesn't make up for work beside the other."""
    pair = Pair(seed=1, is_ours_first=True, theirs=run(foreign_cores=0.1), ours=run(foreign_cores=0.9))
    assert pair.foreign_cores == 0.9


@pytest.mark.parametrize(
    "arguments", [["--url", "http://127.0.0.1:1"], ["--model", "."], ["--pairs", "4"], ["--device", "tpu"]]
)
def test_bad_options_are_refused_before_anything_starts(arguments: list[str]) -> None:
    """A server needs its model's folder, few pairs have no spread, and a device is one that is known."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_import_loads_no_library_of_models() -> None:
    """Only a run needs torch, transformers and scipy."""
    heavy = "{'torch', 'transformers', 'scipy', 'vllm', 'pynvml', 'psutil'} & set(sys.modules)"
    code = f"import sys, benchmarks.llm.versus_bench_serve.__main__; sys.exit(bool({heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
