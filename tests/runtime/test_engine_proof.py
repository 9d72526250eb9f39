"""What `t2f verify` runs beside ONNX Runtime on the CPU."""

import pytest

from t2f_runtime import EngineError, FaceGenerator, proof
from t2f_runtime.bundle import Bundle
from t2f_runtime.engine_probe import EngineState
from t2f_runtime.proof import GPU_ENGINES, NotRun, ProofRequest, prove


def state(name, *, works):
    return EngineState(
        name=name,
        works=works,
        version="1",
        device="cuda:0" if works else None,
        reason=None if works else "it is broken",
        repair=None if works else "mend it",
    )


@pytest.fixture
def bundle_on_gpu(tiny_bundle, monkeypatch):
    """A bundle on a machine where one engine works, and draws as the processor does."""

    def open_bundle(engine, *, fails=False):
        load = FaceGenerator.from_bundle

        def from_bundle(bundle, *, engine, **options):
            if engine != "onnx-cpu" and fails:
                raise EngineError(f"{engine} has no engine; build it with: t2f engine")
            return load(bundle, engine="onnx-cpu", **options)

        monkeypatch.setattr(proof, "probe_engine", lambda name: state(name, works=name == engine))
        monkeypatch.setattr(FaceGenerator, "from_bundle", from_bundle)
        return Bundle.open(tiny_bundle)

    return open_bundle


def test_every_engine_that_works_is_held_against_the_reference(bundle_on_gpu):
    found = prove(bundle_on_gpu("onnx-cuda"), ProofRequest(), lambda _: None)
    assert len(found.reports) == 2
    assert all(report.passes and report.faces == 3 for report in found.reports)
    assert found.not_run == tuple(
        NotRun(what=name, reason="it is broken") for name in GPU_ENGINES if name != "onnx-cuda"
    )


def test_an_engine_that_the_bundle_lacks_is_listed_with_what_builds_it(bundle_on_gpu):
    found = prove(bundle_on_gpu("tensorrt", fails=True), ProofRequest(), lambda _: None)
    assert len(found.reports) == 1
    reason = "tensorrt has no engine; build it with: t2f engine"
    assert found.not_run[0] == NotRun(what="tensorrt in float32", reason=reason)
