"""The CNN benchmarks' networks, images, steps and sizes."""

from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.cnn.images import CIFAR10_FOLDER, Images, _photos, check_cifar10, cifar10, digits
from benchmarks.cnn.models import ARCHITECTURES
from benchmarks.cnn.training import accuracy, classify, optimiser, rounds_of_batches, train
from benchmarks.profiles import PROFILES, Profile, grown
from pytest_energy.profiling.macs import count_macs

# Parameters and MACs in CIFAR form, by torch 2.x and torchvision; the paper's own are near them:
# ResNet-18 11.2 M and 0.56 G, VGG-16 14.7 M and 0.31 G, DenseNet-121 7.0 M and 0.9 G.
KNOWN = {
    "resnet18": (11_173_962, 555_422_720),
    "vgg16": (14_728_266, 313_201_664),
}


@pytest.fixture(scope="module")
def images() -> Images:
    return digits()


class TestModels:
    """Networks in the form for 32x32 images."""

    @pytest.mark.parametrize("name", ARCHITECTURES)
    def test_maps_images_to_ten_scores(self, name: str) -> None:
        """`[N, 3, 32, 32]` becomes `[N, 10]`, in training mode too."""
        module = ARCHITECTURES[name]().to("meta")
        batch = torch.empty(4, 3, 32, 32, device="meta")
        assert module.train()(batch).shape == (4, 10)
        assert module.eval()(batch).shape == (4, 10)

    @pytest.mark.parametrize("name", KNOWN)
    def test_size_and_macs(self, name: str) -> None:
        """Parameters and MACs are those of the CIFAR form, not of the form for 224x224."""
        module = ARCHITECTURES[name]()
        parameters = sum(parameter.numel() for parameter in module.parameters())
        assert (parameters, count_macs(module, torch.empty(1, 3, 32, 32))) == KNOWN[name]

    def test_profiles_name_known_models(self) -> None:
        """Each model of each profile exists, at least six in each."""
        for profile in PROFILES.values():
            assert set(profile.cnn.models) <= set(ARCHITECTURES)
            assert len(set(profile.cnn.models)) == len(profile.cnn.models) >= 6


class TestDigits:
    """The images that ship with scikit-learn."""

    def test_shapes_and_range(self, images: Images) -> None:
        """Three channels of 32x32 from -1 to 1, with a label of 0 to 9 each."""
        assert images.train.shape == (1437, 3, 32, 32)
        assert images.test.shape == (360, 3, 32, 32)
        assert images.train.dtype == torch.float32
        assert (images.train.min().item(), images.train.max().item()) == (-1.0, 1.0)
        assert sorted(set(images.test_labels.tolist())) == list(range(10))
        assert len(images.train_labels) == 1437

    def test_split_is_fixed(self, images: Images) -> None:
        """A second call holds out the same images."""
        assert torch.equal(digits().test, images.test)


class TestCifar10:
    """CIFAR-10 from a folder; nothing is downloaded."""

    def test_folder_without_it_is_a_usage_error(self, tmp_path: Path) -> None:
        """The message names the option, the folder and what it should hold."""
        with pytest.raises(
            pytest.UsageError, match=f"--cifar10: {tmp_path} holds no folder {CIFAR10_FOLDER}"
        ):
            check_cifar10(tmp_path)

    def test_damaged_files_are_a_usage_error(self, tmp_path: Path) -> None:
        """A file that isn't the published one is refused."""
        (tmp_path / CIFAR10_FOLDER).mkdir()
        (tmp_path / CIFAR10_FOLDER / "data_batch_1").write_bytes(b"half of it")
        with pytest.raises(pytest.UsageError, match="not found or corrupted"):
            cifar10(tmp_path)

    def test_pixels_become_images(self) -> None:
        """torchvision's `[N, 32, 32, 3]` bytes become `[N, 3, 32, 32]`, rows and columns kept."""
        pixels = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
        pixels[1, 5, 7, 2] = 255
        photos = _photos(pixels)
        assert photos.shape == (2, 3, 32, 32)
        assert (photos == 1.0).nonzero().tolist() == [[1, 2, 5, 7]]
        assert photos.min().item() == -1.0


class TestSteps:
    """What is run in a round."""

    def test_rounds_are_equal_in_size(self, images: Images) -> None:
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

    def test_no_steps(self, images: Images) -> None:
        """A profile without fit steps gives a round of none."""
        assert rounds_of_batches(
            images.test, images.test_labels, batch_size=8, step_count=0, round_count=1
        ) == ((),)

    def test_training_learns(self, images: Images) -> None:
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

    def test_inference_leaves_the_network_alone(self, images: Images) -> None:
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
        assert grown(size.train_steps, 30) * 10 == size.train_steps * 13
        assert grown(size.inference_steps, 30) * 10 == size.inference_steps * 13
