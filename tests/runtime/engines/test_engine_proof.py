"""What `t2f verify` runs beside ONNX Runtime on the CPU."""

import pytest

from t2f_runtime import EngineError, FaceGenerator, proof
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.engines.probe import EngineState
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

    def open_bundle(engine, *, fails=False, lacks=None, opened=None):
        load = FaceGenerator.from_bundle

        def from_bundle(bundle, *, engine, device=0, **options):
            if opened is not None:
                opened.append((engine, device))
            if engine != "onnx-cpu" and fails:
                raise EngineError(f"{engine} has no engine; build it with: t2f engine")
            if options["precision"] == lacks:
                raise EngineError(f"{engine} has no {lacks}")
            return load(bundle, engine="onnx-cpu", **options)

        def probe(name, *, device):
            return state(name, works=name == engine)

        monkeypatch.setattr(proof, "probe_engine", probe)
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


def test_an_engine_that_is_named_draws_alone(bundle_on_gpu):
    opened = []
    bundle = bundle_on_gpu("onnx-tensorrt", opened=opened)
    found = prove(bundle, ProofRequest(engines=("onnx-tensorrt",)), lambda _: None)
    assert opened == [("onnx-tensorrt", 0)]
    assert (len(found.reports), found.not_run) == (1, ())


def test_named_engines_all_draw_and_those_on_a_gpu_on_the_one_named(
    bundle_on_gpu,
):
    opened = []
    bundle = bundle_on_gpu("onnx-cuda", opened=opened)
    names = ("onnx-cpu", "onnx-cuda")
    request = ProofRequest(engines=names, device=3)
    assert len(prove(bundle, request, lambda _: None).reports) == 2
    assert opened == [("onnx-cpu", 0), ("onnx-cuda", 3)]


def test_an_engine_that_is_named_and_cannot_draw_is_an_error_with_the_repair(bundle_on_gpu):
    bundle = bundle_on_gpu("onnx-cuda", fails=True)
    with pytest.raises(EngineError, match="tensorrt has no engine; build it with: t2f engine"):
        prove(bundle, ProofRequest(engines=("onnx-cpu", "tensorrt")), lambda _: None)


def test_a_precision_that_a_named_engine_lacks_is_listed_where_it_draws_another(
    bundle_on_gpu, monkeypatch
):
    bundle = bundle_on_gpu("tensorrt", lacks="float16")
    monkeypatch.setattr(proof, "precisions_of", lambda _: ["float32", "float16"])
    found = prove(bundle, ProofRequest(engines=("tensorrt",)), lambda _: None)
    assert [report.precision for report in found.reports] == ["float32"]
    assert found.not_run == (NotRun(what="tensorrt in float16", reason="tensorrt has no float16"),)
