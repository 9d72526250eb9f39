import json
from pathlib import Path

from t2f_runtime.service.messages import MAXIMUM_CANDIDATES
from t2f_runtime.service.schema import make_schema, write_schema
from t2f_runtime.service.server import METHODS

SCHEMA = Path(__file__).parents[3] / "docs" / "serve.schema.json"


def references(part):
    """Every `$ref` of a schema."""
    if isinstance(part, dict):
        found = [part["$ref"]] if "$ref" in part else []
        return found + [name for value in part.values() for name in references(value)]
    return [name for value in part for name in references(value)] if isinstance(part, list) else []


def test_the_schema_in_the_documentation_is_current():
    how = "write it anew with: python -m t2f_runtime.service.schema > docs/serve.schema.json"
    assert SCHEMA.read_text("utf-8") == write_schema(), how


def test_every_reference_leads_somewhere():
    schema = json.loads(write_schema())
    found = set(references(schema))
    assert len(found) > 10
    assert found == {f"#/$defs/{name}" for name in schema["$defs"]}


def test_every_method_is_described_with_its_limits():
    definitions = make_schema()["$defs"]
    requests = {
        request["properties"]["method"]["const"]: request
        for request in definitions["Request"]["anyOf"]
    }
    assert list(requests) == list(METHODS)
    assert requests["cancel"]["required"] == ["id", "method", "params"]
    assert requests["info"]["required"] == ["id", "method"]
    candidates = definitions["CandidatesParams"]
    assert candidates["additionalProperties"] is False
    assert candidates["properties"]["count"]["maximum"] == MAXIMUM_CANDIDATES
    assert candidates["properties"]["seed"]["maximum"] == 2**64 - 1
    assert definitions["Face"]["properties"]["data"]["contentEncoding"] == "base64"
