"""Spoils valid inputs: bytes as a failing disk would, JSON as somebody who means harm would.

Everything is drawn from one `random.Random`, so that an input can be made again from its number.
"""

import copy
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Json = Any

_WIDTHS = (1, 2, 4, 8)
_SPECIAL_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 2**64 - 1)
_LONGEST_CHUNK = 64
_DEPTHS = (10, 500, 1100, 20_000)
_TEXTS = (
    "",
    "\0",
    "\ud800",
    "../x",
    "/etc/passwd",
    "C:\\x",
    "con",
    "a" * 300,
    "a/" * 300 + "a",
    "é\u0301\u202e\U0001f469\u200d\U0001f9b3",
    "0" * 64,
    "f" * 128,
    "float16",
    "lock",
    "9.99",
)


class Raw(str):
    """Text that is written into JSON as it is, whether that is JSON or not."""


class Pairs(list[tuple[str, Json]]):
    """An object of JSON, in which a key may be twice."""


NUMBERS: tuple[Json, ...] = (
    0,
    -1,
    1,
    3,
    2**31,
    2**53 + 1,
    2**63,
    2**64 - 1,
    2**64,
    2**200,
    0.5,
    -0.0,
    Raw("1e308"),
    Raw("1e999"),
    Raw("1" * 4301),
    Raw("-" + "7" * 100_000),
    Raw("0." + "3" * 5000),
    Raw("NaN"),
    Raw("Infinity"),
)
OTHERS: tuple[Json, ...] = (None, True, False, [], Pairs(), [[]], [None] * 3)


def spoil_bytes(random: random.Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Spoils bytes in one to four places.

    Args:
        random: All chance.
        data: Any bytes.
        others: What pieces may come from, beside `data`.
    """
    spoilt = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        random.choice(_BYTE_CHANGES)(random, spoilt, random.choice((data, *others)))
    return bytes(spoilt)


def _flip_bit(random: random.Random, data: bytearray, _: bytes) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_number(random: random.Random, data: bytearray, _: bytes) -> None:
    """A length field of any width, or what happens to lie there."""
    width = random.choice(_WIDTHS)
    if len(data) >= width:
        place = random.randrange(len(data) - width + 1)
        odd = (len(data), len(data) + 1, random.getrandbits(64))
        number = random.choice((*_SPECIAL_NUMBERS, *odd))
        order = random.choice(("little", "big"))
        data[place : place + width] = (number % 256**width).to_bytes(width, order)


def _truncate(random: random.Random, data: bytearray, _: bytes) -> None:
    del data[random.randrange(len(data) + 1) :]


def _cut_out(random: random.Random, data: bytearray, _: bytes) -> None:
    place = random.randrange(len(data) + 1)
    del data[place : place + random.randrange(_LONGEST_CHUNK)]


def _insert(random: random.Random, data: bytearray, other: bytes) -> None:
    place = random.randrange(len(data) + 1)
    start = random.randrange(len(other) + 1)
    piece = other[start : start + random.randrange(_LONGEST_CHUNK)]
    data[place:place] = random.choice((piece, random.randbytes(len(piece)), bytes(len(piece))))


def _overwrite(random: random.Random, data: bytearray, other: bytes) -> None:
    start = random.randrange(len(other) + 1)
    piece = other[start : start + random.randrange(_LONGEST_CHUNK)]
    place = random.randrange(len(data) + 1)
    data[place : place + len(piece)] = piece


def _splice(random: random.Random, data: bytearray, other: bytes) -> None:
    data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]


def _repeat(random: random.Random, data: bytearray, _: bytes) -> None:
    start = random.randrange(len(data) + 1)
    piece = bytes(data[start : start + random.randrange(_LONGEST_CHUNK)])
    data[start:start] = piece * random.randrange(1, 200)


_BYTE_CHANGES: tuple[Callable[[random.Random, bytearray, bytes], None], ...] = (
    _flip_bit,
    _flip_bit,
    _set_number,
    _set_number,
    _truncate,
    _cut_out,
    _insert,
    _overwrite,
    _splice,
    _repeat,
)


def spoil_json(random: random.Random, data: bytes, *, most: int = 3) -> bytes:
    """Spoils JSON so that it stays JSON, or nearly: values, keys, order, depth and size.

    Args:
        random: All chance.
        data: Valid JSON.
        most: The most places.
    """
    tree = [json.loads(data, object_pairs_hook=Pairs)]  # in a list, so that the root has a place
    for _ in range(random.randint(1, most)):
        places = _places(tree)
        if not places:
            return b""
        container, index = random.choice(places)
        random.choice(_JSON_CHANGES)(random, container, index, places)
    return write_json(tree[0], is_ascii=random.random() < 0.5) if tree else b""


def _places(tree: Json) -> list[tuple[Any, int]]:
    """Every place in a tree that holds a value, the shallow ones more often."""
    found: list[tuple[Any, int]] = []
    waiting: list[tuple[Any, int]] = [(tree, 0)]
    while waiting:
        container, depth = waiting.pop()
        for index, item in enumerate(container):
            found.extend([(container, index)] * max(1, 4 - depth))
            value = item[1] if isinstance(container, Pairs) else item
            if isinstance(value, list) and depth < 40:
                waiting.append((value, depth + 1))
    return found


def _get(container: Any, index: int) -> Json:  # noqa: ANN401 (whatever JSON holds)
    return container[index][1] if isinstance(container, Pairs) else container[index]


def _put(container: Any, index: int, value: Json) -> None:  # noqa: ANN401 (as above)
    container[index] = (container[index][0], value) if isinstance(container, Pairs) else value


def _replace(random: random.Random, container: Any, index: int, _: Any) -> None:  # noqa: ANN401
    kind = random.choice((NUMBERS, NUMBERS, _TEXTS, OTHERS))
    _put(container, index, copy.deepcopy(random.choice(kind)))


def _nudge(random: random.Random, container: Any, index: int, _: Any) -> None:  # noqa: ANN401
    """A value that is nearly the one before."""
    value = _get(container, index)
    if isinstance(value, bool) or value is None:
        value = not value
    elif isinstance(value, int):
        value = random.choice((value + 1, value - 1, -value, 2 * value, value * 2**32))
    elif isinstance(value, float):
        value = random.choice((-value, value * 1e30, int(value)))
    elif isinstance(value, str):
        value = spoil_bytes(random, value.encode("utf-8", "surrogatepass"))
        value = value.decode("utf-8", "replace")
    else:
        random.shuffle(value)
    _put(container, index, value)


def _remove(_: random.Random, container: Any, index: int, __: Any) -> None:  # noqa: ANN401
    if len(container) > index:
        del container[index]


def _double(random: random.Random, container: Any, index: int, _: Any) -> None:  # noqa: ANN401
    """A key that is there twice, or a list that is longer."""
    times = random.choice((1, 1, 1, 50, 1000))
    container[index:index] = [copy.deepcopy(container[index]) for _ in range(times)]


def _rename(random: random.Random, container: Any, index: int, _: Any) -> None:  # noqa: ANN401
    if isinstance(container, Pairs):
        other = random.choice(container)[0]
        container[index] = (random.choice((*_TEXTS, other)), container[index][1])


def _swap(random: random.Random, container: Any, index: int, places: Any) -> None:  # noqa: ANN401
    other, place = random.choice(places)
    if len(other) > place and len(container) > index:
        first, second = _get(container, index), _get(other, place)
        if not isinstance(first, list) and not isinstance(second, list):  # no tree in itself
            _put(container, index, second)
            _put(other, place, first)


def _nest(random: random.Random, container: Any, index: int, _: Any) -> None:  # noqa: ANN401
    depth = random.choice(_DEPTHS)
    start, end = random.choice((("[", "]"), ('{"a":', "}")))
    is_closed = random.random() < 0.8
    inner = random.choice(("1", "null", '"x"'))
    _put(container, index, Raw(start * depth + inner + end * (depth if is_closed else 0)))


def _add(random: random.Random, container: Any, index: int, _: Any) -> None:  # noqa: ANN401
    value = copy.deepcopy(random.choice((*NUMBERS, *OTHERS)))
    key = random.choice(_TEXTS)
    container.insert(index, (key, value) if isinstance(container, Pairs) else value)


_JSON_CHANGES: tuple[Callable[[random.Random, Any, int, Any], None], ...] = (
    _replace,
    _replace,
    _nudge,
    _nudge,
    _remove,
    _double,
    _rename,
    _swap,
    _nest,
    _add,
)


def write_json(value: Json, *, is_ascii: bool = True) -> bytes:
    """Writes a tree of `Pairs`, lists and `Raw` as JSON."""
    return _written(value, is_ascii=is_ascii).encode("utf-8", "surrogatepass")


def _written(value: Json, *, is_ascii: bool) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Pairs):
        pairs = (
            f"{_written(key, is_ascii=is_ascii)}:{_written(inner, is_ascii=is_ascii)}"
            for key, inner in value
        )
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(inner, is_ascii=is_ascii) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=is_ascii)
