"""The networks that are measured, what they cost by their graphs, and who draws the same."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from t2f_export.frozen_model import freeze_generator
from t2f_export.onnx_graph import generator_graph
from t2f_export.processor_graph import processor_graph
from t2f_runtime import FaceGenerator
from t2f_train.generator import Generator
from t2f_train.model import to_pixels

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
LATENT, CHANNELS = 6, (8, 4)
"""A generator of 8x8 pixels: dense, a convolution at 4x4, one that doubles, one at 8x8, RGB."""


@pytest.fixture
def graph():
    torch.manual_seed(0)
    generator = Generator(LATENT, CHANNELS).eval()
    return generator_graph(freeze_generator(generator, 1))


@pytest.fixture
def costs(script, graph):
    found = script("graph_costs").layer_costs(graph, {"latent": (1, LATENT)})
    return {cost.name: cost for cost in found}


def test_the_layers_are_counted_in_their_order(costs):
    names = ["dense", "convolution 0", "convolution 1", "convolution 2", "to RGB"]
    assert list(costs) == names
    assert costs["dense"].description == "6 to 128"
    assert costs["convolution 1"].description == "8 to 4, doubles 4x4"
    assert costs["convolution 2"].description == "4 to 4, 3x3 at 8x8"


def test_operations_are_those_of_the_formulas(costs):
    def norm(channels, pixels):
        # Leaky ReLU, square, mean as a convolution, offset, root, division.
        return pixels * (3 * channels + 2 * channels + 2)

    assert costs["dense"].operations == 2 * 6 * 128 + norm(8, 16)
    assert costs["convolution 0"].operations == 2 * 8 * 8 * 9 * 16 + norm(8, 16)
    # Each of 8x8 pixels meets four taps of every input channel.
    assert costs["convolution 1"].operations == 2 * 8 * 4 * 4 * 64 + norm(4, 64)
    assert costs["convolution 2"].operations == 2 * 4 * 4 * 9 * 64 + norm(4, 64)


def test_a_layer_moves_its_weights_its_input_and_its_output(costs):
    layer = costs["convolution 1"]
    # Four kernels of 2x2, the bias four times, the norm's share and epsilon, nothing else.
    assert layer.weight_bytes == 4 * (4 * (4 * 8 * 4) + 4 * 4 + 4 + 1)
    assert layer.activation_bytes == 4 * (8 * 16 + 4 * 64)
    assert costs["to RGB"].activation_bytes == 4 * 4 * 64 + 3 * 64


def test_twice_the_faces_take_twice_the_operations_and_no_more_weights(script, graph, costs):
    twice = script("graph_costs").layer_costs(graph, {"latent": (2, LATENT)})
    for cost in twice:
        assert cost.operations == 2 * costs[cost.name].operations
        assert cost.weight_bytes == costs[cost.name].weight_bytes


def test_the_floor_is_the_slower_of_computing_and_moving(script):
    cost = script("graph_costs").LayerCost("x", operations=100.0, weight_bytes=30.0)
    assert cost.floor_seconds(10.0, 10.0) == 10.0
    assert cost.floor_seconds(100.0, 10.0) == 3.0


def test_a_graph_of_other_names_is_refused(script, graph):
    graph.graph.node[3].name = "stranger"
    with pytest.raises(ValueError, match="node 'stranger' belongs to no layer"):
        script("graph_costs").layer_costs(graph, {"latent": (1, LATENT)})


def test_the_profile_of_a_run_is_mapped_to_layers_and_kinds(script):
    names = [
        ("dense", "Gemm", 5),
        ("first_normed", "Div", 2),
        ("ReorderInput_token_4", "ReorderInput", 3),
        ("convolution_10_active_nchwc", "Conv", 40),
        ("convolution_10_mean_nchwc", "Conv", 4),
        ("convolution_1_parts", "Concat", 6),
        ("convolution_8_gathered", "Gather", 4),
        ("convolution_8_pixels_mapped", "MatMul", 10),
        ("convolution_8_product", "MatMul", 9),
        ("convolution_8_results_mapped", "MatMul", 20),
        ("convolution_8_normed/SimplifiedLayerNormFusion/", "SimplifiedLayerNormalization", 11),
        ("clipped_nchwc", "Conv", 7),
        ("image", "Cast", 1),
    ]
    events = [
        {"name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": {"op_name": operator}}
        for ts, (name, operator, dur) in enumerate(names)
    ]
    times = script("roofline").layer_times(list(reversed(events)))
    nothing = dict.fromkeys(script("roofline").KINDS, 0)
    assert times["dense"] == {**nothing, "product": 5, "norm": 2, "moving": 3}
    assert times["convolution 10"] == {**nothing, "product": 40, "norm": 4}
    assert times["convolution 1"]["moving"] == 6
    assert times["convolution 8"] == {
        "product": 9,
        "tiles": 30,
        "norm": 11,
        "moving": 4,
        "other": 0,
    }
    assert times["to RGB"] == {**nothing, "product": 7, "other": 1}


def test_a_rounds_floor_is_by_the_quickest_product_and_the_memory_of_that_round(script):
    roofline = script("roofline")
    cost = script("graph_costs").LayerCost("a", operations=100.0, weight_bytes=8.0)
    found = roofline.Timed(
        products={"one": [1.0, 2.0], "two": [4.0, 4.0]},
        operations={"one": 100.0, "two": 800.0},
        memory=[1.0, 8.0],
        network=[1.0, 2.0],
        profiled=[],
        runs=[],
    )
    floors = roofline.floors_of([cost], found, 8.0)
    assert floors == [[1.0], [8.0]]
    assert roofline.over_floor(found.network, floors)["greatest"] == 1.0


def test_every_estimate_says_that_it_is_one_and_where_it_is_from(script, costs):
    rows = script("roofline").estimates(list(costs.values()))
    assert len(rows) == len(script("boards").BOARDS) >= 4
    for row in rows:
        assert row["is_estimate"]
        assert row["source"].startswith("NVIDIA, ")
        assert 0 < row["float16_ms"] < row["float32_ms"]


@pytest.fixture
def tiled():
    torch.manual_seed(0)
    return processor_graph(freeze_generator(Generator(LATENT, (64, 64, 64)).eval(), 2))


def test_the_form_for_processors_is_counted_as_it_is_computed(script, tiled):
    found = script("graph_costs").layer_costs(tiled, {"latent": (1, LATENT)})
    costs = {cost.name: cost for cost in found}
    assert list(costs) == ["dense", *(f"convolution {n}" for n in range(5)), "to RGB"]

    def norm(pixels):
        # Bias, leaky ReLU, square, mean, division, ones: a value each; the offset and the root.
        return pixels * (6 * 64 + 2)

    # One product of all that a kernel meets.
    assert costs["convolution 0"].operations == 2 * 9 * 64 * 64 * 16 + norm(16)
    # 16 tiles of 3x3 products, and the matrices from 3x3 pixels and to 2x2 results.
    maps = 2 * 16 * 64 * (9 * 9 + 9 * 4)
    assert costs["convolution 1"].operations == 2 * 9 * 64 * 64 * 16 + maps + norm(64)
    # What is folded is no operation, and is read once, as large as it is then.
    kernels = 4 * 9 * 64 * 64
    assert kernels < costs["convolution 1"].weight_bytes < 1.1 * kernels


def test_the_plain_form_draws_what_the_fused_one_draws(script):
    torch.manual_seed(0)
    generator = Generator(LATENT, CHANNELS).eval()
    latent = torch.randn(3, LATENT)
    with torch.no_grad():
        plain = script("plain_form").PlainGenerator(generator, 1)(latent)
        torch.testing.assert_close(plain, generator(latent, 1), rtol=1e-4, atol=1e-5)


@pytest.fixture
def network(script, tmp_path):
    sizes = script("network_model").Sizes(resolution=8, width=16)
    return script("networks").write_network(tmp_path / "network", sizes)


@pytest.mark.slow
def test_torch_draws_from_the_weights_what_the_bundle_draws(script, network):
    model, tokenizer, sizes = script("network_model").load_model(network)
    files = script("network_files")
    expected = FaceGenerator.load(network / files.BUNDLE, engine="onnx-cpu", threads=1).generate(
        files.DESCRIPTION, seed=7
    )
    tokens = torch.from_numpy(tokenizer.tokens(files.DESCRIPTION))[None]
    size = model.generator.latent_size
    noise = torch.from_numpy(script("drawing_side").draw_noise(7, size))[None]
    with torch.no_grad():
        drawn = model(tokens, *noise.split(model.condition_size, dim=1), sizes.depth)
    found = to_pixels(drawn)[0].numpy()
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_the_plain_export_draws_the_same_in_a_process_without_torch(script, network):
    files = script("network_files")
    expected = FaceGenerator.load(network / files.BUNDLE, engine="onnx-cpu", threads=1).generate(
        files.DESCRIPTION, seed=7
    )
    program = f"""
import sys
sys.path.insert(0, {str(BENCHMARKS)!r})
from pathlib import Path
from peer_sides import PLAIN, SIDES
draw, _ = SIDES[PLAIN].open(Path(sys.argv[1]), 1)
sys.stdout.buffer.write(draw({files.DESCRIPTION!r}, 7).tobytes())
assert "torch" not in sys.modules
"""
    done = subprocess.run(
        [sys.executable, "-c", program, network], check=True, stdout=subprocess.PIPE
    )
    found = np.frombuffer(done.stdout, np.uint8).reshape(expected.shape)
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_a_network_that_is_there_is_not_made_again(script, network):
    before = (network / "weights.pt").stat().st_mtime_ns
    sizes = script("network_model").Sizes(resolution=8, width=16)
    assert script("networks").write_network(network, sizes) == network
    assert (network / "weights.pt").stat().st_mtime_ns == before


@pytest.mark.slow
def test_texts_of_every_length_are_found(script, network):
    _, tokenizer, _ = script("network_model").load_model(network)
    text_of = script("growth_side").text_of
    for length in (1, 8, 512):
        assert len(tokenizer.tokens(text_of(tokenizer, length))) == length


def test_an_evaluation_of_other_weights_is_refused(script, tmp_path):
    quality = script("quality")
    evaluation = tmp_path / "evaluation.json"
    row = {"key": "swd", "drawn": 21.5, "real": 10.7, "chance": None, "count": 500}
    content = {"weights_sha256": "ab" * 32, "measures": [row, {**row, "key": "unknown"}]}
    evaluation.write_text(json.dumps(content))
    found = quality.measures_of(evaluation, "ab" * 32)
    assert found == {"swd": {"drawn": 21.5, "real": 10.7, "chance": None}}
    with pytest.raises(SystemExit, match="is of the weights abababababab, the bundle has cdcdcd"):
        quality.measures_of(evaluation, "cd" * 32)
    beside = {"name": "int8", "measures": [{**row, "drawn": 30.5}]}
    evaluation.write_text(json.dumps({**content, "beside": beside}))
    found = quality.measures_of(evaluation, "ab" * 32, "int8")
    assert found == {"swd": {"drawn": 30.5, "real": 10.7, "chance": None}}
    with pytest.raises(SystemExit, match="has int8 beside the run; draw what it asks for with"):
        quality.measures_of(evaluation, "ab" * 32, "float16")
    evaluation.write_text(json.dumps({**content, "beside": None}))
    with pytest.raises(SystemExit, match="has nothing beside the run"):
        quality.measures_of(evaluation, "ab" * 32, "int8")
    evaluation.write_text("{}")
    with pytest.raises(SystemExit, match="is no evaluation of `t2f evaluate`"):
        quality.measures_of(evaluation, "ab" * 32)


def test_a_bundle_may_have_an_evaluation_for_each_precision(script):
    quality = script("quality")
    (model,) = quality.read_models([["a", "b", "c"], ["a", "b", "d", "int8"]])
    assert {name: str(path) for name, path in model.evaluations.items()} == {
        "float32": "c",
        "int8": "d",
    }
    with pytest.raises(SystemExit, match="--of wants LABEL BUNDLE EVALUATION"):
        quality.read_models([["a", "b"]])
