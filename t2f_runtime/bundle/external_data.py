"""Refuses ONNX files whose weights lie in other files, without the package onnx.

ONNX Runtime 1.32 does not: of a network that is loaded from memory it takes such weights from the
working directory, depending on what its optimiser does (tried). TensorRT's parser reads them, too.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from t2f_runtime.errors import BundleError

_NESTED: Final[dict[str, dict[int, str]]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}
"""The messages through which a file leads to its tensors, and the fields that hold others of them.

Source: onnx.proto of ONNX 1.23.
"""

_GRAPH: Final = 7
_TENSOR_NAME: Final = 8
_EXTERNAL_DATA: Final = 13
_DATA_LOCATION: Final = 14

# Wire types. Source: "Encoding" of Protocol Buffers' documentation.
_VARINT: Final = 0
_FIXED_64: Final = 1
_LENGTH: Final = 2
_FIXED_32: Final = 5

_LONGEST_VARINT: Final = 10
_ORT_MARK: Final = b"ORTM"
"""Bytes 4 to 8 of ONNX Runtime's own format, which it would read in the place of ONNX."""


def check_self_contained(model: bytes, source: str) -> None:
    """Refuses a network that is not all in its own file.

    Args:
        model: The file's bytes.
        source: What errors call it, such as its path.

    Raises:
        BundleError: A tensor names another file, or the bytes are no ONNX file.
    """
    try:
        outside = None if model[4:8] == _ORT_MARK else _external_tensor(model)
    except ValueError as error:
        raise BundleError(f"{source} is no ONNX file: {error}; export the run again") from error
    if model[4:8] == _ORT_MARK:
        raise BundleError(
            f"{source} has ONNX Runtime's own format; a bundle's networks are ONNX files"
        )
    if outside is not None:
        raise BundleError(
            f"{source} keeps the tensor {outside!r} in another file (ONNX external data); a "
            "bundle's networks hold all of their weights themselves: save it in one file"
        )


class _Field(NamedTuple):
    """A field of a message."""

    number: int
    wire_type: int
    value: int
    """What a varint says; 0 of other types."""
    start: int
    stop: int
    """Where the content of a field of `_LENGTH` lies."""


def _external_tensor(model: bytes) -> str | None:
    """Name of a tensor that lies outside the file; None where there is none."""
    waiting = [("ModelProto", 0, len(model))]  # no recursion: graphs nest as deep as a file likes
    has_graph = False
    while waiting:
        kind, start, stop = waiting.pop()
        if kind == "TensorProto":
            name = _external_name(model, start, stop)
            if name is not None:
                return name
            continue
        for field in _fields(model, start, stop):
            inner = _NESTED[kind].get(field.number)
            if inner is not None and field.wire_type == _LENGTH:
                waiting.append((inner, field.start, field.stop))
                has_graph = has_graph or (kind == "ModelProto" and field.number == _GRAPH)
    if not has_graph:
        raise ValueError("it holds no graph")
    return None


def _external_name(model: bytes, start: int, stop: int) -> str | None:
    name, is_external = "", False
    for field in _fields(model, start, stop):
        if field.number == _TENSOR_NAME and field.wire_type == _LENGTH:
            name = model[field.start : field.stop].decode(errors="replace")
        elif field.number == _EXTERNAL_DATA:
            is_external = True
        elif field.number == _DATA_LOCATION:
            # Readers cut it to 32 bits; whatever is not 0, "in this file", is refused.
            is_external = is_external or field.value % 2**32 != 0
    return name if is_external else None


def _fields(data: bytes, position: int, stop: int) -> Iterator[_Field]:
    """Gives the fields of the message between two positions; raises ValueError if it has none."""
    while position < stop:
        tag, position = _varint(data, position, stop)
        number, wire_type = tag >> 3, tag & 7
        value, start = 0, position
        if wire_type == _VARINT:
            value, position = _varint(data, position, stop)
        elif wire_type == _LENGTH:
            size, start = _varint(data, position, stop)
            position = start + size
        elif wire_type == _FIXED_64:
            position += 8
        elif wire_type == _FIXED_32:
            position += 4
        if wire_type not in {_VARINT, _LENGTH, _FIXED_64, _FIXED_32} or not 0 < number < 2**29:
            raise ValueError(f"byte {start} belongs to no field")
        if position > stop:
            raise ValueError(f"the field at byte {start} goes on after its end")
        yield _Field(number, wire_type, value, start, position)


def _varint(data: bytes, position: int, stop: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(data[position : min(stop, position + _LONGEST_VARINT)]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError(f"the number at byte {position} has no end")
