"""Sessions of TensorRT on stand-ins for it and for CUDA, in three versions."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from engine_plans import flavour_of, plan_of, profile_of
from fake_cuda import FakeCuda, Status
from fake_tensorrt import fake_library
from fake_tensorrt_names import VERSIONS
from fake_tensorrt_running import answer

from t2f_runtime import EngineError
from t2f_runtime.bundle.manifest import (
    CONDITION_LOG_VARIANCE,
    CONDITION_MEAN,
    IMAGE,
    LATENT,
    TOKENS,
)
from t2f_runtime.engines.cuda import Cuda
from t2f_runtime.engines.plan import LoadedPlan
from t2f_runtime.sessions.tensorrt_session import TensorrtSession

TENSORRT = [version for version in VERSIONS if flavour_of(version) == "tensorrt"]
RTX = "tensorrt_rtx 1.7"


@pytest.fixture
def cuda():
    return FakeCuda()


@pytest.fixture
def graphs(tiny_manifest):
    return tiny_manifest.graphs["float32"]


@pytest.fixture
def open_network(cuda, graphs):
    """Opens a network in a version; gives the session and the contexts of the stand-in."""

    def open_network(version, network="generator", *, profiler=None, on=None, **behaviour):
        graph = getattr(graphs, network)
        gpu = on or Cuda(cuda, 0)
        library = fake_library(version, cuda=gpu._runtime, **behaviour)
        plan = LoadedPlan(
            library,
            plan_of(version, graph),
            name="TensorRT",
            is_version_compatible=False,
            weights=None,
        )
        session = TensorrtSession(
            library,
            plan,
            flavour=flavour_of(version),
            graph=graph,
            profile=profile_of(graph),
            cuda=gpu,
            profiler=profiler,
        )
        return session, library.Runtime._behaviour.contexts

    return open_network


def latent(seed=0, batch=1):
    return np.random.default_rng(seed).standard_normal((batch, 8)).astype(np.float32)


def picture_of(latents):
    return answer({LATENT: latents}, IMAGE, (len(latents), 8, 8, 3), np.uint8)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_maps_names_to_fresh_arrays(open_network, version):
    session, _ = open_network(version)
    given = [session.run({LATENT: latent(seed)})[IMAGE] for seed in (1, 2, 1)]
    assert given[0].dtype == np.uint8
    np.testing.assert_array_equal(given[0], picture_of(latent(1)))
    np.testing.assert_array_equal(given[1], picture_of(latent(2)))
    np.testing.assert_array_equal(given[2], given[0])
    given[2][:] = 0
    np.testing.assert_array_equal(given[0], picture_of(latent(1)))
    assert all(array.flags.owndata for array in given)


@pytest.mark.parametrize("version", VERSIONS)
def test_descriptions_of_every_length_have_the_outputs_that_they_have_alone(
    open_network, cuda, version
):
    session, _ = open_network(version, "text_encoder")
    lengths = [3, 64, 1, 17, 64, 3]
    for length in lengths:
        tokens = np.arange(length, dtype=np.int64)[np.newaxis]
        outputs = session.run({TOKENS: tokens})
        for name in (CONDITION_MEAN, CONDITION_LOG_VARIANCE):
            expected = answer({TOKENS: tokens}, name, (1, 4), np.float32)
            np.testing.assert_array_equal(outputs[name], expected)
    assert cuda.replays == 0  # a record is of one shape


def test_memory_grows_to_the_longest_description_and_no_further(open_network, cuda):
    session, _ = open_network("tensorrt 10.3", "text_encoder")
    session.run({TOKENS: np.ones((1, 64), dtype=np.int64)})
    taken = cuda.calls.count("cudaMalloc")
    most = cuda.most_bytes
    for length in range(1, 65):
        session.run({TOKENS: np.ones((1, length), dtype=np.int64)})
    assert cuda.calls.count("cudaMalloc") == taken
    assert cuda.most_bytes == most == 64 * 8 + 2 * 4 * 4


@pytest.mark.parametrize("version", TENSORRT)
def test_faces_after_the_second_are_one_record_played_again(open_network, cuda, version):
    session, _ = open_network(version)
    for seed in range(6):
        np.testing.assert_array_equal(
            session.run({LATENT: latent(seed)})[IMAGE], picture_of(latent(seed))
        )
    assert cuda.replays == 5
    assert cuda.calls.count("cudaStreamBeginCapture") == 1
    assert cuda.calls.count("cudaMemcpyAsync") == 4  # two of the first run, two recorded


@pytest.mark.parametrize("version", TENSORRT)
def test_another_shape_is_recorded_anew(open_network, cuda, version):
    session, _ = open_network(version)
    for batch in (1, 1, 4, 4, 4, 1):
        expected = picture_of(latent(3, batch))
        np.testing.assert_array_equal(session.run({LATENT: latent(3, batch)})[IMAGE], expected)
    assert cuda.calls.count("cudaStreamBeginCapture") == 2
    session.close()
    assert cuda.held == (0, 0, 0, 0)


@pytest.mark.parametrize("version", TENSORRT)
def test_an_engine_that_cannot_be_recorded_draws_without_and_says_so(
    open_network, cuda, version, caplog
):
    session, _ = open_network(version, forbids_capture=True)
    for seed in range(4):
        np.testing.assert_array_equal(
            session.run({LATENT: latent(seed)})[IMAGE], picture_of(latent(seed))
        )
    assert cuda.replays == 0
    assert cuda.calls.count("cudaStreamBeginCapture") == 1
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "drawing without a CUDA graph, which is slower"
    ]
    session.close()
    assert cuda.held == (0, 0, 0, 0)


def test_tensorrt_for_rtx_records_by_itself_and_keeps_to_the_kernels_it_begins_with(
    open_network, cuda
):
    configs = {}
    for network in ("generator", "text_encoder"):
        _, contexts = open_network(RTX, network)
        configs[network] = contexts[0]._config
    assert configs["generator"].cuda_graph_strategy.name == "WHOLE_GRAPH_CAPTURE"
    assert configs["text_encoder"].cuda_graph_strategy.name == "DISABLED"
    kernels = "dynamic_shapes_kernel_specialization_strategy"
    assert getattr(configs["generator"], kernels).name == "EAGER"
    assert getattr(configs["text_encoder"], kernels).name == "NONE"
    session, _ = open_network(RTX)
    for _ in range(3):
        session.run({LATENT: latent()})
    assert "cudaStreamBeginCapture" not in cuda.calls


@pytest.mark.parametrize("version", VERSIONS)
def test_many_threads_draw_what_one_does_and_take_turns(open_network, version):
    session, contexts = open_network(version)
    latents = [latent(seed) for seed in range(200)]
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda row: session.run({LATENT: row})[IMAGE], latents))
    for row, picture in zip(latents, given, strict=True):
        np.testing.assert_array_equal(picture, picture_of(row))
    assert contexts[0]._clashes == 0


@pytest.mark.parametrize("version", VERSIONS)
def test_the_gpu_times_runs_where_that_is_asked(open_network, cuda, version):
    session, _ = open_network(version)
    session.run({LATENT: latent()})
    assert session.gpu_seconds is None
    assert "cudaEventRecord" not in cuda.calls
    session.time_runs()
    for seed in range(4):  # the stand-in's clock goes on by 5 ms whenever a mark is passed
        expected = picture_of(latent(seed))
        np.testing.assert_array_equal(session.run({LATENT: latent(seed)})[IMAGE], expected)
        assert session.gpu_seconds == 0.005
    assert len(cuda.marks) == 2
    session.close()
    assert cuda.held == (0, 0, 0, 0)


def test_every_thread_is_told_which_gpu_it_works_on(open_network, cuda):
    session, _ = open_network("tensorrt 11.4")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(session.run({LATENT: latent(5)})))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(answers[0][IMAGE], picture_of(latent(5)))


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_taken_is_given_back_once(open_network, cuda, version):
    session, _ = open_network(version)
    for _ in range(3):
        session.run({LATENT: latent()})
    assert cuda.held[:3] == (2, 2, 1)
    session.close()
    assert cuda.held == (0, 0, 0, 0)
    session.close()
    with pytest.raises(EngineError, match="this session is closed; load the bundle again"):
        session.run({LATENT: latent()})


def test_a_session_that_is_dropped_gives_everything_back(open_network, cuda):
    session, _ = open_network("tensorrt 10.3")
    for _ in range(3):
        session.run({LATENT: latent()})
    del session
    gc.collect()
    assert cuda.held == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "the network takes latent, not "),
        ({"tokens": latent()}, "the network takes latent, not tokens"),
        ({LATENT: latent().astype(np.float64)}, r"latent is float64 \(1, 8\); the engine takes"),
        ({LATENT: latent(batch=17)}, r"\(17, 8\); the engine takes float32 from \(1, 8\) to \(16"),
        ({LATENT: latent()[0]}, r"latent is float32 \(8,\); the engine takes"),
        ({LATENT: latent()[:, :7]}, r"latent is float32 \(1, 7\); the engine takes"),
    ],
)
def test_what_an_engine_was_not_built_for_is_refused_before_cuda_is_touched(
    open_network, cuda, inputs, message
):
    session, _ = open_network("tensorrt 10.3")
    before = len(cuda.calls)
    with pytest.raises(EngineError, match=message):
        session.run(inputs)
    assert len(cuda.calls) == before
    np.testing.assert_array_equal(session.run({LATENT: latent()})[IMAGE], picture_of(latent()))


def test_an_array_that_is_not_contiguous_is_read_as_it_says(open_network):
    session, _ = open_network("tensorrt 10.3")
    wide = np.random.default_rng(0).standard_normal((1, 16)).astype(np.float32)
    expected = picture_of(np.ascontiguousarray(wide[:, ::2]))
    np.testing.assert_array_equal(session.run({LATENT: wide[:, ::2]})[IMAGE], expected)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_engine_that_fails_to_run_is_told_in_the_librarys_words(open_network, version):
    session, _ = open_network(version, fails_to_run=True)
    with pytest.raises(EngineError, match="the engine does not run: enqueueV3: no"):
        session.run({LATENT: latent()})


@pytest.mark.parametrize("call", ["cudaMalloc", "cudaHostAlloc", "cudaMemcpyAsync"])
def test_a_failing_call_of_cuda_is_named_with_its_status_and_the_next_run_begins_anew(
    open_network, cuda, call
):
    session, _ = open_network("tensorrt 11.4")
    cuda.errors[call] = Status.cudaErrorMemoryAllocation
    message = rf"CUDA answers {call} on GPU 0 with cudaErrorMemoryAllocation \(what cudaErrorMemory"
    with pytest.raises(EngineError, match=message):
        session.run({LATENT: latent()})
    cuda.errors.clear()
    np.testing.assert_array_equal(session.run({LATENT: latent()})[IMAGE], picture_of(latent()))
    session.close()
    assert cuda.held == (0, 0, 0, 0)


def test_an_error_of_the_gpu_is_found_when_it_is_waited_for(open_network, cuda):
    session, _ = open_network("tensorrt 10.3")
    session.run({LATENT: latent()})
    cuda.is_broken = True
    with pytest.raises(EngineError, match=r"answers cudaStreamSynchronize .*LaunchFailure"):
        session.run({LATENT: latent()})


@pytest.mark.parametrize("version", VERSIONS)
def test_a_gpu_without_memory_for_the_engine_is_told(open_network, version):
    with pytest.raises(EngineError, match="the GPU has no memory to run it: OutOfMemory"):
        open_network(version, lacks_memory=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_leaves_the_thread_the_gpu_that_it_had(open_network, version):
    cuda = FakeCuda(devices=2)
    cuda.cudaSetDevice(1)
    session, _ = open_network(version, on=Cuda(cuda, 0))
    assert cuda.cudaGetDevice() == (Status.cudaSuccess, 1)
    session.run({LATENT: latent()})
    assert cuda.cudaGetDevice() == (Status.cudaSuccess, 1)
    del session
    gc.collect()
    assert cuda.held == (0, 0, 0, 0)
    assert cuda.cudaGetDevice() == (Status.cudaSuccess, 1)


@pytest.mark.parametrize("call", ["cudaGraphExecDestroy", "cudaFreeHost", "cudaStreamDestroy"])
def test_what_cannot_be_given_back_does_not_keep_the_rest(open_network, cuda, call):
    session, _ = open_network("tensorrt 10.3")
    for _ in range(3):
        session.run({LATENT: latent()})
    cuda.errors[call] = Status.cudaErrorLaunchFailure
    with pytest.raises(EngineError, match=f"CUDA answers {call} on GPU 0"):
        session.close()
    assert cuda.on_gpu == {}
    assert {name for name in ("cudaFreeHost", "cudaStreamDestroy") if name in cuda.calls} == {
        "cudaFreeHost",
        "cudaStreamDestroy",
    }


def test_a_run_that_fails_leaves_no_copy_under_way(open_network, cuda):
    session, _ = open_network("tensorrt 11.4", "text_encoder", fails_to_run=True)
    with pytest.raises(EngineError, match="the engine does not run"):
        session.run({TOKENS: np.ones((1, 3), dtype=np.int64)})
    assert [stream.work for stream in cuda.streams.values()] == [[]]
    with pytest.raises(EngineError, match="the engine does not run"):
        session.run({TOKENS: np.ones((1, 64), dtype=np.int64)})  # in memory of another size
    assert not cuda.is_broken


def test_a_record_that_cannot_be_begun_is_done_without(open_network, cuda, caplog):
    session, _ = open_network("tensorrt 11.4")
    cuda.errors["cudaStreamBeginCapture"] = Status.cudaErrorStreamCaptureUnsupported
    for seed in range(3):
        np.testing.assert_array_equal(
            session.run({LATENT: latent(seed)})[IMAGE], picture_of(latent(seed))
        )
    assert cuda.calls.count("cudaStreamBeginCapture") == 1
    assert "drawing without a CUDA graph" in caplog.text


@pytest.mark.parametrize("version", VERSIONS)
def test_a_closed_session_lets_its_engine_go(open_network, version):
    session, contexts = open_network(version)
    session.run({LATENT: latent()})
    engine = weakref.ref(contexts.pop()._engine)
    assert engine() is not None
    session.close()
    gc.collect()
    assert engine() is None


@pytest.mark.parametrize("version", VERSIONS)
def test_a_profiler_is_told_what_layers_take_and_nothing_is_recorded(open_network, cuda, version):
    told = []
    profiler = SimpleNamespace(report_layer_time=lambda name, ms: told.append((name, ms)))
    layers = [("convolution_0", 0.25), ("image", 0.5)]
    session, contexts = open_network(version, profiler=profiler, layers=layers)
    for seed in range(3):
        np.testing.assert_array_equal(
            session.run({LATENT: latent(seed)})[IMAGE], picture_of(latent(seed))
        )
    assert told == 3 * layers
    assert "cudaStreamBeginCapture" not in cuda.calls
    config = contexts[0]._config
    assert config is None or config.cuda_graph_strategy.name == "DISABLED"


def test_an_engine_of_another_network_is_refused(cuda, graphs):
    library = fake_library("tensorrt 10.3", cuda=cuda)
    plan = LoadedPlan(
        library,
        plan_of("tensorrt 10.3", graphs.text_encoder),
        name="TensorRT",
        is_version_compatible=False,
        weights=None,
    )
    with pytest.raises(EngineError, match=r"it has the tensors tokens .*; the network has latent"):
        TensorrtSession(
            library,
            plan,
            flavour="tensorrt",
            graph=graphs.generator,
            profile=profile_of(graphs.generator),
            cuda=Cuda(cuda, 0),
        )
