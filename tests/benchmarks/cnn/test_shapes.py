"""The images that are made from a seed: classes, places, and the labels that are wrong."""

import torch

from benchmarks.cnn.shapes import CEILING, CHUNK, _cover, _labelled, shapes


def test_the_same_at_each_call() -> None:
    """Images, and labels of 0 to 9, in the form of the other sets, from -1 to 1."""
    made, again = shapes(200, 100), shapes(200, 100)
    assert torch.equal(made.train, again.train)
    assert torch.equal(made.test_labels, again.test_labels)
    assert made.train.shape == (200, 3, 32, 32)
    assert (made.train.dtype, made.train_labels.dtype) == (torch.float32, torch.int64)
    assert made.train.min() >= -1.0
    assert made.train.max() <= 1.0
    assert sorted(set(made.test_labels.tolist())) == list(range(10))


def test_no_image_is_in_both_sets() -> None:
    """The held-out images come from another seed."""
    made = shapes(100, 100)
    assert not torch.isclose(made.train[:, None, 0, 0], made.test[None, :, 0, 0]).all(dim=-1).any()


def test_the_ceiling_is_exact() -> None:
    """The share of labels that are those of the drawn shapes is the ceiling, past a chunk too."""
    count = CHUNK + 500
    _, labels = _labelled(count, seed=3)
    generator = torch.Generator().manual_seed(3)
    drawn = (torch.arange(count) % 10)[torch.randperm(count, generator=generator)]
    assert int((labels == drawn).sum()) == round(CEILING * count)


def test_each_class_has_its_shape() -> None:
    """At one size and place the ten classes cover ten different sets of pixels; a hole is in each odd one."""
    lots = torch.tensor([[1.0, 0.5, 0.5, 0.0]]).expand(10, 4)
    covers = _cover(torch.arange(10), lots)
    assert len({tuple(cover.flatten().round().tolist()) for cover in covers}) == 10
    middle = covers[:, 15:17, 15:17].mean(dim=(1, 2))
    assert middle.tolist() == [1.0, 0.0] * 5


def test_shapes_lie_within_the_image() -> None:
    """Wherever it is drawn, the largest shape ends before the border."""
    corners = torch.tensor([[1.0, column, row, 0.3] for column in (0.0, 1.0) for row in (0.0, 1.0)])
    covers = _cover(torch.zeros(4, dtype=torch.int64), corners)
    assert covers.sum(dim=(1, 2)).allclose(covers[0].sum(), rtol=0.01)
