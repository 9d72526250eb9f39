import hashlib
import json
import shutil
from pathlib import Path

import pytest

from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.manifest import MANIFEST, Manifest, decode_manifest
from t2f_runtime.engines.gpu import Device, find_device
from t2f_runtime.text.tokenizer import Tokenizer

TINY_BUNDLE = Path(__file__).parent / "tiny_bundle"
TINY_BUNDLE_WITHOUT_TEXT = Path(__file__).parent / "tiny_bundle_without_text"


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    return TINY_BUNDLE


@pytest.fixture(scope="session")
def textless_bundle() -> Path:
    return TINY_BUNDLE_WITHOUT_TEXT


@pytest.fixture
def bundle(tmp_path) -> Path:
    """A copy of the tiny bundle that a test may spoil."""
    return Path(shutil.copytree(TINY_BUNDLE, tmp_path / "bundle"))


@pytest.fixture
def change_manifest(bundle):
    """Changes the manifest of `bundle` as JSON, past all of its checks."""

    def change(edit) -> None:
        path = bundle / MANIFEST
        fields = json.loads(path.read_text())
        edit(fields)
        path.write_text(json.dumps(fields))

    return change


@pytest.fixture(scope="session")
def tiny_manifest() -> Manifest:
    return decode_manifest((TINY_BUNDLE / MANIFEST).read_bytes())


@pytest.fixture(scope="session")
def tokenizer(tiny_manifest) -> Tokenizer:
    model = (TINY_BUNDLE / tiny_manifest.text.tokenizer).read_bytes()
    return Tokenizer(model, maximum_tokens=tiny_manifest.text.maximum_tokens)


@pytest.fixture(scope="session")
def generator() -> FaceGenerator:
    return FaceGenerator.load(TINY_BUNDLE)


@pytest.fixture(scope="session")
def textless() -> FaceGenerator:
    return FaceGenerator.load(TINY_BUNDLE_WITHOUT_TEXT)


@pytest.fixture(scope="session")
def sibling(tmp_path_factory) -> FaceGenerator:
    """A generator of another bundle, whose networks and sizes are those of the tiny one."""
    folder = Path(shutil.copytree(TINY_BUNDLE, tmp_path_factory.mktemp("sibling") / "bundle"))
    picture = folder / "reference.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    fields = json.loads((folder / MANIFEST).read_text())
    fields["files"][picture.name] = {
        "bytes": picture.stat().st_size,
        "sha256": hashlib.sha256(picture.read_bytes()).hexdigest(),
    }
    (folder / MANIFEST).write_text(json.dumps(fields))
    return FaceGenerator.load(folder)


@pytest.fixture
def find_no_gpu() -> None:
    """Skips a test that is about machines without a GPU where there is one."""
    found = find_device()
    if isinstance(found, Device):
        pytest.skip(f"this machine has a GPU: {found.name}")
