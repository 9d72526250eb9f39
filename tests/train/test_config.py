import msgspec
import pytest

from t2f_train.config import Config, config_from_dict, load_config, preset_names
from t2f_train.errors import ConfigError

PLAIN = {
    "data": {"reader": "folder"},
    "phases": [{"resolution": 4, "images": 100, "batch_size": 8}],
}


def changed(**sections):
    return {**PLAIN, **sections}


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_valid_configuration(name):
    assert isinstance(load_config(name), Config)


def test_the_presets_are_those_of_the_documentation():
    assert preset_names() == ["article", "celeba", "demo", "face2text", "progan"]


def test_a_configuration_survives_plain_data():
    config = load_config("face2text")
    assert config_from_dict(config.to_dict(), source="test") == config


def test_the_record_of_a_run_is_a_configuration(tmp_path):
    config = load_config("celeba", ["seed=5"])
    path = tmp_path / "run.json"
    path.write_bytes(msgspec.json.encode({"config": config, "data_images": 3}))
    assert load_config(str(path)) == config
    assert load_config(str(path), ["seed=6"]).seed == 6


@pytest.mark.parametrize("content", ["{", "{}", '{"config": 3}'])
def test_another_json_file_is_no_configuration(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"manifest.json holds no configuration: .*run.json of"):
        load_config(str(path))


def test_channels_shrink_with_the_resolution_down_from_the_maximum():
    config = config_from_dict(
        changed(model={"channel_base": 64, "channel_maximum": 10}), source="test"
    )
    assert [config.model.channels_at(side) for side in (4, 8, 16, 32)] == [10, 8, 4, 2]


def test_a_phase_chooses_the_width_of_its_resolution():
    phases = [
        {"resolution": 8, "images": 16, "batch_size": 4},
        {"resolution": 16, "images": 16, "batch_size": 4, "channels": 3},
    ]
    config = config_from_dict(
        changed(model={"channel_base": 64, "channel_maximum": 10}, phases=phases), source="test"
    )
    assert config.channels == (10, 8, 3)


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ({"data": {"reader": "folder"}}, r"run.toml: .*missing required field `phases`"),
        (changed(phases=[]), r"phases is empty; a run needs one \[\[phases\]\] table"),
        (changed(speed=3), r"unknown field `speed`"),
        (changed(model={"chanel_base": 64}), r"unknown field `chanel_base` - at `\$.model`"),
        (changed(data={"reader": "imagenet"}), r"Invalid enum value 'imagenet' - at `\$.data.read"),
        (changed(seed=-1), r"Expected `int` >= 0 - at `\$.seed`"),
        (changed(optimiser={"adam_betas": [0.0, 1.0]}), r"< 1.0 - at `\$.optimiser.adam_betas"),
        (changed(optimiser={"penalty": float("inf")}), r"<= 1000000.0 - at `\$.optimiser.penalty"),
        (changed(optimiser={"penalty": float("nan")}), r"at `\$.optimiser.penalty"),
        (changed(optimiser={"learning_rate": 0.0}), r"> 0.0 - at `\$.optimiser.learning_rate`"),
        (
            changed(phases=[{"resolution": 12, "images": 9, "batch_size": 2}]),
            r"resolution is 12; it must be a power of two from 4 to 1024 - at `\$.phases\[0\]`",
        ),
        (
            changed(phases=[{"resolution": 4, "images": 9, "batch_size": 1}]),
            r"Expected `int` >= 2 - at `\$.phases\[0\].batch_size`",
        ),
        (
            changed(
                phases=[
                    {"resolution": 4, "images": 9, "batch_size": 2},
                    {"resolution": 16, "images": 9, "batch_size": 2},
                ]
            ),
            r"a phase of 16 pixels follows one of 4; each phase must double the resolution",
        ),
        (
            changed(
                phases=[
                    {"resolution": 4, "images": 9, "batch_size": 2, "fade_fraction": 0.9},
                    {"resolution": 8, "images": 9, "batch_size": 2, "fade_fraction": 0.7},
                    {"resolution": 16, "images": 9, "batch_size": 2, "fade_fraction": 0.5},
                ]
            ),
            r"fade_fraction falls from 0.7 at 8 pixels to 0.5 at 16; it must rise or stay",
        ),
        (
            changed(text={"encoder": "none"}, optimiser={"unconditional": 1.0}),
            r"optimiser.unconditional weighs a second head .* leave it at 0",
        ),
    ],
)
def test_nonsense_is_refused_with_the_place_of_the_setting(plain, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(plain, source="run.toml")


def test_a_file_that_is_missing_names_the_presets(tmp_path):
    message = r"absent.toml cannot be read .* article, celeba, demo, face2text, progan"
    with pytest.raises(ConfigError, match=message):
        load_config(str(tmp_path / "absent.toml"))


def test_a_file_that_is_not_toml_says_where(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("[data\nreader = 3", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"run.toml is not valid TOML: .*line 1"):
        load_config(str(path))


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "run.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"run.toml cannot be read as a configuration .*utf-8"):
        load_config(str(path))
