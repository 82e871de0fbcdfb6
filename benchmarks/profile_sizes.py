"""What a profile of the benchmarks fixes: models, steps, rates and rounds of each test."""

from dataclasses import dataclass

from benchmarks.cnn.recipe import Change, Recipe
from benchmarks.cnn.steps import ModelSteps

PAPERS_RECIPE = Recipe()
DEFAULT_PROFILE = "quick"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweptModel:
    """A model of the batch sweep, with what its steps are expected to cost; this only sizes the rounds.

    Attributes:
        model: Name out of `benchmarks.cnn.models.ARCHITECTURES`.
        step_s: Shortest training step, however small the batch: the time to launch it.
        image_s: Time of each image in a large batch.
    """

    model: str
    step_s: float
    image_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepProfile:
    """Size of the batch sweep.

    Attributes:
        models: A test for each and each batch size.
        batch_sizes: Ascending.
        round_s: Length that a round is sized for.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
    """

    models: tuple[SweptModel, ...]
    batch_sizes: tuple[int, ...]
    round_s: float
    rounds: int
    warmup: int
    max_time_s: float

    def step_count(self, swept: SweptModel, batch_size: int) -> int:
        """Training steps in one round: fixed by the profile, whatever a step really takes."""
        return max(1, round(self.round_s / max(swept.step_s, swept.image_s * batch_size)))

    def inference_step_count(self, swept: SweptModel, batch_size: int) -> int:
        """Forward batches in one round: three in the time of a training step, which does them thrice."""
        return 3 * self.step_count(swept, batch_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class CnnProfile:
    """Size of the training and inference tests.

    Attributes:
        models: Names out of `benchmarks.cnn.models.ARCHITECTURES`; a test each.
        batch_size: Samples in one step.
        train_steps: Optimiser steps in one round, but for the models in *model_steps*.
        inference_steps: Forward batches in one round, but for the models in *model_steps*.
        model_steps: Steps of models that have their own.
        fit_steps: Optimiser steps before the inference test, outside every window, for its accuracy.
        test_images: Held-out samples that the accuracy is taken from.
        threads: CPU threads of torch, or `None` for torch's own choice.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
        sweep: Size of the batch sweep.
        learning_rate: Of the optimiser.
        recipe: How networks are trained.
        dataset: Name out of `DATASETS`; token models have their own.
        is_amp: Forward passes under autocast to bfloat16.
        is_channels_last: Images and weights with the channels of a pixel beside each other.
        epoch_samples: Samples of the epoch whose duration is in `work_done`, where rounds of the models
            differ; `None` where they are equal and a round may stand for it.
    """

    models: tuple[str, ...]
    batch_size: int
    train_steps: int
    inference_steps: int
    fit_steps: int
    test_images: int
    threads: int | None
    rounds: int
    warmup: int
    max_time_s: float
    sweep: SweepProfile
    model_steps: tuple[ModelSteps, ...] = ()
    learning_rate: float = 0.001  # the paper's
    recipe: Recipe = PAPERS_RECIPE
    dataset: str = "digits"
    is_amp: bool = False
    is_channels_last: bool = False
    epoch_samples: int | None = None

    def train_steps_of(self, model: str) -> int:
        """Optimiser steps in one round of *model*."""
        return next((own.train_steps for own in self.model_steps if own.model == model), self.train_steps)

    def inference_steps_of(self, model: str) -> int:
        """Forward batches in one round of *model*."""
        own_steps = (own.inference_steps for own in self.model_steps if own.model == model)
        return next(own_steps, self.inference_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmSweep:
    """One model at one rate, with answers of other lengths, or with random prompts that begin alike.

    Attributes:
        model_size: Name out of `benchmarks.llm.models.SIZES`.
        rate: Requests a second.
        output_tokens: Lengths of the answers; a test each.
        shared_shares: Shares of the prompts that are common to all; a test each.
    """

    model_size: str
    rate: float
    output_tokens: tuple[int, ...]
    shared_shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmClosedLoop:
    """A load as fast as the engine can, so that its speed shows in the joules of a GPU that is never idle.

    Attributes:
        model_size: Name out of `benchmarks.llm.models.SIZES`.
        concurrency: Requests under way.
        requests: Of one round.
    """

    model_size: str
    concurrency: int
    requests: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PooledProfile:
    """The rows of the pooled table: every size at every rate; `benchmarks.llm.design` says with which load.

    Attributes:
        model_sizes: Names out of `benchmarks.llm.models.SIZES`, smallest first.
        rates: Requests a second, ascending.
        arrival_s: Seconds over which the requests of one round arrive.
        least_requests: In one round, also where the rate would bring fewer in that time.
        prompt_tokens: Length of each prompt.
        plain_tokens: Scale of the lengths of answers without reasoning.
        reasoning_tokens: The same with reasoning.
        rounds: Measured rounds of a row.
        max_time_s: Longest time for all rounds of one row.
    """

    model_sizes: tuple[str, ...]
    rates: tuple[float, ...]
    arrival_s: float
    least_requests: int
    prompt_tokens: int
    plain_tokens: int
    reasoning_tokens: int
    rounds: int
    max_time_s: float

    def request_count(self, rate: float) -> int:
        """Requests in one round at *rate* requests a second."""
        return max(self.least_requests, round(rate * self.arrival_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmProfile:
    """Size of the serving tests.

    Attributes:
        engine: `transformers`, in this process, or `vllm`.
        quantization: As the engine names it, or `None`.
        model_sizes: Names out of `benchmarks.llm.models.SIZES`, smallest first.
        rates: Requests a second, ascending; a test for each size and rate.
        arrival_s: Seconds over which the requests of one round arrive.
        least_requests: In one round, also where the rate would bring fewer in that time.
        prompt_tokens: Length of each prompt.
        output_tokens: Length of each answer.
        max_batch: Requests decoded together.
        rounds: Measured rounds of a test.
        warmup: Rounds run first and dropped.
        max_time_s: Longest time for all rounds of one test.
        sweep: Further tests.
        closed_loop: One more.
        pooled: The rows of `test_pooled`.
        gpu_count: GPUs that share each layer.
        process_cores: Physical cores that each process of the engine has for itself; 0 binds none, as where
            the engine computes on these cores.
        is_eager: The engine replays no CUDA graphs and compiles nothing: the same work, done slower.
    """

    engine: str
    model_sizes: tuple[str, ...]
    rates: tuple[float, ...]
    arrival_s: float
    least_requests: int
    prompt_tokens: int
    output_tokens: int
    max_batch: int
    rounds: int
    warmup: int
    max_time_s: float
    sweep: LlmSweep
    closed_loop: LlmClosedLoop
    pooled: PooledProfile
    gpu_count: int = 1
    quantization: str | None = None
    process_cores: int = 0
    is_eager: bool = False

    def request_count(self, rate: float) -> int:
        """Requests in one round at *rate* requests a second."""
        return max(self.least_requests, round(rate * self.arrival_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One size of all benchmarks.

    Attributes:
        name: What `--bench-profile` takes.
        device: The torch device that the work runs on.
        changes: What options changed of the tests' work.
    """

    name: str
    device: str
    cnn: CnnProfile
    llm: LlmProfile
    changes: tuple[Change, ...] = ()

    def case_id(self, name: str, kind: str | None = None) -> str:
        """*name* as part of a test's id: other work has another, so that no baseline is of two works.

        Args:
            name: Of the case.
            kind: Of the test, out of `benchmarks.cnn.recipe`: what doesn't change its work is not in its id.
        """
        profile = "" if self.name == DEFAULT_PROFILE else self.name
        return "-".join(
            filter(None, (name, profile, *(one.word for one in self.changes if kind in one.kinds)))
        )
