"""Steps of an engine: where the prompt tokens of a split prompt belong."""

from collections.abc import AsyncGenerator

from hypothesis import given
from hypothesis import strategies as st

from pytest_energy.serving.arrivals import Schedule
from pytest_energy.serving.engines.protocol import Request, TokenEvent
from pytest_energy.serving.load import serve
from pytest_energy.serving.steps import Step, laid_back, since
from tests.unit.serving.test_load import PROMPT, FakeEngine, JumpingLoop


def step(time_s: float, *, prompt: int = 0, output: int = 0, first: int = 0) -> Step:
    return Step(time_s=time_s, prompt_tokens=prompt, output_tokens=output, first_tokens=first, running=1)


def test_a_prompt_longer_than_a_step_is_computed_in_those_before() -> None:
    """250 tokens reported by the third step, of which each holds 100 beside the tokens that it decodes."""
    steps = [step(1.0, output=2), step(2.0, output=2), step(3.0, prompt=250, output=3, first=1)]
    assert [one.prompt_tokens for one in laid_back(steps, 100)] == [54, 98, 98]


def test_short_prompts_remain_where_they_are() -> None:
    """As do all without a limit."""
    steps = [step(1.0), step(2.0, prompt=90, output=1, first=1)]
    assert laid_back(steps, 100) == tuple(steps)
    assert laid_back(steps, None) == tuple(steps)


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 60)), min_size=1, max_size=30),
    st.integers(50, 200),
)
def test_no_token_is_lost(tokens: list[tuple[int, int]], most: int) -> None:
    """And none after the first step is beyond the limit."""
    steps = [step(at, prompt=prompt, output=written) for at, (prompt, written) in enumerate(tokens)]
    moved = laid_back(steps, most)
    assert sum(one.prompt_tokens for one in moved) == sum(prompt for prompt, _ in tokens)
    assert all(one.prompt_tokens <= max(0, most - one.decoded_tokens) for one in moved[1:])


def test_steps_before_the_load_are_not_of_it() -> None:
    """Those of it count from its start."""
    assert since([step(9.0), step(10.0), step(12.5)], 10.0) == (step(0.0), step(2.5))


class SteppingEngine(FakeEngine):
    """Reports a step for each token that it writes, on the clock of the load."""

    def __init__(self, loop: JumpingLoop) -> None:
        super().__init__()
        self.loop = loop
        self.steps = [step(-1.0, output=7)]

    async def generate(self, request: Request) -> AsyncGenerator[TokenEvent, None]:
        async for event in super().generate(request):
            self.steps.append(step(self.loop.time(), output=1))
            yield event

    def take_steps(self) -> tuple[Step, ...]:
        taken, self.steps = tuple(self.steps), []
        return taken


def test_a_load_has_the_steps_that_its_engine_took_for_it() -> None:
    """And none without an engine that reports them, which is not the same as no step."""
    loop = JumpingLoop()
    engine = SteppingEngine(loop)
    result = serve(engine, [PROMPT], Schedule(rate=1.0), output_tokens=3, loop_factory=lambda: loop)
    assert result.steps is not None
    assert [one.time_s for one in result.steps] == list(result.served[0].token_times_s)
    plain = serve(FakeEngine(), [PROMPT], Schedule(rate=1.0), output_tokens=3, loop_factory=JumpingLoop)
    assert plain.steps is None
