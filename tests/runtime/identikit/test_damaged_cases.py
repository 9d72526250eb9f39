"""Files that are no case: whatever is in them is a case or a `CaseError`."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime.identikit import (
    CaseError,
    Session,
)
from t2f_runtime.identikit.case_file import decode_case, encode_case

many = settings(deadline=None)  # a shared machine may pause for longer


@pytest.fixture(scope="module")
def session(generator):
    session = Session.start("a bald man", generator, seed=2**64 - 1).candidates(4).choose([1, 2])
    session = session.breed(4).choose([2]).more("older", 0.2).lock("a beard")
    return session.mix(0, Session.start("a girl", generator, seed=3), 0.5).undo(3)


def only_case_errors(data):
    try:
        decode_case(data)
    except CaseError:
        return
    # What is no case file is refused; what is one can be written again.
    assert encode_case(decode_case(data).case)


@many
@given(st.binary(max_size=200))
def test_any_bytes_are_a_case_or_a_case_error(data):
    only_case_errors(data)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@many
@given(data=st.data())
def test_a_case_with_any_part_replaced_is_a_case_or_a_case_error(session, data):
    content = json.loads(encode_case(session.case))
    node = content["case"]
    while isinstance(node, dict | list) and node:
        keys = sorted(node) if isinstance(node, dict) else [*range(len(node))]
        key = data.draw(st.sampled_from(keys))
        if not isinstance(node[key], dict | list) or not node[key] or data.draw(st.booleans()):
            node[key] = data.draw(json_values)
            break
        node = node[key]
    only_case_errors(json.dumps(content).encode())


@many
@given(data=st.data())
def test_a_case_with_any_bytes_replaced_is_a_case_or_a_case_error(session, data):
    content = bytearray(encode_case(session.case))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    only_case_errors(bytes(content[: data.draw(st.integers(0, len(content)))]))


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"case":' * 100_000,
        b'{"case":{"format":"t2f identikit case","schema_version":' + b"9" * 5000 + b"}}",
        b'{"case":{"format":"t2f identikit case","schema_version":2,"seed":' + b"9" * 5000 + b"}}",
        b'{"case":{"format":"t2f identikit case","schema_version":2,"x":' + b"[" * 100_000,
        b"\xff\xfe",
        b"",
    ],
)
def test_deep_and_long_input_is_a_case_error(data):
    with pytest.raises(CaseError):
        decode_case(data)
