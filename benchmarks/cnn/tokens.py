"""Sequences of token ids to train on and to test with, made from a seed; their classes can be learnt.

Token ids are uniform but for a quarter of the places: those hold ids of the class's own.
"""

import torch
from torch import Tensor

from benchmarks.cnn.attention import CLASS_COUNT, TOKEN_COUNT, VOCABULARY_SIZE
from benchmarks.cnn.images import Labelled

TRAIN_COUNT, TEST_COUNT = 1437, 360  # as many as digits: rounds of both repeat equally often
OWN_IDS = 8  # of each class: few enough to be seen often in a short training
OWN_SHARE = 0.25
SEED = 0


def tokens() -> Labelled:
    """`[N, 64]` int64, the same at each call."""
    generator = torch.Generator().manual_seed(SEED)
    train, train_labels = _sequences(TRAIN_COUNT, generator)
    test, test_labels = _sequences(TEST_COUNT, generator)
    return Labelled(name="tokens", train=train, train_labels=train_labels, test=test, test_labels=test_labels)


def _sequences(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    labels = torch.randint(CLASS_COUNT, (count,), generator=generator)
    shape = (count, TOKEN_COUNT)
    others = torch.randint(CLASS_COUNT * OWN_IDS, VOCABULARY_SIZE, shape, generator=generator)
    own = labels[:, None] * OWN_IDS + torch.randint(OWN_IDS, shape, generator=generator)
    is_own = torch.rand(shape, generator=generator) < OWN_SHARE
    return torch.where(is_own, own, others), labels
