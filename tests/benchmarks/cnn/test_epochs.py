"""Whole epochs: their images, the rate over them, and what the recipe changes of a step."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from benchmarks.cnn.epochs import Training, augmented, schedule_of
from benchmarks.cnn.images import Labelled, digits
from benchmarks.cnn.recipe import LOADERS, OPTIMISERS, Recipe
from benchmarks.cnn.training import loss_of, optimiser
from benchmarks.profile_options import Overrides
from benchmarks.profile_sizes import Profile
from benchmarks.profiles import QUICK


@pytest.fixture(scope="module")
def few() -> Labelled:
    """70 digits to train on."""
    whole = digits()
    return replace(whole, train=whole.train[:70], train_labels=whole.train_labels[:70])


def _profile(recipe: Recipe) -> Profile:
    return Overrides(batch_size=32, learning_rate=0.02, recipe=recipe).of(QUICK)


def _training(few: Labelled, recipe: Recipe, *, seed: int = 0) -> Training:
    return Training("lenet", few, _profile(recipe), epoch_count=2, seed=seed)


@pytest.mark.parametrize("loader", LOADERS)
def test_an_epoch_has_each_image_once(few: Labelled, loader: str) -> None:
    """Two whole batches and the rest, in another order in the next epoch."""
    training = _training(few, Recipe(loader=loader))
    first, second = ([*training._batches()] for _ in range(2))
    assert [len(labels) for _, labels in first] == [32, 32, 6]

    def sums(batches: list[tuple[Tensor, Tensor]]) -> list[float]:
        return torch.cat([images.sum(dim=(1, 2, 3)) for images, _ in batches]).tolist()

    expected = few.train.sum(dim=(1, 2, 3)).tolist()
    assert sorted(sums(first)) == pytest.approx(sorted(expected), rel=1e-4)
    assert sums(first) != sums(second)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_each_optimiser_learns(few: Labelled, name: str) -> None:
    """The weights of the network change in an epoch, and the accuracy is a share."""
    training = _training(few, Recipe(optimiser=name))
    before = [parameter.clone() for parameter in training.module.parameters()]
    training.epoch()
    after = training.module.parameters()
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    assert 0.0 <= training.accuracy() <= 1.0


def test_sgd_has_no_momentum() -> None:
    """`momentum` and `sgd` differ in that alone, and the decay is the recipe's."""
    module = nn.Linear(2, 2)
    plain, with_it = (
        optimiser(module, recipe=Recipe(optimiser=name, weight_decay=0.01)).param_groups[0]
        for name in ("sgd", "momentum")
    )
    assert (plain["momentum"], with_it["momentum"]) == (0.0, 0.9)
    assert plain["weight_decay"] == with_it["weight_decay"] == 0.01


def test_a_seed_is_another_training(few: Labelled) -> None:
    """Equal seeds give equal weights after an epoch; the recipe's seed and a repeat's add up."""

    def weights(recipe: Recipe, seed: int) -> Tensor:
        training = _training(few, recipe, seed=seed)
        training.epoch()
        return next(training.module.parameters()).detach()

    assert torch.equal(weights(Recipe(), 1), weights(Recipe(seed=1), 0))
    assert not torch.equal(weights(Recipe(), 1), weights(Recipe(), 0))


@pytest.mark.parametrize(
    ("name", "expected"),
    [("cosine", (1.0, 0.75, 0.25, 0.0)), ("step", (1.0, 0.1, 0.01, 0.001))],
)
def test_the_rate_falls_over_the_epochs(name: str, expected: tuple[float, ...]) -> None:
    """Cosine: half a period; step: a tenth after each third. Three epochs."""
    made = torch.optim.SGD(nn.Linear(2, 2).parameters(), lr=1.0)
    schedule = schedule_of(name, made, 3)
    assert schedule is not None
    rates = []
    for _ in expected:
        rates.append(made.param_groups[0]["lr"])
        made.step()
        schedule.step()
    assert rates == pytest.approx(expected)
    assert schedule_of("none", made, 3) is None


def test_images_are_shifted_and_mirrored() -> None:
    """One bright pixel lands at most 4 from its place, or from its mirrored place; the frame is 0."""
    images = torch.zeros(400, 3, 32, 32)
    images[:, :, 10, 8] = 1.0
    moved = augmented(images, torch.Generator().manual_seed(0))
    places = moved[:, 0].nonzero()
    assert moved.shape == images.shape
    assert len(places) == 400
    assert set(places[:, 1].tolist()) == set(range(6, 15))
    assert set(places[:, 2].tolist()) == {*range(4, 13), *range(19, 28)}
    mirrored = int((places[:, 2] > 15).sum())
    assert 150 < mirrored < 250


def test_smoothed_labels_cost_a_sure_network_more() -> None:
    """A right answer given with certainty has no loss but that of smoothing."""
    scores, labels = torch.tensor([[50.0, 0.0]]), torch.tensor([0])
    assert float(loss_of("cross-entropy")(scores, labels)) == pytest.approx(0.0)
    assert float(loss_of("label-smoothing")(scores, labels)) == pytest.approx(0.1 * 50 / 2)


def test_normalised_images_have_cifar10s_units() -> None:
    """Its mean becomes 0, and a standard deviation above it 1, in each channel."""
    means, spreads = torch.tensor([0.4914, 0.4822, 0.4465]), torch.tensor([0.2023, 0.1994, 0.2010])
    pixels = torch.stack([means, means + spreads])[:, :, None, None].expand(2, 3, 32, 32) * 2 - 1
    made = replace(digits(), train=pixels, test=pixels).normalised()
    assert made.train[0].abs().max() < 1e-5
    assert (made.train[1] - 1).abs().max() < 1e-5
