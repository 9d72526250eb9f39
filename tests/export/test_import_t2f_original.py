import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from foreign_models import (
    CAPTION_LENGTH,
    VERSION_1_PLAIN,
    WORDS,
    OriginalRun,
    to_levels,
    write_vocabulary,
)

from t2f_export.errors import ForeignModelError
from t2f_export.imported.importing import import_t2f_original
from t2f_export.imported.original_vocabulary import read_original_vocabulary
from t2f_runtime import DescriptionError, FaceGenerator
from t2f_runtime.bundle import manifest
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.cli import main
from t2f_runtime.latent import draw_noise

TEXTS = ("a man with red hair", "an OLD man, in his 20s", "é")


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("original")


@pytest.fixture(scope="module")
def run(base):
    return OriginalRun(base / "saved_models")


@pytest.fixture(scope="module")
def bundle(base, run):
    import_t2f_original([run.folder], base / "bundle", caption_length=CAPTION_LENGTH)
    return base / "bundle"


@pytest.fixture(scope="module")
def generator(bundle):
    return FaceGenerator.load(bundle)


def noise_of(run, seed):
    """What the runtime draws, without the value for what the bundle adds to the condition."""
    return draw_noise(seed, 0, 1 + run.latent)[1:]


def check_equal_pictures(run, folder, *, depth=2, caption_length=CAPTION_LENGTH):
    generator = FaceGenerator.load(folder)
    for text in TEXTS:
        for seed in (5, 6):
            noise = noise_of(run, seed)
            image = run.draw(text, noise, depth=depth, caption_length=caption_length)
            expected = to_levels(image)
            assert expected.std() > 20  # a picture, not one colour
            # To round takes half a level, to sum in another order next to nothing.
            assert np.abs(generator.generate(text, seed=seed) - expected).max() < 0.51


def test_the_bundle_draws_what_the_original_draws(run, bundle):
    check_equal_pictures(run, bundle)


def test_deviations_that_relu_cut_to_nothing_stay_nothing(run, generator):
    mean, deviation = run.read(TEXTS[0])
    assert (deviation < 1e-11).any()
    assert (deviation > 1e-2).any()
    found_mean, log_variance = generator.condition(TEXTS[0])
    np.testing.assert_allclose(found_mean[1:], mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(np.exp(log_variance[1:] / 2), deviation, rtol=1e-4, atol=1e-11)


def test_the_condition_begins_with_a_one_that_no_noise_moves(generator):
    mean, log_variance = generator.condition(TEXTS[1])
    assert mean[0] == 1.0
    assert np.float32(1.0) + np.exp(log_variance[0] / 2) * np.float32(9.0) == np.float32(1.0)


def test_the_length_of_a_latent_matters_to_the_original(run):
    noise = noise_of(run, 5)
    pictures = [to_levels(run.draw(TEXTS[0], factor * noise)) for factor in (1, 3)]
    assert np.abs(pictures[0] - pictures[1]).max() > 5  # so that to keep it is no idle work


@pytest.mark.parametrize("columns", [5, 8, CAPTION_LENGTH])
def test_padding_of_a_batch_never_changes_a_condition(bundle, columns):
    graph = (bundle / manifest.TEXT_ENCODER).read_bytes()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    row = np.array([[3, 11, 5, 6, 5]], np.int64)
    padded = np.zeros((2, columns), np.int64)
    padded[0, :5] = row
    padded[1, :columns] = 2
    for alone, together in zip(
        session.run(None, {manifest.TOKENS: row}),
        session.run(None, {manifest.TOKENS: padded}),
        strict=True,
    ):
        np.testing.assert_allclose(together[:1], alone, rtol=1e-5, atol=1e-6)
        assert np.abs(together[0] - together[1]).max() > 1e-3


def test_the_captions_length_is_part_of_the_model(run, tmp_path):
    import_t2f_original([run.folder], tmp_path / "bundle", caption_length=20)
    check_equal_pictures(run, tmp_path / "bundle", caption_length=20)
    texts = [run.read(TEXTS[0], caption_length=length)[0] for length in (CAPTION_LENGTH, 20)]
    assert np.abs(texts[0] - texts[1]).max() > 1e-3


def test_what_the_files_tell_is_in_the_manifest(run, bundle):
    written = Bundle.open(bundle).manifest
    assert (written.image_size, written.condition_size, written.noise_size) == (16, 5, 3)
    text = written.text
    assert (text.kind, text.tokenizer) == ("words", "vocabulary.txt")
    assert (text.vocabulary_size, text.maximum_tokens) == (2 + len(WORDS), CAPTION_LENGTH)
    provenance = written.provenance
    assert (provenance.origin, provenance.run_name) == ("t2f-original", "GAN_GEN_2.pth")
    facts = provenance.configuration
    assert facts["files"].keys() == {path.name for path in run.folder.iterdir()}
    assert (facts["num_layers"], facts["hidden_size"], facts["ca_out_size"]) == (2, 5, 4)
    assert facts["captions_length"] == CAPTION_LENGTH
    assert provenance.data_reader is None
    assert provenance.images_seen is None
    (report,) = written.parity
    assert report.maximum_levels <= report.tolerance_levels == 1


def test_words_that_the_original_never_saw_read_as_its_unknown_word(generator):
    known, unknown, other = (
        generator.condition(text)[0] for text in ("a man", "a grandmother", "a whippersnapper")
    )
    np.testing.assert_array_equal(unknown, other)
    assert np.abs(known - unknown).max() > 1e-3
    with pytest.raises(DescriptionError, match="this bundle knows no word of the description"):
        generator.generate("bespectacled grandmother")
    with pytest.raises(DescriptionError, match=r"has 13 tokens; this bundle reads 12 at most"):
        generator.generate("a " * 13)


def test_layers_without_equalised_learning_rate_are_read(tmp_path):
    run = OriginalRun(tmp_path / "run", layouts=VERSION_1_PLAIN, seed=3)
    for name in run.generator:  # as small as such layers are
        run.generator[name] *= 0.3
    torch.save(run.generator, run.folder / "GAN_GEN_2.pth")
    import_t2f_original([run.folder], tmp_path / "bundle", caption_length=CAPTION_LENGTH)
    check_equal_pictures(run, tmp_path / "bundle")


def test_the_second_biases_of_older_layers_are_added(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    older = OriginalRun(tmp_path / "run")
    older.generator |= {
        "initial_block.conv_2.conv.bias": torch.linspace(-1, 1, 6),
        "rgb_converters.2.conv.bias": torch.tensor([0.2, -0.3, 0.4]),
    }
    torch.save(older.generator, older.folder / "GAN_GEN_2.pth")
    import_t2f_original([older.folder], tmp_path / "bundle", caption_length=CAPTION_LENGTH)
    check_equal_pictures(older, tmp_path / "bundle")


def test_averaged_weights_and_the_largest_depth_are_chosen(tmp_path):
    folder = tmp_path / "saved_models"
    OriginalRun(folder, depth=1, seed=1)
    OriginalRun(folder, depth=2, seed=2)
    averaged = OriginalRun(folder, depth=2, seed=3, name="GAN_GEN_SHADOW", prefix="module.")
    written = import_t2f_original([folder], tmp_path / "bundle", caption_length=CAPTION_LENGTH)
    assert written.provenance.run_name == "GAN_GEN_SHADOW_2.pth"
    check_equal_pictures(averaged, tmp_path / "bundle")


def test_a_file_saved_at_a_smaller_depth_draws_that_size(tmp_path):
    run = OriginalRun(tmp_path / "run", depth=1)
    written = import_t2f_original([run.folder], tmp_path / "bundle", caption_length=CAPTION_LENGTH)
    assert written.image_size == 8
    check_equal_pictures(run, tmp_path / "bundle", depth=1)


def test_files_are_told_apart_by_what_is_in_them(run, tmp_path):
    names = ("Encoder_2.pth", "Condition_Augmentor_2.pth", "GAN_GEN_2.pth", "processed_text.pkl")
    files = []
    for number, name in enumerate(names):
        files.append(tmp_path / f"file{number}{Path(name).suffix}")
        shutil.copy(run.folder / name, files[-1])
    written = import_t2f_original(
        files[::-1], tmp_path / "bundle", caption_length=CAPTION_LENGTH, pixels=8
    )
    assert written.image_size == 8
    with pytest.raises(ForeignModelError, match=r"file0.pth and .*Encoder_2.pth are the same part"):
        import_t2f_original([*files, run.folder / names[0]], tmp_path / "other")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Encoder_2.pth", r"there is no Encoder_N.pth \(there is none where InferSent read"),
        ("Condition_Augmentor_2.pth", r"there is no Condition_Augmentor_N.pth; give a folder"),
        ("GAN_GEN_2.pth", r"there is no GAN_GEN_N.pth or GAN_GEN_SHADOW_N.pth; give a folder"),
        (
            "processed_text.pkl",
            r"there is no processed_text.pkl, from processed_annotations/; give",
        ),
    ],
)
def test_a_missing_file_is_named(run, tmp_path, name, message):
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(ForeignModelError, match=message):
        import_t2f_original([tmp_path / "run"], tmp_path / "bundle")


def test_a_file_of_something_else_is_refused(run, tmp_path):
    torch.save({"weight": torch.ones(2)}, tmp_path / "other.pth")
    with pytest.raises(ForeignModelError, match=r"other.pth is neither a text encoder nor a"):
        import_t2f_original([run.folder, tmp_path / "other.pth"], tmp_path / "bundle")


def broken(run, tmp_path, **changes):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    for name, change in changes.items():
        state = dict(torch.load(folder / f"{name}_2.pth", weights_only=True))
        change(state)
        torch.save(state, folder / f"{name}_2.pth")
    return folder


def test_sentences_of_another_encoder_are_refused(run, tmp_path):
    def widen(state):
        state["transformer.linear.weight"] = torch.ones(8, 4096)

    folder = broken(run, tmp_path, Condition_Augmentor=widen)
    with pytest.raises(
        ForeignModelError, match=r"reads sentences of 4096 numbers, but the text encoder makes 5"
    ):
        import_t2f_original([folder], tmp_path / "bundle")


def test_an_embedding_of_padding_that_is_not_zero_is_refused(run, tmp_path):
    folder = broken(run, tmp_path, Encoder=lambda state: state["network.0.weight"].fill_(1.0))
    with pytest.raises(ForeignModelError, match=r"embedding of padding is not 0"):
        import_t2f_original([folder], tmp_path / "bundle")


def test_another_vocabulary_is_refused(run, tmp_path):
    folder = broken(run, tmp_path)
    write_vocabulary(folder / "processed_text.pkl", words=WORDS[:-1])
    with pytest.raises(ForeignModelError, match=r"has 15 words, but .*Encoder_2.pth knows 16"):
        import_t2f_original([folder], tmp_path / "bundle")


def test_a_condition_that_fills_the_latent_is_refused(run, tmp_path):
    def widen(state):
        state["transformer.linear.weight"] = torch.ones(14, 5)
        state["transformer.bias"] = torch.ones(14)

    folder = broken(run, tmp_path, Condition_Augmentor=widen)
    with pytest.raises(ForeignModelError, match=r"gives conditions of 7 numbers, but the latent"):
        import_t2f_original([folder], tmp_path / "bundle")


class Dangerous:
    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_a_vocabulary_that_would_run_code_is_refused_and_does_not_run(tmp_path):
    dangerous = Dangerous()
    dangerous.folder = str(tmp_path / "made")
    write_vocabulary(tmp_path / "processed_text.pkl", extra=dangerous)
    with pytest.raises(
        ForeignModelError,
        match=r"holds more than plain values: it names (posix|nt).mkdir, which could run code",
    ):
        read_original_vocabulary(tmp_path / "processed_text.pkl")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is no pickle, or is damaged: EOFError"),
        (b"hello", r"is no pickle, or is damaged"),
        (pickle.dumps([1, 2]), r"holds no mapping with a 'vocab'"),
        (pickle.dumps({"vocab": {0: "a", 1: "b"}}), r"tokens 0 and 1 are \['a', 'b'\], not <pad>"),
        (
            pickle.dumps({"vocab": {0: "<pad>", 1: "<unk>", 2: "a", 4: "b"}}),
            r"token 3 of 4 has no word",
        ),
        (
            pickle.dumps({"vocab": {0: "<pad>", 1: "<unk>", 2: "two words"}}),
            r"holds words that its program never made: .* line 3 is no word: 'two words'",
        ),
    ],
)
def test_what_is_no_vocabulary_is_refused(tmp_path, content, message):
    (tmp_path / "text.pkl").write_bytes(content)
    with pytest.raises(ForeignModelError, match=message):
        read_original_vocabulary(tmp_path / "text.pkl")


def test_the_command_takes_a_folder_and_a_vocabulary_from_elsewhere(run, tmp_path):
    shutil.copytree(run.folder, tmp_path / "run")
    words = (tmp_path / "run" / "processed_text.pkl").rename(tmp_path / "words.pkl")
    bundle = tmp_path / "bundle"
    arguments = ["--from", "t2f-original", tmp_path / "run", words, "-o", bundle]
    result = CliRunner().invoke(
        main, ["export", *map(str, arguments), "--caption-length", str(CAPTION_LENGTH)]
    )
    assert result.exit_code == 0, result.output
    assert '"a smiling woman" -o face.png' in result.output
    check_equal_pictures(run, bundle)
