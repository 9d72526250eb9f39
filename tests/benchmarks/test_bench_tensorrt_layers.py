"""Layer timings of TensorRT: on stand-ins, on a machine without a GPU, and with the real library's
profiler as far as it goes without one."""

import argparse
import importlib
import json
import shutil
import sys
from pathlib import Path

import pytest
from engine_plans import ADA, add_engines, engine_of, fake_machine
from fake_tensorrt_names import VERSIONS

from t2f_runtime.engines.gpu import NoDevice
from t2f_runtime.engines.host import Host

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
ORDER = ["dense", "convolution 0", "convolution 1", "convolution 2", "to RGB"]
LAYERS = [
    ("Reformatting CopyNode for Input Tensor 0 to dense", 0.125),
    ("dense + PWN(dense_activated)", 0.25),
    ("convolution_0", 1.0),
    ("convolution_1 + convolution_2_mean", 2.0),
    ("__myl_CastMulCast_myl0_3", 0.5),
    ("image", 0.75),
]


@pytest.fixture
def layers(script):
    return script("tensorrt_layers")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A bundle as the exporter writes it, whose nodes tell their layers."""
    if not BENCHMARKS.is_dir():
        pytest.skip("the benchmarks are in the repository alone, not in the package")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(BENCHMARKS)
        sizes = importlib.import_module("network_model").Sizes(resolution=8, width=8)
        write = importlib.import_module("networks").write_network
        return write(tmp_path_factory.mktemp("network"), sizes) / "bundle"


@pytest.fixture
def options(network, tmp_path):
    bundle = Path(shutil.copytree(network, tmp_path / "bundle"))
    fields = {"precision": "float32", "device": 0, "rounds": 3, "resolution": 8, "width": 8}
    return argparse.Namespace(bundle=bundle, rate=1.0, bandwidth=10.0, **fields)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("convolution_1", ["convolution 1"]),
        ("convolution_1 + convolution_1_activated", ["convolution 1"]),
        ("PWN(convolution_2_root, convolution_2_normed)", ["convolution 2"]),
        ("convolution_2_mean + convolution_1", ["convolution 1", "convolution 2"]),
        ("{ForeignNode[dense...convolution_2_normed]}", ORDER[:4]),
        ("Reformatting CopyNode for Output Tensor 0 to image", ["to RGB"]),
        ("convolution_9", []),  # of another network
        ("__myl_CastMulCast_myl0_3", []),
    ],
)
def test_a_layer_of_an_engine_is_known_by_the_nodes_that_it_was_made_of(layers, name, found):
    assert layers.layers_in(name, ORDER) == found


def test_what_shares_a_layer_runs_together(layers):
    names = ["convolution_2 + convolution_1", "image", "convolution_1 + convolution_0", "other"]
    assert layers.fused(names, ORDER) == [ORDER[1:4], ["to RGB"]]


def test_times_and_costs_of_what_was_fused_are_added_up(layers, script):
    cost = script("graph_costs").LayerCost
    costs = [cost("dense", 1e9, 1e6, 1e6), cost("convolution 0", 3e9, 2e6, 0.0, "4 to 4")]
    runs = [
        {"dense + convolution_0": 5.0, "x": 1.0},
        {"dense + convolution_0": 7.0, "dense_y": 2.0},
    ]
    fused, unnamed = layers.layer_rows(costs, runs, layers.Rates(1e12, 1e9, "given"))
    assert (fused["name"], fused["description"]) == ("dense + convolution 0", "4 to 4")
    assert (fused["operations"], fused["ms"]) == (4e9, 7.0)  # 5 and 9
    assert fused["floor_ms"] == pytest.approx(4.0)  # 4 GFLOP at 1 TFLOPS; 4 MB at 1 GB/s
    assert (unnamed["name"], unnamed["floor_ms"], unnamed["ms"]) == (layers.UNNAMED, None, 0.5)
    assert layers.layer_rows(costs, runs, None)[0]["floor_ms"] is None


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_of_a_bundle_is_timed_layer_by_layer(layers, options, version):
    add_engines(options.bundle, version)
    machine = fake_machine(version, layers=LAYERS)
    found = layers.measure(engine_of(version), options, Path("unused"), machine)
    assert "not_run" not in found, found
    assert found["engine"] == f"{VERSIONS[version]} on cuda:0 {ADA.name} (sm_89), float32"
    assert found["rates"]["source"] == "given on the command line"
    ms = {row["name"]: row["ms"] for row in found["layers"]}
    assert ms["dense"] == 0.375
    assert ms["convolution 1 + convolution 2"] == 2.0
    assert ms[layers.UNNAMED] == 0.5
    assert all(row["floor_ms"] > 0 for row in found["layers"] if row["name"] != layers.UNNAMED)
    assert found["network_ms"]["count"] == found["profiled_ms"]["count"] == options.rounds


def test_a_bundle_without_engines_says_what_builds_them(layers, options):
    found = layers.measure("tensorrt", options, Path("unused"), fake_machine("tensorrt 11.4"))
    assert "has no TensorRT engine of its text_encoder in float32" in found["not_run"]
    assert f"t2f engine {options.bundle} --flavour tensorrt" in found["not_run"]


def test_a_machine_without_a_gpu_says_so_in_the_report(layers, script, tmp_path, monkeypatch):
    device = NoDevice("no NVIDIA driver is installed")
    monkeypatch.setattr(layers, "Host", lambda: Host(find_device=lambda _: device))
    monkeypatch.setattr(sys, "argv", ["tensorrt_layers.py", "--out", str(tmp_path)])
    layers.main()
    content = json.loads((tmp_path / "tensorrt_layers.json").read_text())
    assert [row["name"] for row in content["rows"]] == ["tensorrt", "tensorrt-rtx"]
    (section,) = [
        one
        for one in script("report_sections").sections_of({"tensorrt_layers": content})
        if one.key == "tensorrt_layers"
    ]
    assert "| tensorrt | not run: no NVIDIA driver is installed; draw with" in section.markdown()
    assert "| tensorrt-rtx | not run: no NVIDIA driver" in section.markdown()
    assert section.html().count("not run: no NVIDIA driver is installed") == 2


def test_the_report_shows_layers_with_and_without_a_floor(layers, options, script):
    add_engines(options.bundle, "tensorrt 10.3")
    machine = fake_machine("tensorrt 10.3", layers=LAYERS)
    found = layers.measure("tensorrt", options, Path("unused"), machine)
    section = script("tensorrt_section").tensorrt_section({"rows": [found]}, "a machine")
    table = section.markdown()
    assert "1.0 TFLOPS and 10 GB/s (given on the command line)" in table
    assert "| layer | shape | GFLOP | MiB | floor ms | ms | over it |" in table
    assert f"| {layers.UNNAMED} | 1 layers of the engine | 0.000 | 0.0 |  | 0.5000 |  |" in table
    found["rates"] = None
    section = script("tensorrt_section").tensorrt_section({"rows": [found]}, "a machine")
    assert "nothing is known of what this GPU can do, so there is no floor" in section.markdown()


def test_the_real_library_takes_our_profiler(layers):
    library = pytest.importorskip(
        "tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'"
    )
    runs = layers.Runs()
    profiler = layers.make_profiler(library, runs)
    runs.begin()
    profiler.report_layer_time("convolution_0", 0.5)
    library.IProfiler.report_layer_time(profiler, "convolution_0", 0.25)  # as the library calls it
    assert isinstance(profiler, library.IProfiler)
    assert runs.of_each == [{"convolution_0": 0.75}]
