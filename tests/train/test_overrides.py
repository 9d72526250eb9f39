import pytest

from t2f_train.config import Config, load_config
from t2f_train.errors import ConfigError
from t2f_train.overrides import apply_overrides


def test_a_setting_of_a_section_is_replaced():
    config = load_config("face2text", ["optimiser.learning_rate=0.005", "seed=7"])
    assert config.optimiser.learning_rate == 0.005
    assert config.seed == 7


def test_a_setting_that_the_file_leaves_out_is_added():
    config = load_config("face2text", ["output.log_every=50", "compute.channels_last=true"])
    assert config.output.log_every == 50
    assert config.compute.channels_last


def test_a_phase_is_named_by_its_number():
    config = load_config("face2text", ["phases.3.images=40000"])
    assert [phase.images for phase in config.phases] == [20000, 20000, 24000, 40000]


def test_one_number_of_a_list_is_replaced():
    config = load_config("face2text", ["data.crop.0=50", "data.crop.2=210"])
    assert config.data.crop == (50, 40, 210, 200)


def test_one_number_of_a_default_that_the_file_leaves_out_is_replaced():
    config = load_config("face2text", ["optimiser.adam_betas.0=0.5"])
    assert config.optimiser.adam_betas == (0.5, 0.99)


def test_values_are_those_of_toml_and_bare_words_are_strings():
    config = load_config(
        "face2text",
        [
            "optimiser.loss=hinge",
            'data.reader="folder"',
            "data.crop=[1, 2, 3, 4]",
            'optimiser.augmentations=["cutout"]',
        ],
    )
    assert config.optimiser.loss == "hinge"
    assert config.data.reader == "folder"
    assert config.data.crop == (1, 2, 3, 4)
    assert config.optimiser.augmentations == ("cutout",)


def test_the_last_of_two_changes_holds():
    assert load_config("face2text", ["seed=1", "seed=2"]).seed == 2


def test_the_tables_that_were_read_stay_as_they_are():
    plain = {"phases": [{"images": 1}]}
    assert apply_overrides(plain, ["phases.0.images=2"], Config)["phases"][0]["images"] == 2
    assert plain == {"phases": [{"images": 1}]}


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", r"'seed' is not KEY=VALUE, such as phases.0.images=40000"),
        ("=3", r"'=3' is not KEY=VALUE"),
        ("model..noise_size=3", r"is not KEY=VALUE"),
        ("optimizer.loss=hinge", r"no setting optimizer; there are compute, data, .*optimiser"),
        ("optimiser.rate=1", r"no setting optimiser.rate; there are adam_betas, "),
        ("phases.4.images=1", r"phases.4 names no entry; the number of one is 0 to 3"),
        ("phases.last.images=1", r"phases.last names no entry"),
        ("phases.0.pictures=1", r"no setting phases.0.pictures; there are batch_size, "),
        ("seed.low=1", r"--set seed.low: seed is 3 and has no parts; set seed as a whole"),
        ("output.evaluate_every.0=1", r"output.evaluate_every is not set and has no parts"),
        ("data.crop.0.x=1", r"data.crop.0 is 45 and has no parts"),
        ("optimiser.augmentations.0=cutout", r"augmentations.0 names no entry; there is none yet"),
        ("seed=1\nspeed=2", r"sets more than one thing; give --set for each"),
        ("data.crop=[1, 2", r"'data.crop=\[1, 2': the value is not valid TOML"),
        ("optimiser.learning_rate=0.0.1", r"the value is not valid TOML"),
        ("optimiser.loss=wasserstein", r"face2text .*Invalid enum value 'wasserstein'"),
        ("phases.0.images=-3", r"Expected `int` >= 1 - at `\$.phases\[0\].images`"),
    ],
)
def test_a_change_that_means_nothing_says_what_would(override, message):
    changes = ["seed=3", override] if override.startswith("seed.") else [override]
    with pytest.raises(ConfigError, match=message):
        load_config("face2text", changes)
