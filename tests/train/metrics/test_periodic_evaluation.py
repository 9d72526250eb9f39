from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_training import tiny_config

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.pyramid import ImagePyramid
from t2f_train.metrics.ms_ssim import diversity
from t2f_train.metrics.periodic import PeriodicEvaluation
from t2f_train.model import FaceModel
from t2f_train.schedule import Schedule
from t2f_train.tokenizer import train_tokenizer

COUNT = 24


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    levels = {side: rng.integers(0, 256, (COUNT, side, side, 3), dtype=np.uint8) for side in (4, 8)}
    faces = [
        CaptionedFace(Path(f"{n}.png"), (f"face number {n}",) if n % 4 else ())
        for n in range(COUNT)
    ]
    return faces, ImagePyramid(levels, "fingerprint")


def conditional(faces):
    texts = [text for face in faces for text in face.descriptions]
    tokenizer = Tokenizer(train_tokenizer(texts, 300), maximum_tokens=32)
    torch.manual_seed(0)
    return FaceModel(tiny_config(), tokenizer.vocabulary_size), tokenizer


def moments():
    schedule = Schedule(tiny_config().phases)
    return schedule.at(0), schedule.at(schedule.total_steps)


def test_the_numbers_are_those_of_the_moments_resolution(data):
    model, tokenizer = conditional(data[0])
    evaluation = PeriodicEvaluation(*data, tokenizer, seed=1)
    first, last = moments()
    assert set(evaluation.measure(model, first)) == {"swd", "swd_4", "ms_ssim", "ms_ssim_real"}
    found = evaluation.measure(model, last)
    assert set(found) == {"swd", "swd_8", "ms_ssim", "ms_ssim_real"}
    assert found["swd"] == found["swd_8"] > 0


def test_the_same_weights_always_give_the_same_numbers(data):
    model, tokenizer = conditional(data[0])
    _, last = moments()
    found = PeriodicEvaluation(*data, tokenizer, seed=1).measure(model, last)
    torch.manual_seed(99)
    assert PeriodicEvaluation(*data, tokenizer, seed=1).measure(model, last) == found
    assert PeriodicEvaluation(*data, tokenizer, seed=2).measure(model, last) != found


def test_measuring_changes_neither_model_nor_random_numbers(data):
    model, tokenizer = conditional(data[0])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    torch.manual_seed(7)
    expected = torch.rand(2)
    torch.manual_seed(7)
    PeriodicEvaluation(*data, tokenizer, seed=1).measure(model, moments()[1])
    assert torch.equal(torch.rand(2), expected)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_the_fade_of_the_moment_is_drawn(data):
    model, tokenizer = conditional(data[0])
    evaluation = PeriodicEvaluation(*data, tokenizer, seed=1)
    last = moments()[1]
    fading = replace(last, fade=0.1)
    assert evaluation.measure(model, last) != evaluation.measure(model, fading)


def test_only_described_photographs_are_compared_with_where_the_model_reads(data):
    faces, pyramid = data
    model, tokenizer = conditional(faces)
    found = PeriodicEvaluation(faces, pyramid, tokenizer, seed=1).measure(model, moments()[1])
    described = [n for n in range(COUNT) if n % 4]
    expected = diversity(pyramid.images(8)[described], pairs=1_000, seed=1)
    assert found["ms_ssim_real"] == expected


def test_a_model_without_text_is_measured_on_all_photographs(data):
    faces, pyramid = data
    plain = tiny_config().to_dict()
    config = tiny_config(text={**plain["text"], "encoder": "none"})
    torch.manual_seed(0)
    found = PeriodicEvaluation(faces, pyramid, None, seed=1).measure(
        FaceModel(config, 0), moments()[1]
    )
    assert found["ms_ssim_real"] == diversity(pyramid.images(8)[:], pairs=1_000, seed=1)
