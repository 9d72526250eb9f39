"""A bundle may have its generator in a second form, which engines on a processor run."""

import copy
import hashlib
import threading

import numpy as np
import pytest

from t2f_runtime import Bundle, BundleError, FaceGenerator
from t2f_runtime.bundle.folder import FolderFiles
from t2f_runtime.bundle.manifest import (
    GENERATOR,
    PROCESSOR_GENERATOR,
    REFERENCE,
    processor_generator,
)
from t2f_runtime.latent import draw_latent
from t2f_runtime.sessions.single_session import SingleSession


@pytest.fixture
def with_form(bundle, change_manifest):
    """The tiny bundle with a second form, which draws other pictures so that tests can tell."""
    data = bytearray((bundle / GENERATOR).read_bytes())
    for place in range(len(data) // 4, len(data) // 2):  # weights: their signs, and powers of two
        data[place] ^= 0x80
    (bundle / PROCESSOR_GENERATOR).write_bytes(data)
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    change_manifest(lambda fields: fields["files"].update({PROCESSOR_GENERATOR: entry}))
    return bundle


def draw(path, **options):
    return FaceGenerator.load(path, **options).generate("a bald man", seed=7)


def test_engines_on_a_processor_draw_with_their_own_form(with_form, tiny_bundle):
    assert not np.array_equal(draw(with_form, engine="onnx-cpu"), draw(tiny_bundle))


def test_openvino_takes_it_too(with_form, tiny_bundle):
    pytest.importorskip("openvino", reason="OpenVINO is not installed")
    assert not np.array_equal(draw(with_form, engine="openvino"), draw(tiny_bundle))


def test_several_faces_are_drawn_one_by_one_and_each_as_it_is_alone(with_form):
    generator = FaceGenerator.load(with_form, engine="onnx-cpu")
    alone = generator.generate("a bald man", seed=7, count=5)
    condition = generator.condition("a bald man")
    noise_size = generator.manifest.noise_size
    latents = np.stack(
        [draw_latent(*condition, seed=7, index=index, noise_size=noise_size) for index in range(5)]
    )
    np.testing.assert_array_equal(generator.draw(latents, faces_per_run=5), alone)


def test_a_batch_is_its_rows_one_after_the_other():
    rows = []

    class Doubling:
        def run(self, inputs):
            rows.append(len(inputs["x"]))
            return {"y": 2 * inputs["x"]}

    given = np.arange(6, dtype=np.float32).reshape(3, 2)
    outputs = SingleSession(Doubling()).run({"x": given})
    np.testing.assert_array_equal(outputs["y"], 2 * given)
    assert rows == [1, 1, 1]


def test_other_precisions_have_one_form(with_form, change_manifest):
    def add_float16(fields):
        fields["graphs"]["float16"] = copy.deepcopy(fields["graphs"]["float32"])

    change_manifest(add_float16)
    manifest = Bundle.open(with_form).manifest
    assert processor_generator(manifest, "float32") == PROCESSOR_GENERATOR
    assert processor_generator(manifest, "float16") == GENERATOR


def test_a_bundle_with_one_form_runs_that(tiny_manifest):
    assert processor_generator(tiny_manifest, "float32") == GENERATOR


def test_both_forms_are_read_once_they_are_asked_for(with_form):
    opened = Bundle.open(with_form, keep="float32")
    for name in (GENERATOR, PROCESSOR_GENERATOR):
        assert opened.read(name) == (with_form / name).read_bytes()


def test_a_form_that_nobody_runs_is_verified_all_the_same(with_form):
    with (with_form / GENERATOR).open("r+b") as file:
        file.write(b"!")
    with pytest.raises(BundleError, match=r"generator\.onnx is altered"):
        FaceGenerator.load(with_form)


def test_of_two_damaged_files_the_one_that_was_wanted_first_is_named(with_form):
    for name in (GENERATOR, REFERENCE):
        with (with_form / name).open("r+b") as file:
            file.write(b"!")
    with pytest.raises(BundleError, match=r"reference\.png is altered"):
        Bundle.open(with_form, keep="float32")
    with pytest.raises(BundleError, match=r"generator\.onnx is altered"):
        Bundle.open(with_form)


def test_what_draws_does_not_wait_for_the_form_that_nobody_runs(with_form, monkeypatch):
    is_allowed = threading.Event()
    verify = FolderFiles.verify

    def wait(files, name, entry):
        assert name != GENERATOR or is_allowed.wait(60)
        verify(files, name, entry)

    monkeypatch.setattr(FolderFiles, "verify", wait)
    with Bundle.opening(with_form, keep="float32") as opened:
        assert opened.read(PROCESSOR_GENERATOR)
        is_allowed.set()


def test_an_altered_form_is_refused(with_form):
    with (with_form / PROCESSOR_GENERATOR).open("r+b") as file:
        file.write(b"!")
    with pytest.raises(BundleError, match=r"generator\.cpu\.onnx is altered"):
        FaceGenerator.load(with_form)
