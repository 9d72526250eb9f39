"""What is trained does not depend on how the same data is packed."""

import json
import tarfile

import pytest
import torch
from PIL import Image
from tiny_training import tiny_config, train_tiny_run, write_faces

pytestmark = pytest.mark.slow


def pack(faces, folder):
    """The same images and texts as the shards of a WebDataset."""
    folder.mkdir(parents=True)
    files = sorted(faces.iterdir())
    for number, part in enumerate([files[:6], files[6:]]):
        with tarfile.open(folder / f"{number:05}.tar", "w") as tar:
            for path in part:
                tar.add(path, path.name)


def annotate(faces, folder):
    """The same images and texts as COCO has them."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    images, annotations = [], []
    for number, path in enumerate(sorted(faces.glob("*.png"))):
        (folder / "val2017" / path.name).write_bytes(path.read_bytes())
        images.append({"id": number, "file_name": path.name})
        lines = path.with_suffix(".txt").read_text("utf-8").splitlines()
        annotations += [{"id": 0, "image_id": number, "caption": line} for line in lines]
    captions = {"images": images, "annotations": annotations}
    (folder / "annotations/captions_val2017.json").write_text(json.dumps(captions))


def name_as_lfw(faces, folder):
    """The same images as LFW has them."""
    for path in sorted(faces.glob("*.png")):
        person = folder / f"Person_{path.stem}"
        person.mkdir(parents=True)
        Image.open(path).save(person / f"{person.name}_0001.png")


def train(base, reader, text=None):
    changes = {"data": {"reader": reader}, **({"text": text} if text else {})}
    return train_tiny_run(base, config=tiny_config(**changes))


def weights(run):
    return run.networks.model.state_dict()


@pytest.fixture(scope="module")
def described(tmp_path_factory):
    """Images with their descriptions as a plain folder, and the networks that these train."""
    base = tmp_path_factory.mktemp("described")
    faces = write_faces(base / "faces")
    return faces, weights(train(base, "folder"))


@pytest.mark.parametrize(("reader", "convert"), [("webdataset", pack), ("coco", annotate)])
def test_described_images_train_the_same_networks_from_any_layout(
    tmp_path, described, reader, convert
):
    faces, expected = described
    convert(faces, tmp_path / "faces")
    torch.testing.assert_close(weights(train(tmp_path, reader)), expected, rtol=0, atol=0)


def test_images_without_descriptions_train_the_same_model_without_text_from_any_layout(
    tmp_path, described
):
    faces, _ = described
    text = {"encoder": "none"}
    (tmp_path / "images").mkdir()
    (tmp_path / "images/faces").symlink_to(faces)
    name_as_lfw(faces, tmp_path / "lfw/faces")
    expected = weights(train(tmp_path / "images", "images", text))
    actual = weights(train(tmp_path / "lfw", "lfw", text))
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)
