"""The vLLM engine over a fake of vLLM: what is asked of it, what crosses over from it, what goes wrong."""

import asyncio
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_energy.errors import SettingsError
from pytest_energy.masking import COVER, masked
from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import DraftCounters, EngineError, Request, Stop
from pytest_energy.serving.load import serve
from tests.contract.engine_contract import EngineContract

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from pytest_energy.serving.engines import vllm_engine  # noqa: E402
from pytest_energy.serving.engines.vllm_engine import EngineFailed, VllmEngine  # noqa: E402
from tests.fakes.vllm_library import PAGE_TOKENS, FakeVllm  # noqa: E402
from tests.unit.serving.engines.test_decoder import CONFIG  # noqa: E402

STEP_S = 0.005  # as slow as a GPU, so that something can be done between two tokens


def write_model(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **changes}))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "llama")


@pytest.fixture
def vllm(monkeypatch: pytest.MonkeyPatch) -> FakeVllm:
    fake = FakeVllm()
    fake.install(monkeypatch)
    return fake


@pytest.fixture
def engine(vllm: FakeVllm, model: Path) -> Iterator[VllmEngine]:  # noqa: ARG001 (installs it)
    with VllmEngine(model, load_format="dummy", max_batch=4) as engine:
        yield engine


class TestKeepsTheContract(EngineContract):
    """The same suite as over the real vLLM in tests/vllm."""

    vocabulary = 97
    page_tokens = PAGE_TOKENS
    max_batch = 4
    longest = 96

    @pytest.fixture(scope="class")
    @staticmethod
    def fake() -> Iterator[FakeVllm]:
        with pytest.MonkeyPatch.context() as patch:
            fake = FakeVllm(step_s=STEP_S)
            fake.install(patch)
            yield fake

    @pytest.fixture(scope="class")
    @staticmethod
    def engine(fake: FakeVllm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmEngine]:  # noqa: ARG004
        with VllmEngine(write_model(tmp_path_factory.mktemp("llama")), max_batch=4) as engine:
            yield engine

    @pytest.fixture
    def produced_tokens(self, fake: FakeVllm) -> Callable[[], int]:
        return lambda: fake.produced


def test_decoding_is_greedy_and_of_the_asked_length(vllm: FakeVllm, engine: VllmEngine) -> None:
    """The end of a sequence does not end an answer; every event tells only what is new."""
    serve(engine, [[1, 2]], Schedule(rate=100.0), output_tokens=3)
    ((_, sampling),) = vllm.asked
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.0, 1.0, 3)
    assert sampling.ignore_eos
    assert not sampling.detokenize
    assert sampling.output_kind == "delta"


@pytest.mark.parametrize(
    ("stop", "length"),
    [(Stop(), 5), (Stop(token_ids=(94,)), 3), (Stop(token_ids=(94,), at_end=False), 3)],
)
def test_an_answer_ends_where_its_load_says(
    vllm: FakeVllm, engine: VllmEngine, stop: Stop, length: int
) -> None:
    """The fake writes 92, 93, 94, 95, and 96, its end of sequence, which goes by where the load says so."""
    result = serve(engine, [[92]], Schedule(rate=100.0), output_tokens=8, stop=stop)
    assert result.output_tokens == length
    ((_, sampling),) = vllm.asked
    assert sampling.ignore_eos is not stop.at_end


def test_a_stop_token_outside_the_vocabulary_is_refused(engine: VllmEngine) -> None:
    """vLLM would look for it in every step, in vain."""
    with pytest.raises(EngineError, match="token ids 1 to 97; the model knows 0 to 96"):
        serve(engine, [[1]], Schedule(rate=100.0), output_tokens=1, stop=Stop(token_ids=(97,)))


def test_ids_never_repeat_over_loads(vllm: FakeVllm, engine: VllmEngine) -> None:
    """A load counts its requests from 0; vLLM takes an id once."""
    for _ in range(2):
        serve(engine, [[1], [2]], Schedule(rate=float("inf")), output_tokens=1)
    ids = [request_id for request_id, _ in vllm.asked]
    assert len(set(ids)) == 4


def test_arguments_reach_vllm_by_its_names(vllm: FakeVllm, model: Path) -> None:
    """Those left out are left to vLLM."""
    with VllmEngine(
        model,
        quantization="fp8",
        data_type="bfloat16",
        max_model_len=64,
        gpu_memory_share=0.5,
        tensor_parallel_size=2,
        extra={"async_scheduling": True},
    ):
        args = vllm.engines[0].args
    assert (args.quantization, args.dtype, args.max_model_len) == ("fp8", "bfloat16", 64)
    assert (args.gpu_memory_utilization, args.tensor_parallel_size) == (0.5, 2)
    assert args.async_scheduling is True
    assert args.skip_tokenizer_init
    assert not args.disable_log_stats
    with VllmEngine(model):
        args = vllm.engines[1].args
    assert (args.dtype, args.max_model_len, args.gpu_memory_utilization) == ("auto", None, 0.9)


def test_facts_tell_the_model_the_work_and_how_it_is_done(vllm: FakeVllm, model: Path) -> None:
    """Weights are counted from the configuration; bytes are what the workers hold, summed over GPUs."""
    vllm.workers = [{"size_bytes": 100, "vram_bytes": 1000, "attention": ["FLASH_ATTN"]}] * 2
    extra = {"kv_cache_dtype": "fp8", "async_scheduling": True}
    with VllmEngine(model, quantization="fp8", tensor_parallel_size=2, max_batch=8, extra=extra) as engine:
        facts = engine.facts
    assert facts.model == "llama"
    attention, feed_forward = 32 * 32 * 2 + 2 * 32 * 16, 3 * 32 * 64
    assert facts.parameters == 2 * (attention + feed_forward + 2 * 32) + 32 + 2 * 97 * 32
    assert facts.shape is not None
    assert facts.shape.block_parameters == 2 * (attention + feed_forward)
    assert (facts.size_bytes, facts.vram_bytes) == (200.0, 2000.0)
    assert facts.flags == {
        "data_type": "bfloat16",
        "quantisation": "fp8",
        "load_format": "auto",
        "max_model_len": "96",
        "prefix_cache": "on",
        "detokenisation": "off",
        "decoding": "greedy",
        "kv_cache_dtype": "fp8",
    }
    assert facts.tuning == {
        "max_batch": "8",
        "step_tokens": "2048",
        "chunked_prefill": "on",
        "speculation": "off",
        "page_tokens": "16",
        "gpus": "2",
        "compilation": "on",
        "cuda_graphs": "full_and_piecewise",
        "attention": "FLASH_ATTN",
        "async_scheduling": "True",
    }
    assert facts.versions["vllm"] == "0.99"


def test_what_is_not_known_is_none(vllm: FakeVllm, tmp_path: Path) -> None:
    """No size from a CPU's workers, no count for an architecture that transformers builds otherwise."""
    model = write_model(tmp_path / "other", architectures=["OtherForCausalLM"])
    with VllmEngine(model, name="named", enforce_eager=True) as engine:
        facts = engine.facts
    assert facts.model == "named"
    assert (facts.parameters, facts.size_bytes, facts.vram_bytes, facts.shape) == (None, None, None, None)
    assert (facts.tuning["cuda_graphs"], facts.tuning["compilation"]) == ("off", "off")
    with VllmEngine(model, parameters=7) as engine:
        assert engine.facts.parameters == 7
    assert len(vllm.engines) == 2


def test_detokenisation_is_part_of_the_work_when_asked(vllm: FakeVllm, model: Path) -> None:
    """Each event then carries the text of its tokens."""

    async def texts(engine: VllmEngine) -> list[str | None]:
        request = Request(request_id="0", prompt=(1, 2), output_tokens=2)
        return [event.text async for event in engine.generate(request)]

    with VllmEngine(model, skip_tokenizer=False) as engine:
        assert asyncio.run(texts(engine)) == ["<3>", "<4>"]
        assert engine.facts.flags["detokenisation"] == "on"
    assert not vllm.engines[0].args.skip_tokenizer_init


def test_a_reset_cache_knows_no_prompt(vllm: FakeVllm, engine: VllmEngine) -> None:
    """Also where a withdrawn request still holds a part of it for some steps."""
    prompt = [[*range(40)]]
    serve(engine, prompt, Schedule(rate=float("inf")), output_tokens=1)
    vllm.refused_resets = 2
    engine.reset_prefix_cache()
    again = serve(engine, prompt, Schedule(rate=float("inf")), output_tokens=1).cache
    assert again is not None
    assert (again.queried_tokens, again.hit_tokens) == (40, 0)


def test_a_cache_in_use_is_not_reset(
    vllm: FakeVllm, engine: VllmEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not between two tokens of a request, nor after tries enough."""
    vllm.step_s = STEP_S

    async def reset_within() -> None:
        request = Request(request_id="0", prompt=(1, 2), output_tokens=90)
        async for _ in engine.generate(request):
            engine.reset_prefix_cache()

    with pytest.raises(EngineFailed, match="engine vllm, model llama: 1 requests are under way"):
        asyncio.run(reset_within())
    monkeypatch.setattr(vllm_engine, "RESET_TRIES", 3)
    vllm.refused_resets = 3
    with pytest.raises(EngineFailed, match="did not reset its cache within 0"):
        engine.reset_prefix_cache()


def test_an_engine_without_prefix_cache_counts_none(vllm: FakeVllm, model: Path) -> None:
    """Absent is not zero."""
    with VllmEngine(model, has_prefix_cache=False) as engine:
        assert serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=1).cache is None
    assert not vllm.engines[0].args.enable_prefix_caching


@pytest.mark.usefixtures("vllm")
def test_speculative_decoding_is_counted(model: Path) -> None:
    """In each load its own: two tokens are drafted a step, and one accepted; without it there is none."""
    speculation = {"method": "ngram", "num_speculative_tokens": 2}
    with VllmEngine(model, extra={"speculative_config": speculation}) as engine:
        for _ in range(2):
            load = serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=3)
            assert load.drafts == DraftCounters(drafts=3, drafted_tokens=6, accepted_tokens=3)
        assert engine.facts.tuning["speculation"] == "ngram, 2 tokens"
    assert engine.draft_counters() == DraftCounters(drafts=6, drafted_tokens=12, accepted_tokens=6)
    with VllmEngine(model) as engine:
        assert serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=3).drafts is None


def test_the_death_of_the_core_fails_the_requests_and_all_later_ones(
    vllm: FakeVllm, engine: VllmEngine
) -> None:
    """The error says that a new engine is needed; closing still works."""
    vllm.dies_after_steps = 5
    died = "engine vllm, request 0: vLLM's core process has died .*; create a new engine"
    with pytest.raises(EngineError, match=died):
        serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=50)
    with pytest.raises(EngineError, match=died):
        serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=50)
    with pytest.raises(EngineFailed, match="engine vllm, model llama: vLLM's core process has died"):
        engine.reset_prefix_cache()


def test_a_failure_of_the_front_end_is_told_by_its_cause(vllm: FakeVllm, engine: VllmEngine) -> None:
    """Its own error has no words."""
    vllm.next_failure = RuntimeError("the prompt\nis odd")
    with pytest.raises(EngineError, match="request 0: RuntimeError: the prompt is odd"):
        serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=1)


@pytest.mark.parametrize("token", [-1, 97])
def test_a_token_outside_the_vocabulary_is_refused(engine: VllmEngine, token: int) -> None:
    """Workers of vLLM die of one when no tokenizer checks it."""
    with pytest.raises(EngineError, match="the model knows 0 to 96"):
        serve(engine, [[5, token]], Schedule(rate=float("inf")), output_tokens=1)


def test_closing_fails_the_requests_under_way(vllm: FakeVllm, model: Path) -> None:
    """And later ones, at once."""
    vllm.step_s = STEP_S
    engine = VllmEngine(model)

    async def close_within() -> None:
        async for _ in engine.generate(Request(request_id="0", prompt=(1,), output_tokens=90)):
            engine.close()

    with pytest.raises(EngineError, match="closed before the answer was complete"):
        asyncio.run(close_within())
    with pytest.raises(EngineError, match="the engine is closed"):
        serve(engine, [[1]], Schedule(rate=float("inf")), output_tokens=1)
    with pytest.raises(EngineFailed, match="it is closed"):
        engine.reset_prefix_cache()
    assert vllm.engines[0].is_shut_down


def test_closing_twice_leaves_no_thread(vllm: FakeVllm, model: Path) -> None:
    """The counters can still be read."""
    before = set(threading.enumerate())
    engine = VllmEngine(model)
    assert set(threading.enumerate()) > before
    engine.close()
    engine.close()
    assert set(threading.enumerate()) == before
    assert engine.cache_counters() is not None
    assert engine.worker_pids() == ()
    assert vllm.engines[0].is_shut_down
    assert vllm.engines[0].context.is_destroyed


@pytest.mark.parametrize(
    ("failure", "because"),
    [
        (ValueError("unknown quantization"), "could not load it: ValueError: unknown quantization$"),
        (
            RuntimeError("Engine core initialization failed."),
            "initialization failed. .*if memory ran out, lower",
        ),
    ],
)
def test_a_failed_load_says_what_and_leaves_no_thread(
    vllm: FakeVllm, model: Path, failure: Exception, because: str
) -> None:
    """A wrong argument is told in full by vLLM; what goes wrong in its processes is told above, by them."""
    before = set(threading.enumerate())
    vllm.load_failure = failure
    with pytest.raises(EngineFailed, match=f"(?s)engine vllm, model llama: vLLM 0.99 .*{because}") as caught:
        VllmEngine(model)
    assert (caught.value.engine, caught.value.model) == ("vllm", "llama")
    assert set(threading.enumerate()) == before


def test_an_interrupted_load_ends_what_it_started(vllm: FakeVllm, model: Path) -> None:
    """The user's interruption comes while vLLM starts its processes in the engine's thread."""
    before = set(threading.enumerate())
    is_closing = threading.Event()

    class Watched(VllmEngine):
        def close(self) -> None:
            is_closing.set()
            super().close()

    def interrupt() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        is_closing.wait()

    vllm.on_load = interrupt
    # A process that was started in the background may ignore interruptions.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            Watched(model)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert vllm.engines[0].is_shut_down
    assert set(threading.enumerate()) == before


def test_vllm_that_can_not_be_imported_is_told(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    """With what to install; nothing is started."""
    monkeypatch.setitem(sys.modules, "vllm", None)
    before = set(threading.enumerate())
    with pytest.raises(SettingsError, match=r"vLLM can't be imported .*pytest-energy\[vllm\]"):
        VllmEngine(model)
    assert set(threading.enumerate()) == before


def test_a_token_among_the_arguments_is_given_and_not_shown(vllm: FakeVllm, model: Path) -> None:
    """vLLM has it as it is; no fact and no variable of a frame shows it."""
    given = "hf_0123456789abcdef"
    with VllmEngine(model, extra={"hf_token": given}) as engine:
        assert vllm.engines[0].args.hf_token == given
        assert given not in repr(vllm.engines[0].args)
        assert engine.facts.tuning["hf_token"] == COVER
    with pytest.raises(SettingsError) as caught:
        VllmEngine(model, max_batch=0, extra={"hf_token": given})
    assert all(given not in repr(entry.frame.f_locals) for entry in caught.traceback[1:])
    assert masked(f"no access with {given}") == "no access with ***"


@pytest.mark.parametrize("arguments", [{"max_batch": 0}, {"extra": {"max_sequences": 2}}])
def test_wrong_arguments_start_nothing(vllm: FakeVllm, model: Path, arguments: dict[str, Any]) -> None:
    """Neither a process nor a thread."""
    before = set(threading.enumerate())
    with pytest.raises(SettingsError):
        VllmEngine(model, **arguments)
    assert vllm.engines == []
    assert set(threading.enumerate()) == before


def test_a_load_has_vllm_s_steps(engine: VllmEngine) -> None:
    """Two requests side by side: each step writes a token of both, and the first computes both prompts."""
    serve(engine, [(1, 2, 3)], Schedule(rate=float("inf")), output_tokens=2)
    result = serve(engine, [(4, 5, 6), (7, 8, 9)], Schedule(rate=float("inf")), output_tokens=3)
    assert result.steps is not None
    assert sum(step.output_tokens for step in result.steps) == result.output_tokens
    assert sum(step.first_tokens for step in result.steps) == 2
    assert sum(step.prompt_tokens for step in result.steps) == result.prompt_tokens
    assert 0 <= result.steps[0].time_s <= result.steps[-1].time_s
    engine.close()
    assert engine.take_steps() == ()
