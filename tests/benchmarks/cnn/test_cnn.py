"""The CNN benchmarks' networks, images, steps, sizes and options."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmarks.cnn.attention import VOCABULARY_SIZE
from benchmarks.cnn.epoch import epoch_metrics
from benchmarks.cnn.images import (
    Labelled,
    digits,
    synthetic,
)
from benchmarks.cnn.model_table import AUTHORS, PAPERS, PUBLISHED, counted, example, is_near, to_markdown
from benchmarks.cnn.models import ARCHITECTURES, PAPER_ARCHITECTURES
from benchmarks.cnn.subject import held_out_accuracy, subject
from benchmarks.cnn.tokens import tokens
from benchmarks.cnn.training import (
    MOST_IMAGES,
    UnfitModel,
    accuracy,
    classify,
    finite_loss,
    fitting_memory,
    optimiser,
    rounds_of_batches,
    train,
)
from benchmarks.profile_options import Overrides, grown
from benchmarks.profile_sizes import Profile
from benchmarks.profiles import PAPER, PROFILES, QUICK
from pytest_energy.model import Machine, Provenance, Reading, Record

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture(scope="module")
def images() -> Labelled:
    return digits()


class TestModels:
    """Networks in the form for 32x32 images."""

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_maps_images_to_ten_scores(self, name: str) -> None:
        """Images `[N, 3, 32, 32]`, or tokens `[N, T]`, become `[N, 10]`, in training mode too."""
        module = ARCHITECTURES[name]().to("meta")
        one = example(name)
        batch = one.to("meta").expand(4, *one.shape[1:])
        assert module.train()(batch).shape == (4, 10)
        assert module.eval()(batch).shape == (4, 10)

    @pytest.mark.slow
    def test_table_is_that_of_the_code(self) -> None:
        """docs/models.md holds the table that the code gives."""
        assert to_markdown() in (DOCS / "models.md").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", PUBLISHED)
    def test_published_figures(self, name: str) -> None:
        """Parameters to 1 %, MACs to 2 %; where ours is another network it is told, and true."""
        ours, theirs = counted(name), PUBLISHED[name]
        is_same = is_near(ours.parameters, theirs.parameters_m, share=0.01) and is_near(
            ours.macs, theirs.macs_m, share=0.02
        )
        assert is_same == (theirs.differs_because is None)

    @pytest.mark.parametrize("name", ["vgg19", "googlenet", "mobilenet_v2", "efficientnet_b0"])
    def test_the_authors_form_is_exact(self, name: str) -> None:
        """Where torchvision's network is another, ours has exactly the authors' parameters and MACs."""
        assert counted(f"{name}_authors") == AUTHORS[f"{name}_authors"]

    @pytest.mark.parametrize("name", PAPER_ARCHITECTURES)
    def test_the_fourteen_are_the_authors(self, name: str) -> None:
        """Parameters to 0.03 %, MACs to 0.12 %, of the authors' code."""
        ours, theirs = counted(name), AUTHORS[name]
        assert ours.parameters == pytest.approx(theirs.parameters, rel=3e-4)
        assert ours.macs == pytest.approx(theirs.macs, rel=1.2e-3)

    def test_differences_are_told(self) -> None:
        """Each network that isn't the published one is explained in docs/models.md."""
        text = " ".join((DOCS / "models.md").read_text(encoding="utf-8").split())
        for name, published in PUBLISHED.items():
            if published.differs_because is not None:
                assert f"`{name}`: {published.differs_because}." in text

    def test_every_network_has_its_paper(self) -> None:
        """No network without a source."""
        assert set(PAPERS) == set(ARCHITECTURES)

    def test_a_digit_that_is_off_is_seen(self) -> None:
        """Within a unit of the last digit, or the share if that is more; no further."""
        assert is_near(11_172_170, "11.17", share=0.0)
        assert not is_near(11_192_170, "11.17", share=0.0)
        assert is_near(1_451_000_000, "1470", share=0.02)
        assert not is_near(1_451_000_000, "1529", share=0.02)

    def test_profiles_name_known_models(self) -> None:
        """Each model of each profile exists, at least six in each."""
        for profile in PROFILES.values():
            assert set(profile.cnn.models) <= set(ARCHITECTURES)
            assert len(set(profile.cnn.models)) == len(profile.cnn.models) >= 6
            assert {own.model for own in profile.cnn.model_steps} <= set(ARCHITECTURES)
            assert {swept.model for swept in profile.cnn.sweep.models} <= set(ARCHITECTURES)

    def test_the_paper_profile_has_the_papers_networks(self) -> None:
        """All fourteen, four that it leaves open, its batch size and learning rate; five rounds."""
        size = PAPER.cnn
        assert len(PAPER_ARCHITECTURES) == 14
        assert set(AUTHORS) == set(PAPER_ARCHITECTURES)
        assert set(size.models) == {*PAPER_ARCHITECTURES, "vit_tiny", "swin_t", "convnext_t", "bert_small"}
        assert (size.batch_size, size.learning_rate, size.rounds) == (128, 0.001, 5)


class TestDigits:
    """The images that ship with scikit-learn."""

    def test_shapes_and_range(self, images: Labelled) -> None:
        """Three channels of 32x32 from -1 to 1, with a label of 0 to 9 each."""
        assert images.train.shape == (1437, 3, 32, 32)
        assert images.test.shape == (360, 3, 32, 32)
        assert images.train.dtype == torch.float32
        assert (images.train.min().item(), images.train.max().item()) == (-1.0, 1.0)
        assert sorted(set(images.test_labels.tolist())) == list(range(10))
        assert len(images.train_labels) == 1437

    def test_split_is_fixed(self, images: Labelled) -> None:
        """A second call holds out the same images."""
        assert torch.equal(digits().test, images.test)


class TestOtherData:
    """Noise and tokens, made from a seed."""

    def test_noise_has_the_shape_of_cifar10(self) -> None:
        """From -1 to 1, the same at each call, and no accuracy: its labels are drawn by lot."""
        noise = synthetic()
        assert noise.train.shape[1:] == (3, 32, 32)
        assert (noise.train.min().item(), noise.train.max().item()) == (-1.0, 1.0)
        assert torch.equal(noise.train, synthetic().train)
        assert held_out_accuracy(nn.Identity(), noise, QUICK.cnn) is None

    def test_tokens_are_ids(self) -> None:
        """Ids of the vocabulary, the same at each call, with classes that come about equally often."""
        made = tokens()
        assert made.train.dtype == torch.int64
        assert made.train.min() >= 0
        assert made.train.max() < VOCABULARY_SIZE
        assert torch.equal(made.test, tokens().test)
        assert made.train_labels.bincount().min() > 100

    def test_tokens_can_be_learnt(self) -> None:
        """A bag of words tells the classes of sequences that it hasn't seen."""
        torch.manual_seed(0)
        made = tokens()
        module = nn.EmbeddingBag(VOCABULARY_SIZE, 10)
        (steps,) = rounds_of_batches(
            made.train, made.train_labels, batch_size=32, step_count=150, round_count=1
        )
        train(module, steps, optimiser(module, learning_rate=1.0))
        assert accuracy(module, made.test, made.test_labels) > 0.9

    def test_layout_changes_no_value(self) -> None:
        """Channels-last images hold the same values; tokens stay as they are."""
        noise, made = synthetic(), tokens()
        moved = noise.channels_last()
        assert moved.train.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(moved.train, noise.train)
        assert made.channels_last() is made


class TestSteps:
    """What is run in a round."""

    def test_long_rounds_start_over(self) -> None:
        """No more images than fit are laid out: past them the same batches come again."""
        numbers = torch.arange(8)
        size = MOST_IMAGES // 2
        (steps,) = rounds_of_batches(numbers, numbers, batch_size=size, step_count=5, round_count=1)
        assert len(steps) == 5
        assert steps[2][0] is steps[0][0]
        assert steps[1][0] is not steps[0][0]

    def test_rounds_are_equal_in_size(self, images: Labelled) -> None:
        """Each round has the same number of equal batches, beyond one pass over the images too."""
        rounds = rounds_of_batches(
            images.test, images.test_labels, batch_size=8, step_count=10, round_count=6
        )
        assert [len(steps) for steps in rounds] == [10] * 6
        assert all(
            part.shape == (8, 3, 32, 32) and len(labels) == 8 for steps in rounds for part, labels in steps
        )

    def test_no_image_twice_in_a_pass(self) -> None:
        """Each image comes once before any comes again."""
        numbers = torch.arange(40)
        (steps,) = rounds_of_batches(numbers, numbers, batch_size=8, step_count=10, round_count=1)
        drawn = torch.cat([part for part, _ in steps]).tolist()
        assert sorted(drawn[:40]) == sorted(drawn[40:]) == numbers.tolist()

    def test_no_steps(self, images: Labelled) -> None:
        """A profile without fit steps gives a round of none."""
        assert rounds_of_batches(
            images.test, images.test_labels, batch_size=8, step_count=0, round_count=1
        ) == ((),)

    def test_training_learns(self, images: Labelled) -> None:
        """Held-out accuracy rises from chance to well above it, with the paper's optimiser."""
        torch.manual_seed(0)
        module = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
        before = accuracy(module, images.test, images.test_labels)
        (steps,) = rounds_of_batches(
            images.train, images.train_labels, batch_size=32, step_count=60, round_count=1
        )
        loss = train(module, steps, optimiser(module))
        assert loss.isfinite()
        assert before < 0.3
        assert accuracy(module, images.test, images.test_labels) > 0.6

    def test_inference_leaves_the_network_alone(self, images: Labelled) -> None:
        """Scores come out; batch statistics don't move."""
        module = nn.Sequential(nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3 * 32 * 32, 10))
        (steps,) = rounds_of_batches(
            images.test, images.test_labels, batch_size=8, step_count=2, round_count=1
        )
        assert classify(module, steps).shape == (8, 10)
        norm = module[0]
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_mean.tolist() == [0.0, 0.0, 0.0]


class TestGrown:
    """The planted regression is exactly as large as asked."""

    @pytest.mark.parametrize(("percent", "expected"), [(0, 10), (30, 13), (100, 20), (-90, 1)])
    def test_exact(self, percent: int, expected: int) -> None:
        """10 steps and 30 percent more are 13."""
        assert grown(10, percent) == expected

    @pytest.mark.parametrize("percent", [5, -100, -200])
    def test_not_exact_is_a_usage_error(self, percent: int) -> None:
        """A part of a step, or none left, is refused with what would work."""
        with pytest.raises(pytest.UsageError, match="multiples of 10"):
            grown(10, percent)

    @pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
    def test_thirty_percent_works_in_every_profile(self, profile: Profile) -> None:
        """The change that the README shows can be planted in training and inference."""
        size = profile.cnn
        for name in size.models:
            for step_count in (size.train_steps_of(name), size.inference_steps_of(name)):
                assert grown(step_count, 30) * 10 == step_count * 13


class Pair(nn.Module):
    """Returns a tuple, as networks with auxiliary classifiers do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 10)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(inputs), inputs


class OutOfMemory(nn.Module):
    """Fails as a device does whose memory is full."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        del inputs
        raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB")


class TestUnfit:
    """What can't be trained stops with what was seen and what to do."""

    STEP = (torch.zeros(2, 4), torch.zeros(2, dtype=torch.int64))

    def test_a_tuple_is_no_score(self) -> None:
        """The network's class and what it returned are named."""
        module = Pair()
        with pytest.raises(UnfitModel, match=r"Pair returned a tuple, not a tensor of class scores \[N, K\]"):
            train(module, [self.STEP], optimiser(module))
        with pytest.raises(UnfitModel, match="Pair returned a tuple"):
            classify(module, [self.STEP])

    def test_wrong_shape(self) -> None:
        """The batch's shape and type, and torch's own first line."""
        module = nn.Linear(5, 10)
        with pytest.raises(
            UnfitModel, match=r"Linear failed on a batch of shape \(2, 4\), torch.float32: .*mat1 and mat2"
        ):
            classify(module, [self.STEP])

    def test_frozen_network(self) -> None:
        """Nothing to train is told before any step; inference works."""
        module = nn.Linear(4, 10).requires_grad_(requires_grad=False)
        with pytest.raises(UnfitModel, match="Linear has no trainable parameter: it is frozen"):
            optimiser(module)
        assert classify(module, [self.STEP]).shape == (2, 10)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_loss_that_is_no_number(self, value: float) -> None:
        """The loss and the learning rate that led to it are named."""
        with pytest.raises(UnfitModel, match=f"last batch is {value}: .* learning rate 0.5; try a smaller"):
            finite_loss(torch.tensor(value), learning_rate=0.5)

    def test_out_of_memory_is_a_skip(self) -> None:
        """Model, batch size and the device's first line are the reason; the size is remembered."""
        module, too_large = OutOfMemory(), dict[str, int]()
        with (
            pytest.raises(
                pytest.skip.Exception, match="out of memory: vgg16 at batch size 4096: CUDA out of memory"
            ),
            fitting_memory("vgg16", batch_size=4096, too_large=too_large),
        ):
            train(module, [self.STEP], optimiser(module))
        assert too_large == {"vgg16": 4096}


class TestSubject:
    """A network as the profile wants it."""

    def test_autocast_gives_float_scores(self) -> None:
        """Under `--amp` the layers run in bfloat16, the scores are float32, and the weights stay."""
        plain = subject("lenet", QUICK)
        cast = subject("lenet", Overrides(is_amp=True).of(QUICK))
        batch = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        scores, exact = cast.module(batch), plain.module(batch)
        assert scores.dtype == torch.float32
        assert not torch.equal(scores, exact)
        assert torch.allclose(scores, exact, atol=0.01)

    def test_channels_last_gives_the_same_scores(self) -> None:
        """The layout of the weights changes no result."""
        batch = torch.ones(2, 3, 32, 32)
        moved = subject("lenet", Overrides(is_channels_last=True).of(QUICK)).module
        assert torch.allclose(moved(batch), subject("lenet", QUICK).module(batch), atol=1e-5)


def record(*, duration_s: float, samples: int) -> Record:
    """100 W for *duration_s*, of a network of 1000 parameters."""
    reading = Reading(
        channels={"gpu:0": 100.0 * duration_s},
        duration_s=duration_s,
        uncertainty_j=0.0,
        provenance=Provenance.MEASURED,
    )
    return Record(
        test_id="t",
        created="2026-01-01T00:00:00Z",
        provenance=Provenance.MEASURED,
        machine=Machine(key="m"),
        rounds=(reading,),
        samples=samples,
        metrics={"parameters": 1000.0},
    )


class TestEpoch:
    """Work done where each model has its own number of steps."""

    def test_work_done_is_that_of_an_epoch(self) -> None:
        """1000 parameters over an epoch of 50,000 at 5,000 samples/s: 100/s, however long the round was."""
        formulas = epoch_metrics(50_000)
        short, long = record(duration_s=1.0, samples=5_000), record(duration_s=2.0, samples=10_000)
        for name, expected in {"work_done": 100.0, "work_per_unit_power": 1.0}.items():
            assert formulas[name](short) == pytest.approx(expected)
            assert formulas[name](long) == pytest.approx(expected)

    def test_unknown_stays_absent(self) -> None:
        """Without samples, or without the parameters, there is no value."""
        known = record(duration_s=1.0, samples=10)
        for lacking in (replace(known, samples=None), replace(known, metrics={})):
            assert epoch_metrics(50_000)["work_done"](lacking) is None


class TestSweep:
    """Batch sizes and their rounds."""

    @pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
    def test_rounds_are_short_and_fixed(self, profile: Profile) -> None:
        """Sizes go up; a larger batch has no more steps, and at least one."""
        sweep = profile.cnn.sweep
        assert sweep.batch_sizes == tuple(sorted(set(sweep.batch_sizes)))
        for swept in sweep.models:
            counts = [sweep.step_count(swept, size) for size in sweep.batch_sizes]
            assert counts == sorted(counts, reverse=True)
            assert counts[-1] >= 1
