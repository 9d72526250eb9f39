import importlib
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from foreign_models import VERSION_3, draw_generator, save_version_3, to_levels

from t2f_export.errors import ExportError, ForeignModelError
from t2f_export.imported.importing import import_pro_gan_pytorch
from t2f_runtime import FaceGenerator
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.cli import main
from t2f_runtime.latent import draw_noise
from t2f_runtime.verification import verify

SDIST = "T2F_PRO_GAN_PTH"
"""Names a folder with the unpacked sdist of pro-gan-pth 3.4, so that it need not be fetched."""


class Runs:
    """What a pickle of a whole module would name."""


def drawn_by_the_package(state, seed, *, depth=2, gain=2**0.5):
    noise = draw_noise(seed, 0, state["layers.0.conv_1.weight"].shape[0])
    layouts = {"layouts": VERSION_3, "gain": gain, "normalises_latent": True}
    return to_levels(draw_generator(state, noise, depth=depth, **layouts))


@pytest.fixture
def weights(tmp_path):
    return tmp_path / "depth_4_epoch_9.bin"


@pytest.mark.parametrize(("use_eql", "gain"), [(True, 2**0.5), (False, None)])
def test_the_bundle_draws_what_the_package_draws(weights, tmp_path, use_eql, gain):
    state = save_version_3(weights, use_eql=use_eql)
    import_pro_gan_pytorch(weights, tmp_path / "bundle")
    generator = FaceGenerator.load(tmp_path / "bundle")
    assert not generator.takes_text
    for seed in range(20, 26):
        expected = drawn_by_the_package(state, seed, gain=gain)
        assert expected.std() > 20  # a picture, not one colour
        # To round takes half a level, to sum in another order next to nothing.
        assert np.abs(generator.generate(seed=seed) - expected).max() < 0.51


def test_the_averaged_generator_is_taken_where_there_is_one(weights, tmp_path):
    averaged = save_version_3(tmp_path / "other.bin", seed=1)
    conf = {"use_eql": True}
    save_version_3(weights, shadow_generator={"conf": conf, "state_dict": averaged})
    written = import_pro_gan_pytorch(weights, tmp_path / "bundle")
    assert written.provenance.configuration["weights"] == "shadow_generator"
    drawn = FaceGenerator.load(tmp_path / "bundle").generate(seed=3)
    assert np.abs(drawn - drawn_by_the_package(averaged, 3)).max() < 0.51


def test_sizes_are_read_from_the_tensors_and_nothing_is_made_up(weights, tmp_path):
    save_version_3(weights, latent=9, widths=(7, 6, 5, 4))
    import_pro_gan_pytorch(weights, tmp_path / "bundle", licence="CC0-1.0")
    manifest = Bundle.open(tmp_path / "bundle").manifest
    assert (manifest.image_size, manifest.latent_size, manifest.condition_size) == (32, 9, 0)
    assert manifest.licence == "CC0-1.0"
    provenance = manifest.provenance
    assert (provenance.origin, provenance.run_name) == ("pro-gan-pytorch", weights.name)
    assert provenance.configuration == {
        "weights": "generator",
        "use_eql": True,
        "latent_size": 9,
        "channels": [7, 6, 5, 4],
    }
    unknown = (provenance.data_reader, provenance.data_images, provenance.data_descriptions)
    assert {*unknown, provenance.data_fingerprint, provenance.images_seen} == {None}
    assert provenance.metrics == {}


def test_the_bundle_proves_and_verifies_itself(weights, tmp_path):
    save_version_3(weights)
    (report,) = import_pro_gan_pytorch(weights, tmp_path / "bundle").parity
    assert report.against.startswith("torch 2")
    assert (report.faces, report.maximum_levels <= 1) == (8, True)
    assert verify(tmp_path / "bundle").maximum_levels <= 1


def test_a_smaller_size_can_be_drawn(weights, tmp_path):
    state = save_version_3(weights)
    import_pro_gan_pytorch(weights, tmp_path / "bundle", pixels=8)
    drawn = FaceGenerator.load(tmp_path / "bundle").generate(seed=4)
    assert drawn.shape == (8, 8, 3)
    assert np.abs(drawn - drawn_by_the_package(state, 4, depth=1)).max() < 0.51


def test_layers_that_were_never_trained_are_not_drawn(weights, tmp_path):
    state = save_version_3(weights)
    for name in ("layers.2.conv_1", "layers.2.conv_2", "rgb_converters.2"):
        state[f"{name}.bias"].zero_()
    torch.save({"generator": {"conf": {"use_eql": True}, "state_dict": state}}, weights)
    with pytest.raises(
        ForeignModelError,
        match=r"before its layers of 16 pixels were trained \(all their biases are 0\); draw what "
        r"was with --pixels 8",
    ):
        import_pro_gan_pytorch(weights, tmp_path / "bundle")
    assert import_pro_gan_pytorch(weights, tmp_path / "bundle", pixels=8).image_size == 8


def test_a_size_that_the_generator_lacks_is_refused(weights, tmp_path):
    save_version_3(weights)
    with pytest.raises(ForeignModelError, match=r"epoch_9.bin draws 4, 8, 16 pixels, not 64"):
        import_pro_gan_pytorch(weights, tmp_path / "bundle", pixels=64)


def test_a_state_dict_saved_on_several_gpus_is_read(weights, tmp_path):
    state = save_version_3(weights)
    marked = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"generator": {"conf": {"use_eql": True}, "state_dict": marked}}, weights)
    assert import_pro_gan_pytorch(weights, tmp_path / "bundle").image_size == 16


def test_a_file_that_could_run_code_is_refused_and_named(weights, tmp_path):
    save_version_3(weights, extra=Runs())
    with pytest.raises(
        ForeignModelError,
        match=r"epoch_9.bin holds more than tensors and plain values: it names "
        r"test_import_pro_gan_pytorch.Runs, and to load that could run code; save the model's",
    ):
        import_pro_gan_pytorch(weights, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("content", [b"", b"hello world" * 20, b"PK\x03\x04 and so on"])
def test_a_file_that_torch_did_not_write_is_refused(weights, tmp_path, content):
    weights.write_bytes(content)
    with pytest.raises(ForeignModelError, match=r"is no file of weights that torch\.save wrote"):
        import_pro_gan_pytorch(weights, tmp_path / "bundle")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ForeignModelError, match=r"absent.bin cannot be read: No such file"):
        import_pro_gan_pytorch(tmp_path / "absent.bin", tmp_path / "bundle")


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ([1], r"is no model of pro_gan_pytorch, but a value of type list"),
        ({"epoch": 3}, r"holds no 'generator' with 'conf' and 'state_dict'.* it has: epoch"),
        ({"initial_block.conv_1.weight": torch.ones(1)}, r"is a generator of pro-gan-pth 1 or 2"),
        ({"generator": {"conf": {}, "state_dict": {}}}, r"'conf' does not tell by 'use_eql'"),
        (
            {"generator": {"conf": {"use_eql": True}, "state_dict": {}}},
            r"'generator' is no state_dict, but an empty mapping",
        ),
        (
            {"generator": {"conf": {"use_eql": True}, "state_dict": {"layers": 3}}},
            r"is no state_dict: 'layers' is a value of type int, not a tensor",
        ),
    ],
)
def test_another_model_is_refused_with_what_was_found(weights, tmp_path, saved, message):
    torch.save(saved, weights)
    with pytest.raises(ForeignModelError, match=message):
        import_pro_gan_pytorch(weights, tmp_path / "bundle")


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("layers.1.conv_1.weight", None, r"holds no tensor 'layers.1.conv_1.weight'; it has: "),
        ("layers.9.conv_1.bias", torch.ones(2), r"holds tensors that this kind .*: layers.9.conv"),
        ("layers.1.conv_2.bias", torch.ones(3), r"has the shape \(3,\); the other .* for \(8,\)"),
        ("layers.0.conv_1.weight", torch.ones(6), r"has the shape \(6,\); 4 dimensions were"),
        ("layers.1.conv_2.bias", torch.full((8,), torch.nan), r"holds what is no finite number"),
        ("layers.1.conv_2.bias", torch.ones(8).long(), r"holds what is no finite number"),
        ("rgb_converters.2.weight", torch.ones(1, 5, 1, 1), r"ask for \(3, 5, 1, 1\)"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_name(weights, tmp_path, name, tensor, message):
    state = save_version_3(weights)
    state = {**state, name: tensor}
    if tensor is None:
        del state[name]
    torch.save({"generator": {"conf": {"use_eql": True}, "state_dict": state}}, weights)
    with pytest.raises(ForeignModelError, match=message):
        import_pro_gan_pytorch(weights, tmp_path / "bundle")


def test_an_existing_folder_is_never_overwritten(weights, tmp_path):
    save_version_3(weights)
    with pytest.raises(ExportError, match=r"exists already; name a new folder, or remove it"):
        import_pro_gan_pytorch(weights, tmp_path)


def test_the_command_imports_and_the_bundle_says_where_it_is_from(weights, tmp_path):
    save_version_3(weights)
    bundle = tmp_path / "bundle"

    def t2f(*arguments):
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    said = t2f("export", "--from", "pro-gan-pytorch", weights, "-o", bundle, "--licence", "MIT")
    assert "parity   float32: 8 faces against torch" in said
    assert "--count 16 -o faces.png" in said
    told = t2f("info", bundle)
    assert f"run:         {weights.name}, imported from pro-gan-pytorch, unknown images" in told
    assert "data:        unknown, licence not stated" in told
    assert "licence:     MIT" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--pixels", "8"], "--pixels and --licence go with --from"),
        (["run", "--licence", "MIT"], "--pixels and --licence go with --from"),
        (["run", "other"], "Give one RUN, not 2"),
        (["a", "b", "--from", "pro-gan-pytorch"], "Give one RUN, not 2"),
        (["a", "--from", "pro-gan-pytorch", "--caption-length", "9"], "with --from t2f-original"),
    ],
)
def test_options_that_do_not_fit_are_refused(arguments, message):
    result = CliRunner().invoke(main, ["export", "-o", "bundle", *arguments])
    assert result.exit_code == 2
    assert message in result.output


@pytest.fixture(scope="module")
def package_folder(tmp_path_factory):
    """The real package, out of the test's own process until it is asked for."""
    if given := os.environ.get(SDIST):
        return Path(given)
    folder = tmp_path_factory.mktemp("pro-gan-pth")
    fetch = ["pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "pro-gan-pth==3.4"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", *fetch, "-d", folder],
            check=False,
            capture_output=True,
            timeout=120,
        )
    except subprocess.TimeoutExpired:
        pytest.skip("pro-gan-pth 3.4 could not be fetched within two minutes")
    archives = list(folder.glob("*.tar.gz"))
    if done.returncode or not archives:
        pytest.skip(f"needs pro-gan-pth 3.4 from the package index, or unpacked in ${SDIST}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(folder, filter="data")
    return folder / "pro-gan-pth-3.4"


@pytest.fixture
def networks(package_folder, monkeypatch):
    monkeypatch.syspath_prepend(str(package_folder))
    yield importlib.import_module("pro_gan_pytorch.networks")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pro_gan_pytorch"]:
        del sys.modules[name]


@pytest.mark.slow
def test_the_bundle_matches_the_real_package_to_one_level(networks, weights, tmp_path, monkeypatch):
    # The package calls a private function of torch as torch before 1.12 had it.
    convolution = torch.nn.modules.conv._ConvTransposeNd
    today = convolution._output_padding
    monkeypatch.setattr(convolution, "_output_padding", lambda *old: today(*old, 2))
    monkeypatch.setattr(networks, "nf", lambda stage: 24)  # channels, of which it has 512
    torch.manual_seed(0)
    generator = networks.Generator(depth=4, latent_size=32)
    for name, parameter in generator.named_parameters():
        if name.endswith("bias"):
            parameter.data += 0.1 * torch.randn_like(parameter)
    torch.save({"generator": generator.get_save_info()}, weights)
    import_pro_gan_pytorch(weights, tmp_path / "bundle")
    bundle = FaceGenerator.load(tmp_path / "bundle")
    theirs = networks.create_generator_from_saved_model(weights)
    for seed in range(3):
        with torch.no_grad():
            image = theirs(torch.from_numpy(draw_noise(seed, 0, 32))[None])[0]
        # As its utils.post_process_generated_images does, which cuts off rather than rounds.
        expected = (torch.clamp(image * 0.5 + 0.5, 0, 1) * 255).permute(1, 2, 0).numpy()
        difference = np.abs(bundle.generate(seed=seed) - expected.astype(np.uint8).astype(int))
        assert difference.max() <= 1
        assert expected.std() > 20
