from dataclasses import replace

import numpy as np
import pytest
import torch
from coloured_faces import SHOWN, evaluation_data

from t2f_train.data.celeba_traits import ATTRIBUTES
from t2f_train.metrics.attributes import (
    AskedPictures,
    balanced_accuracy,
    statement_accuracies,
    train_classifier,
)
from t2f_train.metrics.image_network import TrainingSettings

SETTINGS = TrainingSettings(
    epochs=6, least_steps=1, batch_size=32, learning_rate=2e-3, weight_decay=0.05
)
ONE_EPOCH = replace(SETTINGS, epochs=1)
MALE, SMILING = ATTRIBUTES.index("Male"), ATTRIBUTES.index("Smiling")


class Told:
    def __init__(self):
        self.tasks = []

    def __call__(self, task, done, total):
        self.tasks.append((task, done, total))


def trained(data, cache, told=None, settings=SETTINGS):
    return train_classifier(
        data.training.pictures,
        data.training.attributes,
        settings=settings,
        cache=cache,
        device=torch.device("cpu"),
        progress=told or Told(),
    )


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    data, cache = evaluation_data(), tmp_path_factory.mktemp("cache")
    return data, cache, trained(data, cache)


def test_the_classifier_sees_in_new_pictures_what_it_can_be_told_by(learned):
    data, _, classifier = learned
    accuracy = balanced_accuracy(classifier.sees(data.held_out.pictures), data.held_out.attributes)
    for name in SHOWN:
        assert accuracy[ATTRIBUTES.index(name)] > 0.95
    assert 0.3 < accuracy[ATTRIBUTES.index("Young")] < 0.7  # no picture shows it


def test_a_second_training_takes_the_stored_network(learned):
    data, cache, classifier = learned
    told = Told()
    again = trained(data, cache, told)
    assert told.tasks == []
    pictures = data.held_out.pictures
    np.testing.assert_array_equal(again.sees(pictures), classifier.sees(pictures))


@pytest.mark.parametrize("change", ["pictures", "attributes", "settings"])
def test_other_data_or_settings_train_anew(learned, tmp_path, change):
    data, cache, _ = learned
    if change == "pictures":
        trained(data, tmp_path, settings=ONE_EPOCH)
        data.training.pictures[0, 0, 0, 0] ^= 1
    elif change == "attributes":
        trained(data, tmp_path, settings=ONE_EPOCH)
        data.training.attributes[0, 0] ^= True
    told = Told()
    trained(data, cache if change == "settings" else tmp_path, told, ONE_EPOCH)
    assert told.tasks[-1] == ("training the attribute classifier", 1, 1)


def test_a_damaged_stored_network_is_trained_anew(learned, tmp_path):
    data, _, _ = learned
    trained(data, tmp_path, settings=ONE_EPOCH)
    (stored,) = (tmp_path / "metrics").iterdir()
    stored.write_bytes(stored.read_bytes()[:1000])
    told = Told()
    trained(data, tmp_path, told, ONE_EPOCH)
    assert told.tasks != []


def test_training_leaves_the_random_numbers_of_the_caller_alone(learned, tmp_path):
    data, _, _ = learned
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    trained(data, tmp_path, settings=ONE_EPOCH)
    assert torch.equal(torch.rand(3), expected)


def test_balanced_accuracy_is_the_mean_of_both_shares():
    rows = np.array([[True, True], [True, True], [True, True], [False, True]])
    seen = np.array([[True, True], [True, True], [False, True], [True, True]])
    accuracy = balanced_accuracy(seen, rows)
    assert accuracy[0] == pytest.approx((2 / 3 + 0) / 2)
    assert np.isnan(accuracy[1])


def rows_with(column, values):
    rows = np.zeros((len(values), len(ATTRIBUTES)), np.bool_)
    rows[:, column] = values
    return rows


def test_a_statement_counts_only_where_it_is_made():
    stated = [{"Male": True}] * 12 + [{"Male": False}] * 10 + [{"Smiling": True}] * 9
    drawn = rows_with(MALE, [True] * 9 + [False] * 3 + [True] * 4 + [False] * 6 + [True] * 9)
    real = rows_with(MALE, [True] * 12 + [False] * 19)
    chance = rows_with(MALE, [True, False, False, False])
    accuracy = np.full(len(ATTRIBUTES), 0.8)
    results = statement_accuracies(
        AskedPictures(stated=stated, drawn=drawn, real=real), chance, accuracy
    )
    found = {(r.attribute, r.asked): (r.count, r.drawn, r.real, r.chance) for r in results}
    # Nine statements about smiling are too few to tell.
    assert found == {("Male", True): (12, 0.75, 1.0, 0.25), ("Male", False): (10, 0.6, 1.0, 0.75)}
