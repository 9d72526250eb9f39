import re

import pytest

from t2f_runtime import Bundle, BundleError
from t2f_runtime.bundle.external_data import check_self_contained
from t2f_runtime.bundle.manifest import GENERATOR


def varint(number):
    data = bytearray()
    while number >= 0x80:
        data.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*data, number])


def message(number, content):
    """A field that holds bytes, text or another message."""
    content = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(content)) + content


def number(field, value):
    """A field that holds a whole number."""
    return varint(field << 3) + varint(value)


ENTRY = message(1, "location") + message(2, "/etc/passwd")
EXTERNAL = message(8, "weight") + message(13, ENTRY) + number(14, 1)
INSIDE = message(8, "weight") + message(9, b"\0\0\x80?") + number(14, 0)

# Ways to a tensor: the numbers of the fields that lead to it, from onnx.proto.
WAYS = {
    "an initialiser": (7, 5),
    "the values of a sparse initialiser": (7, 15, 1),
    "the indices of one": (7, 15, 2),
    "an attribute": (7, 1, 5, 5),
    "an attribute's list": (7, 1, 5, 10),
    "a sparse attribute": (7, 1, 5, 22, 1),
    "a list of them": (7, 1, 5, 23, 2),
    "a branch": (7, 1, 5, 6, 5),
    "branches": (7, 1, 5, 11, 5),
    "a function": (25, 7, 5, 5),
    "a function's default": (25, 11, 5),
    "training": (20, 1, 5),
    "training's steps": (20, 2, 5),
}


def model(tensor, way=(7, 5)):
    """A file that leads to a tensor, after an empty graph."""
    for field in reversed(way):
        tensor = message(field, tensor)
    return message(7, b"") + tensor


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_tensor_in_another_file_is_found_wherever_it_is(way):
    text = (
        "x.onnx keeps the tensor 'weight' in another file (ONNX external data); a bundle's "
        "networks hold all of their weights themselves: save it in one file"
    )
    with pytest.raises(BundleError, match=f"^{re.escape(text)}$"):
        check_self_contained(model(EXTERNAL, way), "x.onnx")
    check_self_contained(model(INSIDE, way), "x.onnx")


@pytest.mark.parametrize(
    "tensor",
    [
        message(13, ENTRY),
        number(14, 1),
        number(14, 2**32 + 1),
        number(14, 2),
        number(14, 0) + number(14, 1) + number(14, 0),
        message(8, b"\xff") + number(14, 1),
    ],
)
def test_half_of_what_makes_a_tensor_external_is_enough(tensor):
    with pytest.raises(BundleError, match=r"keeps the tensor .* in another file"):
        check_self_contained(model(tensor), "x.onnx")


def test_graphs_may_nest_as_deep_as_they_like():
    graph = message(5, EXTERNAL)
    for _ in range(2000):
        graph = message(1, message(5, message(6, graph)))
    with pytest.raises(BundleError, match="keeps the tensor 'weight' in another file"):
        check_self_contained(message(7, graph), "x.onnx")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it holds no graph"),
        (b"not ONNX", "belongs to no field"),
        (number(1, 8), "it holds no graph"),
        (number(7, 8), "it holds no graph"),
        (b"\x3a", "the number at byte 1 has no end"),
        (b"\x3a\x05\x00", "goes on after its end"),
        (b"\x3a" + b"\xff" * 12, "the number at byte 1 has no end"),
        (message(7, b"\x0b"), "belongs to no field"),
        (message(7, b"\x00\x00"), "belongs to no field"),
        (message(7, b"\x2a\x02\x00"), "goes on after its end"),
        (message(7, b"\x09\x00"), "goes on after its end"),
    ],
)
def test_what_is_no_onnx_file_is_refused(data, reason):
    with pytest.raises(BundleError, match=f"x.onnx is no ONNX file: .*{reason}; export the run ag"):
        check_self_contained(data, "x.onnx")


def test_the_format_of_onnx_runtime_is_refused_since_nobody_here_can_look_into_it():
    with pytest.raises(BundleError, match=r"x.onnx has ONNX Runtime's own format; a bundle's netw"):
        check_self_contained(b"\x18\0\0\0ORTM" + bytes(40), "x.onnx")


def test_fields_of_every_type_are_passed_over():
    doubles = varint(2 << 3 | 5) + bytes(4) + varint(3 << 3 | 1) + bytes(8)
    attribute = doubles + number(3, 2**63) + message(4, b"\xff\xff")
    check_self_contained(message(7, message(1, message(5, attribute))), "x.onnx")


def test_the_networks_of_a_bundle_are_all_in_their_files(tiny_bundle):
    bundle = Bundle.open(tiny_bundle)
    check_self_contained(bundle.read(GENERATOR), GENERATOR)
