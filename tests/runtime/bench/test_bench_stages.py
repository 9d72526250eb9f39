import itertools

import msgspec
import pytest

from t2f_runtime import Bundle
from t2f_runtime.bench.stages import (
    PARTS,
    StagedGenerator,
    described_faces,
    median_of,
)
from t2f_runtime.engines.opening import open_engine
from t2f_runtime.engines.prepared import EngineWish

ON_CPU = EngineWish(engine="onnx-cpu", precision="float32", threads=1)


def counting_clock():
    """Goes on by one second whenever it is looked at."""
    return itertools.count().__next__


def test_stages_are_told_apart_and_add_up_to_the_whole(tiny_bundle):
    staged = StagedGenerator(Bundle.open(tiny_bundle), ON_CPU, clock=counting_clock())
    seconds = staged.time_faces("a bald man", seed=7, batch=3)
    # Each network looks at the clock twice, and the caller four times.
    assert seconds == {
        "tokenise": 2, "encode": 1, "noise": 1, "draw": 1, "copy": 2, "whole": 7
    }  # fmt: skip
    assert sum(seconds[part] for part in PARTS) == seconds["whole"]


def test_a_model_without_text_encodes_nothing(textless_bundle):
    bundle = Bundle.open(textless_bundle)
    staged = StagedGenerator(bundle, ON_CPU, clock=counting_clock())
    assert described_faces(bundle) == [None]
    assert staged.time_faces(None, seed=7, batch=1)["encode"] == 0


def test_a_gpu_times_its_runs_itself(tiny_bundle, monkeypatch):
    class Session:
        gpu_seconds = None

        def __init__(self, inner):
            self._inner = inner

        def time_runs(self):
            self.gpu_seconds = 0.0

        def run(self, inputs):
            self.gpu_seconds += 0.25
            return self._inner.run(inputs)

    def open_on_gpu(bundle, wish):
        opened = open_engine(bundle, wish)
        return msgspec.structs.replace(opened, generator=Session(opened.generator))

    monkeypatch.setattr("t2f_runtime.bench.stages.open_engine", open_on_gpu)
    staged = StagedGenerator(Bundle.open(tiny_bundle), ON_CPU)
    assert staged.gpu_seconds == 0
    staged.time_faces("a bald man", seed=7, batch=3)
    assert staged.gpu_seconds == 0.25


def test_a_cpu_has_no_clock_of_a_gpu(tiny_bundle):
    staged = StagedGenerator(Bundle.open(tiny_bundle), ON_CPU)
    staged.time_faces("a bald man", seed=7, batch=1)
    assert staged.gpu_seconds is None


def test_what_is_timed_are_the_faces_that_a_generator_draws(tiny_bundle, generator, monkeypatch):
    staged = StagedGenerator(Bundle.open(tiny_bundle), ON_CPU)
    drawn = []
    draw = staged.generator.draw

    def keep(latents, **how):
        drawn.append((draw(latents, **how), how))
        return drawn[-1][0]

    monkeypatch.setattr(staged.generator, "draw", keep)
    staged.time_faces("a bald man", seed=7, batch=2)
    pictures, how = drawn[0]
    assert how == {"faces_per_run": 2}
    expected = generator.generate("a bald man", seed=7, count=2)
    assert abs(pictures.astype(int) - expected).max() <= 1


def test_the_bundles_own_descriptions_are_drawn(tiny_bundle, tiny_manifest):
    texts = described_faces(Bundle.open(tiny_bundle))
    assert texts
    assert set(texts) == {reference.description for reference in tiny_manifest.references}


def test_medians_are_taken_stage_by_stage():
    samples = [
        dict.fromkeys((*PARTS, "whole"), value) | {"draw": draw}
        for value, draw in ((1.0, 30.0), (2.0, 10.0), (9.0, 20.0))
    ]
    assert median_of(samples) == pytest.approx(
        {"tokenise": 2, "encode": 2, "noise": 2, "draw": 20, "copy": 2, "whole": 2}
    )
