from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from onnxruntime.capi import onnxruntime_pybind11_state

from t2f_runtime import BundleError, EngineError
from t2f_runtime.bundle.manifest import GENERATOR, IMAGE, LATENT, TEXT_ENCODER, TOKENS
from t2f_runtime.sessions import onnx_session
from t2f_runtime.sessions.onnx_session import OnnxSession
from t2f_runtime.text.tokenizer import pad


def open_openvino(model, *, threads):
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 't2f[openvino]'")
    from t2f_runtime.sessions.openvino_session import OpenVinoSession  # noqa: PLC0415

    return OpenVinoSession(model, threads=threads)


@pytest.fixture(params=[OnnxSession, open_openvino], ids=["onnx-cpu", "openvino"])
def open_session(request):
    """Opens a network in each engine on the CPU."""
    return request.param


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return (tiny_bundle / GENERATOR).read_bytes()


@pytest.fixture
def latents():
    return np.ones((2, 8), dtype=np.float32)


def test_a_session_maps_names_to_fresh_arrays(open_session, model, latents):
    session = open_session(model, threads=None)
    first, second = session.run({LATENT: latents}), session.run({LATENT: latents})
    assert first.keys() == {IMAGE}
    assert first[IMAGE].dtype == np.uint8
    assert first[IMAGE].shape == (2, 8, 8, 3)
    assert not np.shares_memory(first[IMAGE], second[IMAGE])
    np.testing.assert_array_equal(first[IMAGE], second[IMAGE])


def test_the_number_of_threads_changes_nothing(open_session, model, latents):
    alone, several = (
        open_session(model, threads=threads).run({LATENT: latents[:1]})[IMAGE] for threads in (1, 3)
    )
    np.testing.assert_array_equal(alone, several)


def test_padding_changes_nothing_about_a_row(tiny_bundle, tokenizer):
    model = (tiny_bundle / TEXT_ENCODER).read_bytes()
    session = OnnxSession(model, threads=1)
    short = tokenizer.tokens("a man")
    long = tokenizer.tokens("a smiling woman with long brown hair and glasses")
    together = session.run({TOKENS: pad([short, long])})
    alone = session.run({TOKENS: pad([short])})
    for name, values in alone.items():
        np.testing.assert_array_equal(together[name][:1], values)


def test_openvino_reads_descriptions_as_onnx_runtime_does_whatever_came_before(
    tiny_bundle, tokenizer
):
    model = (tiny_bundle / TEXT_ENCODER).read_bytes()
    session, expected = open_openvino(model, threads=1), OnnxSession(model, threads=1)
    texts = ["a man", "a smiling woman with long brown hair and glasses", "x", "a man"]
    for text in texts:
        row = {TOKENS: tokenizer.tokens(text)[np.newaxis]}
        given = session.run(row)
        for name, values in expected.run(row).items():
            np.testing.assert_allclose(given[name], values, atol=1e-5)
    with pytest.raises(EngineError, match="reads the padding of descriptions as words; give it"):
        session.run({TOKENS: pad([tokenizer.tokens(text) for text in texts])})


@pytest.mark.parametrize("model", [b"", b"junk", b"\0" * 100])
def test_what_is_no_network_is_refused(open_session, model):
    with pytest.raises(EngineError, match=r"(?s)\S+ cannot load the network: .*upgrade"):
        open_session(model, threads=None)


def test_a_network_that_cannot_run_is_told(open_session, model):
    session = open_session(model, threads=None)
    with pytest.raises(EngineError, match="cannot run the network: "):
        session.run({LATENT: np.ones((1, 9), dtype=np.float32)})


def test_a_session_that_runs_elsewhere_than_asked_is_refused(model, monkeypatch):
    class Elsewhere:
        outputs_meta = ()

        def __init__(self, *args): ...

        def initialize_session(self, *args): ...

        def get_providers(self):
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime_pybind11_state, "InferenceSession", Elsewhere)
    with pytest.raises(EngineError, match=r"runs on \['CUDA.*CPUExecutionProvider was asked for"):
        OnnxSession(model, threads=None)


def test_a_loaded_network_holds_nothing_of_its_file(model, latents):
    let_go = []

    class Content(bytes):
        def __del__(self):
            let_go.append(len(self))

    session = OnnxSession(lambda: Content(model), threads=1)
    assert let_go == [len(model)]
    expected = OnnxSession(model, threads=1).run({LATENT: latents})[IMAGE]
    np.testing.assert_array_equal(session.run({LATENT: latents})[IMAGE], expected)


@pytest.mark.parametrize("missing", ["initialize_session", "outputs_meta"])
def test_a_release_with_another_inner_session_draws_with_the_public_one(
    model, latents, monkeypatch, missing
):
    expected = OnnxSession(model, threads=1).run({LATENT: latents})[IMAGE]

    class Other:
        outputs_meta = ()

        def __init__(self, *args): ...

        def initialize_session(self, *args): ...

    delattr(Other, missing)
    # The public session took its own name for this class when it was imported.
    monkeypatch.setattr(onnx_session, "inner", SimpleNamespace(InferenceSession=Other))
    session = OnnxSession(lambda: model, threads=1)
    np.testing.assert_array_equal(session.run({LATENT: latents})[IMAGE], expected)
    with pytest.raises(EngineError, match="cannot load the network: "):
        OnnxSession(b"junk", threads=1)


def test_a_file_that_cannot_be_read_is_told_as_it_is():
    def read():
        raise BundleError("it is missing")

    with pytest.raises(BundleError, match="it is missing"):
        OnnxSession(read, threads=1)


def test_many_threads_draw_the_same_bytes_as_one(open_session, model):
    session = open_session(model, threads=1)
    latents = np.random.default_rng(0).standard_normal((64, 1, 8)).astype(np.float32)
    alone = [session.run({LATENT: row})[IMAGE] for row in latents]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda row: session.run({LATENT: row})[IMAGE], latents))
    np.testing.assert_array_equal(together, alone)


def test_a_damaged_network_prints_nothing_where_hosts_read_answers(model, capfd):
    # ONNX Runtime's reason is then no UTF-8, after which it would try again, and say so aloud.
    name = bytearray(model)
    name[model.index(b"Gemm")] = 0xFC
    for content in (bytes(name), model[:50], b"junk"):
        with pytest.raises(EngineError, match="cannot load the network"):
            OnnxSession(content, threads=1)
    assert capfd.readouterr().out == ""
