"""CIFAR-10 from a folder: files in its format, made here; nothing is downloaded."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from benchmarks.cnn.images import CIFAR10_FOLDER, _photos, check_cifar10, cifar10

COUNT = 4  # images in each file
TRAIN_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
FILES = (*TRAIN_FILES, "test_batch", "batches.meta")


def _content(name: str, labels: list[int]) -> bytes:
    """A file as the published one: 3,072 bytes an image, all red, then all green, then all blue."""
    if name == "batches.meta":
        return pickle.dumps({"label_names": [str(number) for number in range(10)]})
    pixels = np.zeros((len(labels), 3072), dtype=np.uint8)
    pixels[:, 2 * 1024 + 5 * 32 + 7] = 255  # blue, row 5, column 7
    return pickle.dumps({"data": pixels, "labels": labels})


def _publish(folder: Path, monkeypatch: pytest.MonkeyPatch, *, labels: list[int]) -> None:
    """Write all files into *folder*, and make them the published ones."""
    place = folder / CIFAR10_FOLDER
    place.mkdir()
    sums = {}
    for name in FILES:
        (place / name).write_bytes(_content(name, labels))
        sums[name] = hashlib.md5((place / name).read_bytes()).hexdigest()  # noqa: S324  # torchvision's check
    monkeypatch.setattr(CIFAR10, "train_list", [[name, sums[name]] for name in TRAIN_FILES])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(CIFAR10, "meta", meta)


def test_files_in_its_format_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five files to train on, one to test with; each pixel and label in its place."""
    _publish(tmp_path, monkeypatch, labels=[3, 0, 9, 5])
    check_cifar10(tmp_path)
    made = cifar10(tmp_path)
    assert (len(made.train), len(made.test)) == (5 * COUNT, COUNT)
    assert made.test_labels.tolist() == [3, 0, 9, 5]
    assert (made.test == 1.0).nonzero().tolist() == [[image, 2, 5, 7] for image in range(COUNT)]
    assert made.can_be_learnt


def test_folder_without_it_is_a_usage_error(tmp_path: Path) -> None:
    """The message names the option, the folder and what it should hold."""
    with pytest.raises(pytest.UsageError, match=f"--cifar10: {tmp_path} holds no folder {CIFAR10_FOLDER}"):
        check_cifar10(tmp_path)


def test_an_empty_folder_names_the_file_that_is_missing(tmp_path: Path) -> None:
    """Before any test runs."""
    (tmp_path / CIFAR10_FOLDER).mkdir()
    with pytest.raises(pytest.UsageError, match="data_batch_1 is missing; unpack cifar-10"):
        check_cifar10(tmp_path)


def test_an_empty_folder_is_one_line_without_a_traceback(pytester: pytest.Pytester) -> None:
    """pytest stops with a usage error."""
    pytester.makepyfile("def test_nothing(): pass")
    pytester.mkdir("data").joinpath(CIFAR10_FOLDER).mkdir()
    run = pytester.runpytest_inprocess("-p", "benchmarks.conftest", "--bench-profile=quick", "--cifar10=data")
    assert run.ret == pytest.ExitCode.USAGE_ERROR
    text = run.stdout.str() + run.stderr.str()
    assert "data_batch_1 is missing" in text
    assert "Traceback" not in text


def test_a_truncated_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last half of one file is lost."""
    _publish(tmp_path, monkeypatch, labels=[3, 0, 9, 5])
    path = tmp_path / CIFAR10_FOLDER / "data_batch_4"
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(pytest.UsageError, match="data_batch_4 is not the published file: it is damaged"):
        check_cifar10(tmp_path)


def test_a_wrong_label_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten classes are 0 to 9."""
    _publish(tmp_path, monkeypatch, labels=[3, 0, 10, 5])
    with pytest.raises(pytest.UsageError, match="holds the label 10, not 0 to 9"):
        cifar10(tmp_path)


def test_pixels_become_images() -> None:
    """torchvision's `[N, 32, 32, 3]` bytes become `[N, 3, 32, 32]`, rows and columns kept."""
    pixels = torch.zeros(2, 32, 32, 3, dtype=torch.uint8)
    pixels[1, 5, 7, 2] = 255
    photos = _photos(pixels)
    assert photos.shape == (2, 3, 32, 32)
    assert (photos == 1.0).nonzero().tolist() == [[1, 2, 5, 7]]
    assert photos.min().item() == -1.0
