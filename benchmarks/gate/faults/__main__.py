"""What the gate does under noise that breaks its assumptions, and what a suite shows that a test doesn't.

    python -m benchmarks.gate.faults [--repetitions N] [--table NAME ...]

Prints the tables in Markdown, in about half an hour for 1,000 repetitions. Only noise is made here; the loop
is that of `benchmarks/gate/loop.py`. Tolerance 5 %, alpha 5 %, rounds as many as the product takes; of suites
a tenth as many as repetitions. A confirming batch is taken late: it meets a neighbour of its own.
"""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence

from benchmarks.gate.faults.alone import (
    Figures,
    figures,
    large_rounds,
    large_rounds_in_a_budget,
    net_figures,
    still_red,
)
from benchmarks.gate.faults.suites import SuiteFigures, suite_figures
from benchmarks.gate.faults.worlds import World, autoregressive, by_day, neighbour, spiky, two_states
from pytest_energy.judgement import Verdict

SEED = 20_261_114
REPETITIONS = 1000

_GAP = 0.077  # ln 1.08
_USUAL, _QUIET = World(), World(between_sd=0.005)
_COMMON = {
    "two clock states 8 % apart, 15 % in the high one": World(
        between_sd=0.005, common=two_states(_GAP, 0.15)
    ),
    "two clock states 8 % apart, half in each": World(between_sd=0.005, common=two_states(_GAP, 0.5)),
    "baselines by day, swing 4 %": World(between_sd=0.005, common=by_day(0.04)),
}
_WIDE = World(between_sd=0.05)
_WIDE_HEAD = ("unchanged red", "lower bound above the truth", "+10 % detected")
_NEIGHBOUR = "a neighbour of +12 % in 5 % of batches"
_NEIGHBOURED = World(between_sd=0.005, batch=neighbour(0.12, 0.05))


def odd_session_table(repetitions: int, seed: int) -> str:
    rows = []
    for count in (4, 5, 10):
        for odd in (0.06, 0.12, 0.30):
            one = figures(_QUIET, count, repetitions, seed=seed, odd=odd)
            rows.append(
                [f"{count}", f"{odd:+.0%}", _red(one, 0.10), _red(one), _percent(one.share(Verdict.PASS))]
            )
    return _table(("sessions", "one is off by", "+10 % detected", "unchanged red", "unchanged passes"), rows)


def suite_table(repetitions: int, seed: int) -> str:
    rows = []
    for between_sd, planted_count in ((0.01, 5), (0.02, 1), (0.03, 1)):
        for count in (1, 2, 3, 5):
            one = suite_figures(
                World(between_sd=between_sd),
                count,
                200,
                _suites(repetitions),
                seed=seed,
                planted_count=planted_count,
            )
            rows.append([f"{between_sd:.0%}", f"{count}", *_suite_row(one), _percent(one.found)])
    return _table(("tau", "sessions", *_SUITE_HEAD, "+10 % of one detected"), rows)


_SUITE_HEAD = ("suites with a red test", "tests red", "tests pass")


def _suite_row(one: SuiteFigures) -> list[str]:
    return [_percent(one.red_suites), f"{100 * one.red_tests:.2f} %", _percent(one.passing)]


def all_table(repetitions: int, seed: int) -> str:
    rows = []
    for rise in (0.06, 0.08):
        for count in (1, 3, 5):
            one = suite_figures(
                _QUIET, count, 200, _suites(repetitions), seed=seed, common_rise=rise, planted_count=0
            )
            rows.append(
                [
                    f"{rise:+.0%}",
                    f"{count}",
                    *_suite_row(one),
                    _percent(one.failing_runs),
                    _percent(one.explained_runs),
                ]
            )
    return _table(
        ("all tests", "sessions", *_SUITE_HEAD, "run fails once", "with a yardstick that moved"), rows
    )


def large_rounds_table(repetitions: int, seed: int) -> str:
    rows = []
    for share in (0.1, 0.2):
        for fixed in (None, 10):
            world = World(fresh_rounds=spiky(share, 1.0), count=fixed)
            for count in (1, 5):
                counts = large_rounds(world, count, repetitions, seed=seed)
                rows.append(
                    [f"{share:.0%}", f"{fixed or 'auto'}", f"{count}", *_by_large(counts, repetitions)]
                )
    head = (
        "rounds with +100 %",
        "rounds",
        "sessions",
        "none among them",
        "one or more",
        "pass",
        "inconclusive",
        "red",
    )
    return _table(head, rows)


def budget_table(repetitions: int, seed: int) -> str:
    rows = []
    for share, size in ((0.1, 1.0), (0.05, 2.0), (0.1, 0.3)):
        for mean_share in (1.0, 1.05, 1.10):
            world = World(between_sd=0.0, fresh_rounds=spiky(share, size))
            usual_share = mean_share / (1 + share * size)
            counts = large_rounds_in_a_budget(world, usual_share, repetitions, seed=seed)
            rows.append(
                [f"{share:.0%} of rounds {size:+.0%}", f"{mean_share:.0%}", *_by_large(counts, repetitions)]
            )
    head = (
        "",
        "true mean, of the budget",
        "none among them",
        "one or more",
        "pass",
        "inconclusive",
        "over budget",
    )
    return _table(head, rows)


def _by_large(counts: Mapping[bool, Mapping[Verdict, int]], repetitions: int) -> list[str]:
    large = counts[True]
    total = sum(large.values())
    red = large.get(Verdict.REGRESSION, 0) + large.get(Verdict.OVER_BUDGET, 0)
    each = (large.get(Verdict.PASS, 0), large.get(Verdict.INCONCLUSIVE, 0), red)
    return [
        _percent(sum(counts[False].values()) / repetitions),
        f"{total}",
        *(_percent(one / max(1, total)) for one in each),
    ]


def single_table(repetitions: int, seed: int) -> str:
    rows = []
    for cv in (0.01, 0.10, 0.20):
        for count in (1, 3, 4, 5, 10):
            one = figures(World(cv=cv, count=1), count, repetitions, seed=seed)
            rows.append(
                [f"{cv:.0%}", f"{count}", _red(one), _percent(one.share(Verdict.PASS)), _red(one, 0.10)]
            )
    return _table(("CV", "sessions", "unchanged red", "unchanged passes", "+10 % detected"), rows)


def net_table(repetitions: int, seed: int) -> str:
    rows = []
    for idle in (0.5, 0.7):
        for error in (0.02, 0.05):
            for count in (1, 5):
                red = net_figures(idle, error, count, repetitions, seed=seed)
                rows.append([f"{idle:.0%}", f"{error:.0%}", f"{count}", *map(_percent, red.values())])
    return _table(("idle share", "known to", "sessions", "unchanged red", "+10 % of net detected"), rows)


def common_table(repetitions: int, seed: int) -> str:
    rows = []
    for name, world in {**_COMMON, _NEIGHBOUR: _NEIGHBOURED}.items():
        for count in (1, 2, 3, 5, 10):
            one = figures(world, count, repetitions, seed=seed)
            rows.append([name, f"{count}", _red(one), _percent(one.share(Verdict.PASS)), _red(one, 0.10)])
    return _table(("", "sessions", "unchanged red", "unchanged passes", "+10 % detected"), rows)


def common_suite_table(repetitions: int, seed: int) -> str:
    rows = []
    for name, world in {**_COMMON, _NEIGHBOUR: _NEIGHBOURED}.items():
        for test_count, suites in ((20, _suites(repetitions)), (200, _suites(repetitions) // 5 + 1)):
            for count in (1, 3, 5, 10):
                one = suite_figures(world, count, test_count, suites, seed=seed)
                rows.append(
                    [
                        name,
                        f"{test_count}",
                        f"{count}",
                        *_suite_row(one),
                        _percent(one.failing_runs),
                        _percent(one.explained_runs),
                    ]
                )
    head = ("", "tests", "sessions", *_SUITE_HEAD, "run fails once", "with a yardstick that moved")
    return _table(head, rows)


def wide_table(repetitions: int, seed: int) -> str:
    rows = []
    for count in (1, 2, 3, 5, 10):
        one = figures(_WIDE, count, repetitions, seed=seed)
        rows.append([f"{count}", _red(one), _percent(one.misses[0]), _red(one, 0.10)])
    return _table(("sessions", *_WIDE_HEAD), rows)


def wide_suite_table(repetitions: int, seed: int) -> str:
    rows = []
    for test_count, suites in ((20, _suites(repetitions)), (200, _suites(repetitions) // 5 + 1)):
        for count in (1, 2, 3, 5, 10):
            many = suite_figures(_WIDE, count, test_count, suites, seed=seed, planted_count=5)
            cells = (many.red_tests, many.misses, many.found, many.red_suites)
            rows.append([f"{test_count}", f"{count}", *map(_percent, cells)])
    return _table(("tests", "sessions", *_WIDE_HEAD, "suites with a red test"), rows)


def alike_table(repetitions: int, seed: int) -> str:
    rows = []
    for phi in (0.6, 0.9):
        for cv in (0.03, 0.05):
            for count in (1, 3, 5):
                world = World(cv=cv, rounds=autoregressive(phi))
                one = figures(world, count, repetitions, seed=seed)
                rows.append(
                    [f"{phi}", f"{cv:.0%}", f"{count}", _red(one), _percent(one.misses[0]), _red(one, 0.10)]
                )
    head = ("phi", "CV", "sessions", "unchanged red", "lower bound above the truth", "+10 % detected")
    return _table(head, rows)


def detectable_table(repetitions: int, seed: int) -> str:
    worlds = {
        "tau 1 %, CV 1 %": _USUAL,
        "tau 1 %, CV 3 %": World(cv=0.03),
        "tau 1 %, CV 5 %": World(cv=0.05),
        "tau 1 %, CV 3 %, 5 rounds": World(cv=0.03, count=5),
        "tau 2 %": World(between_sd=0.02),
        "tau 3 %": World(between_sd=0.03),
        "tau 5 %": World(between_sd=0.05),
        "AR .6, CV 5 %": World(cv=0.05, rounds=autoregressive(0.6)),
        "AR .9, CV 3 %": World(cv=0.03, rounds=autoregressive(0.9)),
        "AR .9, CV 5 %": World(cv=0.05, rounds=autoregressive(0.9)),
    }
    single = {f"one round, CV {cv:.0%}": World(cv=cv, count=1) for cv in (0.01, 0.10, 0.20)}
    rows = [
        [name, f"{count}", *_detected(figures(world, count, repetitions, seed=seed, changes=()))]
        for names, counts in ((worlds, (1, 3, 5, 10)), (single, (5, 10)))
        for name, world in names.items()
        for count in counts
    ]
    return _table(("", "sessions", "detectable (median)", "detected"), rows)


def detectable_suite_table(repetitions: int, seed: int) -> str:
    rows = []
    for test_count, suites in ((20, _suites(repetitions)), (200, _suites(repetitions) // 3 + 1)):
        for between_sd in (0.005, 0.01, 0.02, 0.03):
            for count in (1, 3, 5):
                world = World(between_sd=between_sd)
                one = suite_figures(world, count, test_count, suites, seed=seed, probed_count=10)
                rows.append([f"{test_count}", f"{100 * between_sd:g} %", f"{count}", *_detected(one)])
    return _table(("tests", "tau", "sessions", "detectable (median)", "detected"), rows)


def _detected(one: Figures | SuiteFigures) -> list[str]:
    return [f"{100 * one.detectable:+.1f} %", f"{100 * one.detected:.0f} %"]


def tries_table(repetitions: int, seed: int) -> str:
    rows = []
    for between_sd, count, changes in ((0.01, 1, (0.08, 0.10)), (0.02, 1, (0.10,)), (0.01, 5, (0.08, 0.10))):
        for change in changes:
            for are_pooled in (False, True):
                shares = still_red(
                    World(between_sd=between_sd), count, change, repetitions, are_pooled=are_pooled, seed=seed
                )
                how = "all tries kept" if are_pooled else "each try alone"
                rows.append([f"{between_sd:.0%}", f"{count}", f"{change:+.0%}", how, *map(_percent, shares)])
    return _table(("tau", "sessions", "change", "", "red in 1 try", "in each of 2", "in each of 4"), rows)


def _suites(repetitions: int) -> int:
    return max(1, repetitions // 10)


def _red(one: Figures, change: float = 0.0) -> str:
    return _percent(one.share(Verdict.REGRESSION, change))


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["--:"] * len(head), *rows])


TABLES: Mapping[str, tuple[str, Callable[[int, int], str]]] = {
    "odd": ("One odd session, tau 0.5 %", odd_session_table),
    "suite": ("One of 200 tests, CV 1 %", suite_table),
    "all": ("All of 200 tests move together, tau 0.5 %", all_table),
    "large": ("Large rounds in the fresh record", large_rounds_table),
    "budget": ("Large rounds and a budget", budget_table),
    "single": ("One round each", single_table),
    "net": ("Net joules", net_table),
    "common": ("What sessions have in common, a test by itself", common_table),
    "common-suite": ("What sessions have in common, in a suite", common_suite_table),
    "wide": ("Sessions that differ by 5 %", wide_table),
    "wide-suite": ("Sessions that differ by 5 %, in a suite", wide_suite_table),
    "alike": ("Correlated rounds, tau 1 %", alike_table),
    "detectable": ("A rise of exactly the detectable size", detectable_table),
    "detectable-suite": (
        "A rise of exactly the detectable size, of one test of a suite, CV 1 %",
        detectable_suite_table,
    ),
    "tries": ("Until it is green", tries_table),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gate.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--repetitions", type=int, default=REPETITIONS, metavar="N", help=f"of each cell ({REPETITIONS})"
    )
    parser.add_argument("--table", action="append", choices=[*TABLES], help="this one only; may be repeated")
    options = parser.parse_args(arguments)
    if options.repetitions < 1:
        parser.error(f"--repetitions is {options.repetitions}; give at least 1")
    sys.stdout.write(f"{options.repetitions} repetitions a cell, seed {SEED}, tolerance 5 %, alpha 5 %\n")
    for name in options.table or TABLES:
        title, table = TABLES[name]
        sys.stdout.write(f"\n### {title}\n\n{table(options.repetitions, SEED)}\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
