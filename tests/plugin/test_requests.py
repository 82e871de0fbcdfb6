"""`energy.requests`: a request load in rounds, with the generative metrics beside the joules."""

import pytest

from tests.plugin.conftest import Project, rounds

ENGINE = """
from pytest_energy.serving.engines.protocol import EngineFacts, TokenEvent

class Engine:
    name = "echo"
    facts = EngineFacts(model="echo", parameters=1000, size_bytes=4000.0, vram_bytes=None)
    rounds = []

    async def generate(self, request):
        self.rounds.append(request.prompt)
        for _ in range(request.output_tokens - {missing}):
            yield TokenEvent(count=1)

    def cache_counters(self):
        return None

    async def queue_depth(self):
        return None

    def worker_pids(self):
        return ()

    def close(self):
        pass

@pytest.mark.energy(group="requests", model="echo")
def test_work(energy):
    result = energy.requests(
        Engine(), lambda index: [[index, 1], [index, 2]], rate=float("inf"), output_tokens=3
    )
    assert [request.output_tokens for request in result.served] == [3, 3]
    assert Engine.rounds == [(index, last) for index in range(5) for last in (1, 2)]
"""


def test_each_round_has_its_prompts_and_joules_a_request(project: Project) -> None:
    """Rounds get their own prompts; a sample is a request; metrics say what could not be told and why."""
    project.write(ENGINE.format(missing=0))
    project.replay({"test_work": [9.9, 10.0, 10.1, 9.95, 10.05]})
    run = project.run()
    run.result.assert_outcomes(passed=1)
    entry = run.test()
    assert entry["samples"] == 2
    assert entry["energy_per_sample_j"] == pytest.approx(5)
    assert entry["metrics"]["energy_per_sample"] == pytest.approx(5)
    assert entry["metrics"]["average_output_token_length"] == 3
    assert entry["metrics"]["parameters"] == 1000
    assert entry["metrics"]["cache_hit_rate"] is None
    assert entry["absent"]["cache_hit_rate"]
    assert entry["metrics"]["ttft_p50_s"] >= 0
    counts = {one["name"]: one["count"] for one in entry["counts"]["entries"]}
    assert counts == {
        "output tokens": 6,
        "prompt tokens": 4,
        "requests": 2,
    }  # of a round, and of no load more


def test_an_engine_that_breaks_its_promise_fails_the_test(project: Project) -> None:
    """Answers of another length are other work: the error names engine and request, no joules are kept."""
    project.write(ENGINE.format(missing=1))
    project.replay({"test_work": [10.0] * 5})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    assert "engine echo, request 0" in run.text
    assert run.ids == []


def test_a_second_run_has_prompts_of_its_own(project: Project) -> None:
    """Those of the first run may be in the engine's cache: the rounds that confirm go on from there."""
    check = "assert Engine.rounds == [(index, last) for index in range(5) for last in (1, 2)]"
    kept = 'Path("indices.txt").write_text(str([index for index, last in Engine.rounds if last == 1]))'
    project.write("from pathlib import Path\n" + ENGINE.format(missing=0).replace(check, kept))
    project.replay({"test_work": rounds(10)})
    for _ in range(5):
        assert project.run("--energy-rounds=5", "--energy-baseline=add").result.ret == 0
    project.replay({"test_work": [*rounds(12), *rounds(12.1)]})
    run = project.run("--energy-rounds=5")
    run.result.assert_outcomes(failed=1)
    assert run.test()["confirming_count"] == 5
    assert (project.path / "indices.txt").read_text(encoding="utf-8") == str([*range(10)])


def test_a_server_elsewhere_is_asked_once_and_measured_by_nothing(project: Project) -> None:
    """What this machine uses meanwhile is not its energy: no joules, no baseline, the reason."""
    engine = ENGINE.format(missing=0).replace(
        "vram_bytes=None", "vram_bytes=None, unmeasured_because='is elsewhere'"
    )
    project.write(engine.replace("range(5)", "range(1)"))
    project.replay({"test_work": rounds(10)})
    run = project.run("--energy-baseline=add")
    run.result.assert_outcomes(passed=1)
    assert (run.test()["verdict"], run.test()["rounds"]) == ("unmeasured", [])
    assert "is elsewhere" in run.test()["reason"]
    assert project.baseline_paths == []


def test_a_channel_that_is_not_here_is_an_error(project: Project) -> None:
    """With those that are; where nothing of its kind is measured, the test is unmeasured."""
    for names, verdict in (("('cpu:nowhere',)", None), ("('gpu:0',)", "unmeasured")):
        engine = ENGINE.format(missing=0).replace("vram_bytes=None", f"vram_bytes=None, channels={names}")
        project.write(engine.replace("range(5)", "range(1)"))
        run = project.run("--energy-sensors=estimate", "-k", "test_work")
        if verdict is None:
            assert "channels names cpu:nowhere; this run measures cpu:" in run.text
        else:
            assert run.test()["verdict"] == verdict
            assert "this run does not measure gpu:0" in run.test()["reason"]


def test_answers_past_their_limits_fail_the_test(project: Project) -> None:
    """The joules are within the budget; of the answers none is: the verdict, the number first, what to do."""
    slo = "output_tokens=3, slo=Slo(e2e_s=1e-9, least_share=0.5)"
    imports = "from pytest_energy.serving import Slo\n"
    project.write(imports + ENGINE.format(missing=0).replace("output_tokens=3", slo))
    project.replay({"test_work": [9.9, 10.0, 10.1, 9.95, 10.05]})
    run = project.run()
    run.result.assert_outcomes(failed=1)
    entry = run.test()
    assert entry["verdict"] == "over-budget"
    share = entry["slo_missed_because"].partition(";")[0]
    assert share == "0 % of 10 answers were within the latency limits, 50 % wanted"
    assert entry["metrics"]["slo_share"] == 0
