import dataclasses

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from t2f_export import processor_graph as module
from t2f_export.bundle_writer import generator_files
from t2f_export.frozen_model import (
    FrozenConvolution,
    FrozenGenerator,
    FrozenLinear,
    freeze_generator,
)
from t2f_export.onnx_graph import generator_graph
from t2f_export.processor_graph import is_quicker, processor_graph, undouble
from t2f_runtime.bundle import manifest
from t2f_runtime.bundle.manifest import GENERATOR, PROCESSOR_GENERATOR
from t2f_train.generator import Generator
from t2f_train.layers import UpsamplingConvolution

LATENT = 20


def freeze(*channels):
    torch.manual_seed(0)
    generator = Generator(LATENT, channels)
    for parameter in generator.parameters():  # biases start at zero, where mistakes do not show
        parameter.data += 0.1 * torch.randn_like(parameter)
    return freeze_generator(generator.eval(), len(channels) - 1)


@pytest.fixture(scope="module")
def wide():
    """Every form of a layer: one product, small tiles, large ones, and convolutions at the end."""
    return freeze(64, 64, 64, 128, 64, 24)


def run(graph, latents):
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {manifest.LATENT: latents})[0].astype(int)


def latents(count, seed=0):
    return np.random.default_rng(seed).standard_normal((count, LATENT), dtype=np.float32)


def check_same_pictures(generator, given):
    expected = run(generator_graph(generator), given)
    drawn = run(processor_graph(generator), given)
    assert drawn.shape == expected.shape
    difference = np.abs(drawn - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.01
    assert expected.std() > 10  # a picture, not one flat colour


@pytest.mark.parametrize("count", [1, 3])
def test_it_draws_what_the_convolutions_draw(wide, count):
    check_same_pictures(wide, latents(count))


def test_it_draws_to_the_end_in_rows_where_every_layer_is_wide():
    generator = freeze(64, 64, 64, 128)
    check_same_pictures(generator, latents(2))
    assert "Conv" not in {node.op_type for node in processor_graph(generator).graph.node}


def test_a_latent_of_zeros_draws_a_picture_and_no_nan(wide):
    zeros = np.zeros((1, LATENT), np.float32)
    difference = run(processor_graph(wide), zeros) - run(generator_graph(wide), zeros)
    assert np.abs(difference).max() <= 1


def test_generators_of_other_programs_keep_their_peculiarities(wide):
    scaled = dataclasses.replace(wide, has_first_norm=False, has_scale=True)
    given = latents(2)
    given[:, 0] = 0.5
    check_same_pictures(scaled, given)


def test_layers_take_the_tiles_that_pay_off(wide):
    graph = processor_graph(wide).graph
    kernels = {
        weight.name: weight.dims[0]
        for weight in graph.initializer
        if weight.name.endswith("kernel_map")
    }
    # Up to 16 pixels one product; then large tiles, and small ones that upsample until 64 pixels.
    assert kernels == {
        "convolution_1_kernel_map": 3**2,
        "convolution_3_kernel_map": 3**2,
        "convolution_5_kernel_map": 3**2,
        "convolution_6_kernel_map": 6**2,
        "convolution_7_kernel_map": 5**2,
        "convolution_8_kernel_map": 6**2,
    }
    assert sum(node.op_type == "Conv" for node in graph.node) == 4 + 1 + 2 + 1


def test_engines_make_one_operator_of_each_norm(wide, tmp_path):
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # an optimised file is for this machine alone, it warns
    onnxruntime.InferenceSession(
        processor_graph(wide).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    operators = [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]
    assert operators.count("SimplifiedLayerNormalization") == 1 + 9
    assert "ReduceMean" not in operators
    # The products' kernels are folded: none is computed when a face is drawn.
    names = {node.name for node in onnx.load(options.optimized_model_filepath).graph.node}
    assert not any("kernels" in name for name in names)


def test_the_file_is_no_larger_than_that_of_the_convolutions(wide):
    marks = {"t2f_version": "0"}
    files = generator_files(wide, marks)
    assert list(files) == [GENERATOR, PROCESSOR_GENERATOR]
    assert len(files[PROCESSOR_GENERATOR]) < 1.01 * len(files[GENERATOR])


def test_equal_weights_give_equal_bytes(wide):
    once, again = (processor_graph(wide).SerializeToString(deterministic=True) for _ in range(2))
    assert once == again


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ((128, 128, 128, 128), True),
        ((256, 256, 256, 64), False),
        ((128, 128, 128), False),
        ((96, 96, 96, 96, 48), False),
    ],
)
def test_wide_layers_of_many_pixels_make_it_worth_its_file(channels, expected):
    generator = freeze(*channels)
    assert is_quicker(generator) is expected
    assert (PROCESSOR_GENERATOR in generator_files(generator, {})) is expected


def test_the_kernel_before_fusing_is_found_again():
    torch.manual_seed(0)
    layer = UpsamplingConvolution(5, 7)
    kernel = layer.transposed_kernel().detach().numpy()
    expected = layer.scaled_weight().detach().numpy()
    np.testing.assert_allclose(undouble(kernel), expected, atol=1e-6)


def test_a_transposed_convolution_that_is_no_upsampling_has_no_other_form():
    kernel = np.random.default_rng(0).standard_normal((128, 128, 4, 4)).astype(np.float32)
    assert undouble(kernel) is None
    doubling = FrozenConvolution(kernel, np.zeros(128, np.float32), is_upsampling=True)
    first = FrozenConvolution(kernel[:, :, :3, :3], np.zeros(128, np.float32))
    generator = FrozenGenerator(
        dense=FrozenLinear(np.zeros((2048, 4), np.float32), np.zeros(2048, np.float32)),
        convolutions=(first, *[doubling, first] * 3),
        to_rgb=FrozenConvolution(kernel[:3, :, :1, :1], np.zeros(3, np.float32)),
    )
    assert generator.image_size == module.MINIMUM_SIDE
    assert not is_quicker(generator)
