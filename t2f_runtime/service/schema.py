"""The JSON Schema of what `t2f serve --stdio` and its host say to each other.

    python -m t2f_runtime.service.schema > docs/serve.schema.json

A test holds the file against this.
"""

from typing import Any

import click
import msgspec

from t2f_runtime.service.messages import PROTOCOL, Failure, Hello, Id
from t2f_runtime.service.server import METHODS

_PREFIX = "#/$defs/"


def make_schema() -> dict[str, Any]:
    """Makes the schema: `Request` is what a host sends, the others what it gets, each one line.

    An answer does not name its method: which of the results it holds, the host knows by its id.
    """
    methods = METHODS.values()
    results = list(dict.fromkeys(method.result for method in methods))
    kinds = [Id, Hello, Failure, *results, *(method.params for method in methods)]
    (identifier, *schemas), definitions = msgspec.json.schema_components(
        kinds, ref_template=_PREFIX + "{name}"
    )
    for definition in definitions.values():
        # Of a docstring, what it is; the rest is for programmers of Python.
        what, _, _ = definition.get("description", "").partition("\n\n")
        definition["description"] = " ".join(what.split())
    parts = dict(zip(kinds[1:], schemas, strict=True))
    request_id = {"$ref": _PREFIX + "Id"}
    requests = [
        _object(
            {"id": request_id, "method": {"const": name}, "params": parts[method.params]},
            ["id", "method", *(["params"] if _has_required(method.params) else [])],
        )
        for name, method in METHODS.items()
    ]
    result = {"anyOf": [parts[result] for result in results]}
    answer = _object({"id": request_id, "result": result}, ["id", "result"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"t2f serve --stdio, protocol {PROTOCOL}",
        "description": "Each line is one message, in UTF-8. The host sends requests; the server "
        "sends a hello, and then an answer or a failure for each request, in any order.",
        "anyOf": [{"$ref": _PREFIX + name} for name in ("Request", "Answer", "Failure", "Hello")],
        "$defs": {
            "Request": {"anyOf": requests},
            "Answer": answer,
            "Id": identifier,
            **dict(sorted(definitions.items())),
        },
    }


def write_schema() -> str:
    """The schema as the text of a file."""
    schema = _with_whole_numbers(make_schema())
    return msgspec.json.format(msgspec.json.encode(schema), indent=2).decode() + "\n"


def _with_whole_numbers(part: Any) -> Any:  # noqa: ANN401 (JSON)
    """Writes 1.0 as 1: which of two equal bounds a type has depends on what was imported first."""
    if isinstance(part, dict):
        return {name: _with_whole_numbers(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_with_whole_numbers(value) for value in part]
    return int(part) if isinstance(part, float) and part.is_integer() else part


def _has_required(kind: type[msgspec.Struct]) -> bool:
    return any(field.required for field in msgspec.structs.fields(kind))


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


if __name__ == "__main__":
    click.echo(write_schema(), nl=False)
