import json
import re
import threading

import numpy as np
import pytest
from PIL import Image
from tiny_training import SilentReporter, StopAfter, train_tiny_run

from t2f_runtime import ArgumentError
from t2f_train.checkpoint import latest_checkpoint, read_weights
from t2f_train.config import load_config
from t2f_train.errors import ConfigError, DataError, RunError
from t2f_train.model import FaceModel
from t2f_train.progan import ProGAN
from t2f_train.samples import draw_samples

PHASES = [
    {"resolution": 4, "images": 16, "batch_size": 4},
    {"resolution": 8, "images": 16, "batch_size": 4, "fade_fraction": 0.5},
]
SETTINGS = {"phases": PHASES, "seed": 3}


def write_photos(folder, count=8):
    """Images of several formats and sizes, one of them in a folder inside, and a stray text."""
    (folder / "more").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (12 + number, 20, 3), dtype=np.uint8)
        name = "more/last.jpg" if number == count - 1 else f"{number}.png"
        Image.fromarray(pixels).save(folder / name)
    (folder / "readme.txt").write_text("holiday")
    return folder


def train(gan, base, *, reporter=None, out="run"):
    photos = base / "photos"
    if not photos.exists():
        write_photos(photos)
    reporter = reporter or SilentReporter()
    stop = getattr(reporter, "stop", None)
    options = {"cache": base / "cache", "reporter": reporter, "stop": stop}
    gan.train(photos, out=base / out, **options)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    base = tmp_path_factory.mktemp("progan")
    train(ProGAN(depth=2, feature_size=6, settings=SETTINGS), base)
    return base


def test_depth_and_feature_size_are_all_there_is_to_say():
    config = ProGAN(depth=5, feature_size=96).config
    assert config == load_config("progan")
    assert config.channels == (96, 96, 96, 96, 48)
    assert not config.is_conditional
    assert config.data.horizontal_flips


def test_depth_counts_resolutions_and_features_halve_from_64_pixels_on_as_progans_do():
    gan = ProGAN(depth=9, feature_size=512)
    assert gan.image_size == 1024
    # Table 2 of the paper: its generator's features at 4, 8, … 1024 pixels.
    assert gan.config.channels == (512, 512, 512, 512, 256, 128, 64, 32, 16)
    assert gan.config.model.noise_size == 512
    assert [phase.batch_size for phase in gan.config.phases][-3:] == [14, 6, 3]
    assert ProGAN(depth=1, feature_size=8).image_size == 4


def test_any_other_setting_can_be_changed_alone():
    settings = {"optimiser": {"learning_rate": 0.5}, "data": {"crop": [0, 0, 9, 9]}, "seed": 7}
    config = ProGAN(depth=2, feature_size=6, settings=settings).config
    assert (config.optimiser.learning_rate, config.optimiser.loss) == (0.5, "logistic-r1")
    assert (config.data.crop, config.data.reader, config.seed) == ((0, 0, 9, 9), "images", 7)


@pytest.mark.parametrize(
    ("sizes", "settings", "error", "message"),
    [
        ((0, 8), None, ArgumentError, "depth is 0; it must be 1 to 9"),
        ((10, 8), None, ArgumentError, "depth is 10; it must be 1 to 9"),
        ((2, 0), None, ArgumentError, "feature_size is 0; it must be 1 to 65536"),
        ((2, 8.0), None, ArgumentError, "feature_size must be a whole number, not 8.0"),
        (
            (2, 8),
            {"optimiser": {"rate": 1}},
            ConfigError,
            "the settings of the ProGAN: Object contains unknown field `rate` - at `$.optimiser`",
        ),
        ((2, 8), {"optimizer": {}}, ConfigError, "unknown field `optimizer`"),
        (
            (3, 8),
            {"phases": PHASES},
            ConfigError,
            "the phases end at 8 pixels, but depth 3 is 16 pixels; let both say the same",
        ),
        (
            (2, 8),
            {"text": {"encoder": "lstm"}},
            ConfigError,
            "text.encoder is 'lstm', but a ProGAN draws without text; leave it out",
        ),
    ],
)
def test_what_makes_no_progan_is_refused_by_name(sizes, settings, error, message):
    depth, feature_size = sizes
    with pytest.raises(error, match=re.escape(message)):
        ProGAN(depth=depth, feature_size=feature_size, settings=settings)


def test_a_run_has_no_tokenizer_and_no_description(base):
    record = json.loads((base / "run" / "run.json").read_text())
    assert (record["data_images"], record["data_descriptions"]) == (8, 0)
    assert record["tokenizer_sha256"] is None
    assert not (base / "run" / "tokenizer.model").exists()
    sheets = sorted(path.name for path in (base / "run" / "samples").glob("*-pixels.png"))
    assert sheets == ["000000016-images-0004-pixels.png", "000000032-images-0008-pixels.png"]


def test_samples_are_drawn_with_the_averaged_weights(base):
    gan = ProGAN.load(base / "run")
    drawn = gan.sample(5, seed=11)
    model = FaceModel(gan.config, 0).eval()
    weights = read_weights(latest_checkpoint(base / "run" / "checkpoints"), "averaged")
    model.load_state_dict(weights)
    expected = draw_samples(model, None, seeds=[11] * 5, indices=list(range(5)), depth=1)
    assert (drawn.shape, drawn.dtype) == ((5, 8, 8, 3), np.uint8)
    np.testing.assert_array_equal(drawn, expected)
    assert len({picture.tobytes() for picture in drawn}) == 5
    assert (gan.sample(5, seed=12) != drawn).any()


def test_a_loaded_run_has_the_configuration_that_it_was_trained_with(base):
    gan = ProGAN.load(str(base / "run"))
    assert gan.config == ProGAN(depth=2, feature_size=6, settings=SETTINGS).config
    assert gan.image_size == 8
    assert gan.run == base / "run"


def test_a_stopped_run_goes_on_and_ends_as_an_unbroken_one(base, tmp_path):
    write_photos(tmp_path / "photos")
    gan = ProGAN(depth=2, feature_size=6, settings=SETTINGS)
    train(gan, tmp_path, reporter=StopAfter(3))
    assert gan.sample(2).shape == (2, 4, 4, 3)
    train(ProGAN.load(tmp_path / "run"), tmp_path)
    for part in ("model", "averaged", "discriminator"):
        unbroken = read_weights(latest_checkpoint(base / "run" / "checkpoints"), part)
        resumed = read_weights(latest_checkpoint(tmp_path / "run" / "checkpoints"), part)
        assert unbroken.keys() == resumed.keys()
        for name, weight in unbroken.items():
            np.testing.assert_array_equal(weight.numpy(), resumed[name].numpy(), err_msg=name)
    np.testing.assert_array_equal(gan.sample(3), ProGAN.load(base / "run").sample(3))


def test_progress_is_shown_where_nobody_else_reports_it(tmp_path, capsys):
    settings = {"phases": PHASES[:1]}
    write_photos(tmp_path / "photos")
    gan = ProGAN(depth=1, feature_size=4, settings=settings)
    gan.train(tmp_path / "photos", out=tmp_path / "run", cache=tmp_path / "cache")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "4x4 (phase 1 of 1): 16 of 16 images" in captured.err


def test_the_default_cache_is_that_of_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("T2F_CACHE", str(tmp_path / "chosen"))
    write_photos(tmp_path / "photos")
    gan = ProGAN(depth=1, feature_size=4, settings={"phases": PHASES[:1]})
    stop = threading.Event()
    stop.set()
    gan.train(tmp_path / "photos", out=tmp_path / "run", reporter=SilentReporter(), stop=stop)
    assert list((tmp_path / "chosen").iterdir())


def test_nothing_can_be_drawn_before_anything_is_trained(tmp_path):
    gan = ProGAN(depth=2, feature_size=6)
    assert gan.run is None
    with pytest.raises(RunError, match=r"not trained yet: call train, or open a run with ProGAN"):
        gan.sample(1)
    with pytest.raises(RunError, match=r"absent holds no run.json"):
        ProGAN.load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"count": 0}, "count is 0; it must be 1"), ({"count": 1, "seed": -1}, "seed is -1")],
)
def test_a_count_or_seed_out_of_range_is_refused(base, arguments, message):
    with pytest.raises(ArgumentError, match=message):
        ProGAN.load(base / "run").sample(**arguments)


def test_a_run_that_draws_from_descriptions_is_no_progan(tmp_path):
    train_tiny_run(tmp_path, reporter=StopAfter(1))
    message = r"run draws from descriptions; draw from it with: t2f export .*run -o BUNDLE, then"
    with pytest.raises(RunError, match=message):
        ProGAN.load(tmp_path / "run")


def test_fewer_images_than_a_batch_are_refused_before_anything_is_written(tmp_path):
    write_photos(tmp_path / "photos", count=3)
    gan = ProGAN(depth=2, feature_size=6, settings=SETTINGS)
    with pytest.raises(DataError, match="a batch of 4 needs 4 different images, but the data has"):
        train(gan, tmp_path)
    assert not (tmp_path / "run").exists()
    assert gan.run is None
