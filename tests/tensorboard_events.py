"""Reads what was written for TensorBoard, without TensorBoard."""

import struct
from pathlib import Path

from tensorboardX.proto import event_pb2


def read_events(path: Path):
    """Events of a TensorBoard file: records of a length, its checksum, the event, a checksum."""
    content = path.read_bytes()
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        yield event_pb2.Event.FromString(content[12 : 12 + length])
        content = content[16 + length :]


def points(path: Path, name: str) -> list[tuple[int, float]]:
    """Steps and values of one curve."""
    return [
        (event.step, value.simple_value)
        for event in read_events(path)
        for value in event.summary.value
        if value.tag == name
    ]
