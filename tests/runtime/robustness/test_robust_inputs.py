import json
import random

import pytest
from robustness_archives import lay_out, spoil_archive
from robustness_cases import MisreadError
from robustness_fuzzing import Findings, make_input, run_inputs
from robustness_mutation import spoil_json
from robustness_properties import run_property
from robustness_target import Target
from robustness_targets import NEED_CRYPTOGRAPHY, TARGETS, make_target

from t2f_runtime import BundleError

INPUTS = 60
SEED = 20


def counting_target(check) -> Target:
    return Target("fake", lambda chance: chance.randbytes(3), check, [b"abc"])


@pytest.mark.parametrize("name", TARGETS)
def test_spoilt_inputs_are_read_or_refused(name, tmp_path, skip_without_cryptography):
    skip_without_cryptography(name in NEED_CRYPTOGRAPHY)
    target = make_target(name, tmp_path)
    found = run_inputs(target, SEED, 0, INPUTS)
    assert found.failures == []
    assert found.count == INPUTS
    assert found.refused.total() > 0


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - {"key", "signature"}))
def test_what_hypothesis_makes_is_read_or_refused(name, tmp_path):
    found = run_property(make_target(name, tmp_path), 30)
    assert found.failures == []
    assert found.count > 0


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - {"text", "path"}))
def test_valid_inputs_are_read(name, tmp_path, skip_without_cryptography):
    skip_without_cryptography(name in NEED_CRYPTOGRAPHY)
    target = make_target(name, tmp_path)
    for seed in target.seeds:
        if not (name == "bundle" and b'"engines": [{' in seed):
            target.check(seed)


def test_an_error_that_is_not_ours_is_a_finding():
    def check(data):
        if data[0] < 128:
            raise BundleError("refused")
        if data[1] < 128:
            raise ValueError("a bug")
        if data[2] < 128:
            raise MisreadError("misread")

    found = run_inputs(counting_target(check), SEED, 0, 200)
    assert found.count == 200
    assert found.accepted > 0
    assert found.refused["BundleError"] > 50
    assert found.failed == 200 - found.accepted - found.refused.total() > 50
    assert sorted(failure["message"] for failure in found.failures) == ["a bug", "misread"]


def test_hypothesis_tells_of_an_error_that_is_not_ours():
    def check(data):
        if len(data) > 3:
            raise ValueError("a bug")

    found = run_property(counting_target(check), 50)
    assert found.failed == 1
    assert "a bug" in found.failures[0]["message"]


def test_an_input_is_made_again_from_its_number(tmp_path):
    target = make_target("case", tmp_path)
    first = [make_input(target, SEED, number) for number in range(30)]
    assert [make_input(target, SEED, number) for number in range(30)] == first
    assert len(set(first)) > 25


def test_findings_add_up_and_keep_one_failure_of_a_kind():
    total = Findings()
    for number in range(3):
        one = Findings(accepted=2, slowest_ms=10.0 * number, slowest=number)
        one.note_failure(number, "ValueError at x.py:1", f"message {number}")
        total.add(one)
    assert (total.count, total.failed, total.accepted) == (9, 3, 6)
    assert total.failures == [{"number": 0, "kind": "ValueError at x.py:1", "message": "message 0"}]
    assert (total.slowest_ms, total.slowest) == (20.0, 2)


def test_spoilt_json_has_keys_twice_deep_nesting_and_numbers_of_any_length():
    data = json.dumps({"one": 1, "two": [1, 2, {"three": None}], "four": "text"}).encode()
    spoilt = [spoil_json(random.Random(number), data) for number in range(1500)]
    assert any(text.count(b'"one"') == 2 for text in spoilt)
    assert any(b"[" * 1000 in text for text in spoilt)
    assert any(b"1" * 4301 in text for text in spoilt)
    assert any(b"NaN" in text for text in spoilt)
    assert any(b"\xed\xa0\x80" in text or b"\\ud800" in text for text in spoilt)


def test_spoilt_archives_differ_in_their_records_and_in_what_they_hold():
    contents = [("manifest.json", b'{"files": {"a": {}}}'), ("a", b"data" * 100)]
    whole = lay_out(contents)
    spoilt = [spoil_archive(random.Random(number), list(contents)) for number in range(400)]
    assert any(len(data) == len(whole) and data[:4096] == whole[:4096] for data in spoilt)
    assert any(b"PK\x06\x07" in data for data in spoilt)
    assert any(data.endswith(whole) and data != whole for data in spoilt)
    assert sum(data == whole for data in spoilt) < 40
