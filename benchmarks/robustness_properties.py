"""The same targets under Hypothesis, which looks for small inputs and shrinks what fails."""

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from robustness_archives import lay_out
from robustness_fuzzing import Findings, run_one
from robustness_mutation import NUMBERS, Pairs, write_json
from robustness_target import Target

from t2f_runtime import T2FError

_TEXTS = st.text(st.characters(exclude_categories=()), max_size=200)
"""Any characters, lone surrogates and unassigned ones among them."""

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(NUMBERS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(st.tuples(st.text(max_size=20), inner), max_size=4).map(Pairs)
    ),
    max_leaves=8,
)


@st.composite
def _changed_json(draw: Callable[..., Any], seeds: list[bytes]) -> bytes:
    """Valid JSON with one to three values changed to any others."""
    tree = [json.loads(draw(st.sampled_from(seeds)), object_pairs_hook=Pairs)]
    for _ in range(draw(st.integers(1, 3))):
        container: Any = tree
        index = 0
        while True:  # down the tree, to any depth
            value = container[index][1] if isinstance(container, Pairs) else container[index]
            if not isinstance(value, list) or not value or draw(st.integers(0, 4)) == 0:
                break
            container, index = value, draw(st.integers(0, len(value) - 1))
        new = draw(_JSON)
        container[index] = (container[index][0], new) if isinstance(container, Pairs) else new
    return write_json(tree[0], is_ascii=False)


@st.composite
def _changed_bytes(draw: Callable[..., Any], seeds: list[bytes]) -> bytes:
    """Valid bytes with a piece of any length changed to another."""
    data: bytes = draw(st.sampled_from(seeds))
    start = draw(st.integers(0, len(data)))
    length = draw(st.integers(0, 16))
    new: bytes = draw(st.binary(max_size=16))
    return data[:start] + new + data[start + length :]


@st.composite
def _archives(draw: Callable[..., Any], seeds: list[bytes]) -> bytes:
    """Archives of any files, laid out rightly; or a valid one, changed in its records."""
    if draw(st.booleans()):
        data: bytes = draw(st.sampled_from(seeds))
        changed: bytes = draw(_changed_bytes([data[-400:]]))
        return data[:-400] + changed
    names = st.sampled_from(("manifest.json", "signature.json", "generator.onnx")) | st.text(
        st.characters(codec="ascii"), max_size=30
    )
    contents = draw(st.lists(st.tuples(names, st.binary(max_size=50)), max_size=5))
    return lay_out(contents)


def inputs_of(target: Target) -> st.SearchStrategy[bytes]:
    """What Hypothesis gives to a target."""
    seeds = list(target.seeds)
    match target.name:
        case "text":
            return _TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))
        case "manifest" | "bundle" | "case" | "signature" | "serve":
            return _changed_json(seeds) | _changed_bytes(seeds) | st.binary(max_size=100)
        case "archive":
            return _archives(seeds)
        case _:
            return _changed_bytes(seeds) | st.binary(max_size=100)


def run_property(target: Target, count: int) -> Findings:
    """Gives a target `count` inputs, the same each time; a failure is shrunk first."""
    found = Findings()

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,  # `run_one` has one
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs_of(target))
    def check(data: bytes) -> None:
        seconds = run_one(target, data, T2FError, found)
        found.slowest_ms = max(found.slowest_ms, 1000 * seconds)

    try:
        check()
    except Exception as error:  # noqa: BLE001 (whatever it is, it is a finding)
        notes = " ".join(getattr(error, "__notes__", ()))
        found.note_failure(found.count, type(error).__name__, f"{error} {notes}"[:2000])
    return found
