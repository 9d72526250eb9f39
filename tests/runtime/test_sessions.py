import os
import re
import sys

import numpy as np
import onnxruntime
import pytest

from t2f_runtime import EngineError
from t2f_runtime.manifest import GENERATOR, IMAGE, LATENT, TEXT_ENCODER, TOKENS
from t2f_runtime.sessions import open_session
from t2f_runtime.sessions.onnx_session import OnnxSession, usable_cpus
from t2f_runtime.text import pad


@pytest.fixture(scope="module")
def model(tiny_bundle):
    return (tiny_bundle / GENERATOR).read_bytes()


@pytest.fixture
def latents():
    return np.ones((2, 8), dtype=np.float32)


def test_a_session_maps_names_to_fresh_arrays(model, latents):
    session = open_session(model, engine="onnx-cpu", threads=None)
    first, second = session.run({LATENT: latents}), session.run({LATENT: latents})
    assert first.keys() == {IMAGE}
    assert first[IMAGE].dtype == np.uint8
    assert first[IMAGE].shape == (2, 8, 8, 3)
    assert not np.shares_memory(first[IMAGE], second[IMAGE])
    np.testing.assert_array_equal(first[IMAGE], second[IMAGE])


def test_the_number_of_threads_changes_nothing(model, latents):
    alone, several = (
        open_session(model, engine="onnx-cpu", threads=threads).run({LATENT: latents[:1]})[IMAGE]
        for threads in (1, 3)
    )
    np.testing.assert_array_equal(alone, several)


def test_padding_changes_nothing_about_a_row(tiny_bundle, tokenizer):
    model = (tiny_bundle / TEXT_ENCODER).read_bytes()
    session = open_session(model, engine="onnx-cpu", threads=1)
    short = tokenizer.tokens("a man")
    long = tokenizer.tokens("a smiling woman with long brown hair and glasses")
    together = session.run({TOKENS: pad([short, long])})
    alone = session.run({TOKENS: pad([short])})
    for name, values in alone.items():
        np.testing.assert_array_equal(together[name][:1], values)


@pytest.mark.parametrize("engine", ["tensorrt", "", "ONNX-CPU"])
def test_an_unknown_engine_is_refused_with_those_that_exist(model, engine):
    message = f"unknown engine {engine!r}; this T2F has: onnx-cpu"
    with pytest.raises(EngineError, match=re.escape(message)):
        open_session(model, engine=engine, threads=None)


def forget_onnx(monkeypatch):
    monkeypatch.delitem(sys.modules, "t2f_runtime.sessions.onnx_session", raising=False)


def test_a_missing_package_is_named_with_the_command_that_installs_it(model, monkeypatch):
    forget_onnx(monkeypatch)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    message = (
        "engine 'onnx-cpu' needs the package 'onnxruntime'; install it with: pip install 't2f[cpu]'"
    )
    with pytest.raises(EngineError, match=re.escape(message)):
        open_session(model, engine="onnx-cpu", threads=None)


def test_a_broken_package_is_named_with_its_own_error(model, monkeypatch, tmp_path):
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libgomp.so.1 is missing')")
    forget_onnx(monkeypatch)
    monkeypatch.delitem(sys.modules, "onnxruntime")
    monkeypatch.syspath_prepend(tmp_path)
    message = "the package 'onnxruntime' cannot be imported: libgomp.so.1 is missing; install it"
    with pytest.raises(EngineError, match=re.escape(message)):
        open_session(model, engine="onnx-cpu", threads=None)


@pytest.mark.parametrize("model", [b"", b"junk", b"\0" * 100])
def test_what_is_no_network_is_refused(model):
    with pytest.raises(EngineError, match=r"ONNX Runtime \S+ cannot load the network: .*upgrade"):
        open_session(model, engine="onnx-cpu", threads=None)


def test_a_network_that_cannot_run_is_told(model):
    session = open_session(model, engine="onnx-cpu", threads=None)
    with pytest.raises(EngineError, match="ONNX Runtime cannot run the network: "):
        session.run({LATENT: np.ones((1, 9), dtype=np.float32)})


def test_a_session_that_runs_elsewhere_than_asked_is_refused(model, monkeypatch):
    class Elsewhere:
        def __init__(self, *args, **kwargs): ...

        def get_providers(self):
            return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Elsewhere)
    with pytest.raises(EngineError, match=r"runs on \['CUDA.*CPUExecutionProvider was asked for"):
        OnnxSession(model, threads=None)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_only_cpus_that_the_process_may_use_are_counted():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert usable_cpus() == len(allowed)
