import contextlib
import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from t2f_runtime.bundle.manifest import MANIFEST, Manifest, decode_manifest, encode_manifest
from t2f_runtime.errors import BundleError, T2FError


@pytest.fixture
def fields(tiny_bundle):
    return json.loads((tiny_bundle / MANIFEST).read_text())


def decode(fields) -> Manifest:
    return decode_manifest(json.dumps(fields).encode())


def test_a_manifest_is_read_back_as_it_was_written(tiny_manifest):
    assert decode_manifest(encode_manifest(tiny_manifest)) == tiny_manifest


def test_equal_manifests_are_written_as_equal_bytes(tiny_manifest):
    turned = dict(reversed(tiny_manifest.files.items()))
    assert list(turned) != list(tiny_manifest.files)
    other = msgspec.structs.replace(tiny_manifest, files=turned)
    assert encode_manifest(other) == encode_manifest(tiny_manifest)


def test_a_written_manifest_is_indented_and_ends_with_a_newline(tiny_manifest):
    written = encode_manifest(tiny_manifest)
    assert written.startswith(b'{\n  "schema_version": 3,\n')
    assert written.endswith(b"}\n")


def test_the_committed_manifest_is_in_the_form_that_is_written(tiny_bundle, tiny_manifest):
    assert (tiny_bundle / MANIFEST).read_bytes() == encode_manifest(tiny_manifest)


@pytest.mark.parametrize("version", [1, 2, 7])
def test_another_schema_version_is_refused_before_its_fields_are_read(version):
    data = b'{"schema_version": %d, "t2f_version": "9.1", "brand_new": {}}' % version
    message = (
        f"manifest.json has schema version {version}; this T2F reads version 3; "
        "export the run again or install the T2F that made it (t2f 9.1)"
    )
    with pytest.raises(BundleError, match=re.escape(message)):
        decode_manifest(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no manifest that this T2F reads"),
        (b"{", "is no manifest that this T2F reads"),
        (b"null", "Expected `object`, got `null`"),
        (b"\xff", "JSON is malformed"),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"provenance":' + b"[" * 100_000, "is no manifest that this T2F reads"),
        (b"{}", "missing required field `schema_version`"),
        (b'{"schema_version": "1"}', r"Expected `int`, got `str` - at `\$.schema_version`"),
        (b'{"schema_version": 3}', "missing required field `t2f_version`"),
    ],
)
def test_what_is_no_manifest_is_refused(data, message):
    with pytest.raises(BundleError, match=message):
        decode_manifest(data)


def set_path(fields, path, value):
    *parents, last = path
    for parent in parents:
        fields = fields[parent]
    fields[last] = value


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("image_size",), "8", r"Expected `int`, got `str` - at `\$.image_size`"),
        (("image_size",), 12, "image_size is 12; it must be a power of two, 4 or more"),
        (("image_size",), 2, "image_size is 2; it must be a power of two"),
        (("noise_size",), 5, "condition_size 4 and noise_size 5 do not add up to latent_size 8"),
        (("condition_size",), -1, r"Expected `int` >= 0 - at `\$.condition_size`"),
        (("text",), None, "text is null, but condition_size is 4; a model has all that text needs"),
        (("text", "kind"), "letters", r"Invalid enum value 'letters' - at `\$.text.kind`"),
        (
            ("graphs", "float32", "text_encoder"),
            None,
            r"text is given, but graphs\['float32'\].text_encoder is null; a model has all that",
        ),
        (
            ("references", 1, "description"),
            None,
            r"text is given, but references\[1\].description is null",
        ),
        (("graphs",), {}, "graphs lacks the precision 'float32'"),
        (("graphs", "float64"), {}, "Invalid enum value 'float64'"),
        (("surprise",), 1, "Object contains unknown field `surprise`"),
        (("files", "x"), {"bytes": 1, "sha256": "no"}, "matching regex"),
        (("text", "tokenizer"), "absent.model", "files lacks 'absent.model'"),
        (("graphs", "float32", "generator", "file"), "absent.onnx", "files lacks 'absent.onnx'"),
        (
            ("graphs", "float32", "generator", "outputs", 0, "name"),
            "picture",
            r"graphs\['float32'\].generator has the tensors .*picture uint8.*ask for.*image uint8",
        ),
        (
            ("graphs", "float32", "text_encoder", "inputs", 0, "dtype"),
            "int32",
            r"text_encoder has the tensors tokens int32.*ask for tokens int64",
        ),
        (
            ("graphs", "float32", "generator", "inputs", 0, "shape"),
            ["batch", 9],
            r"latent float32 \('batch', 9\).*ask for latent float32 \('batch', 8\)",
        ),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(fields, path, value, message):
    set_path(fields, path, value)
    with pytest.raises(BundleError, match=message):
        decode(fields)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"condition_size": 1, "noise_size": 3}, "text is null, but condition_size is 1;"),
        (
            {"references": [{"description": "a man", "seed": 0}]},
            r'text is null, but references\[0\].description is "a man";',
        ),
    ],
)
def test_a_manifest_without_text_has_nothing_of_it(textless_bundle, changes, message):
    fields = json.loads((textless_bundle / MANIFEST).read_text())
    assert not decode(fields).takes_text
    with pytest.raises(BundleError, match=message):
        decode({**fields, **changes})


def test_a_manifest_without_text_has_no_text_encoder(textless_bundle, fields):
    textless = json.loads((textless_bundle / MANIFEST).read_text())
    encoder = fields["graphs"]["float32"]["text_encoder"]
    textless["graphs"]["float32"]["text_encoder"] = encoder
    message = r"text is null, but graphs\['float32'\].text_encoder is \"text_encoder.onnx\""
    with pytest.raises(BundleError, match=message):
        decode(textless)


@pytest.mark.parametrize("field", ["text", "kind", "text_encoder", "description"])
def test_what_says_how_text_is_read_is_never_left_out(fields, field):
    places = {
        "text": fields,
        "kind": fields["text"],
        "text_encoder": fields["graphs"]["float32"],
        "description": fields["references"][0],
    }
    del places[field][field]
    with pytest.raises(BundleError, match=f"missing required field `{field}`"):
        decode(fields)


def test_references_without_their_picture_are_refused(fields):
    del fields["files"]["reference.png"]
    with pytest.raises(BundleError, match=r"files lacks 'reference.png'"):
        decode(fields)


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../generator.onnx",
        "engines/../../x",
        "engines//x",
        "engines/",
        "./x",
        "..",
        "",
        "engines\\x",
        "C:x",
        "C:/x",
        "x\0y",
        "x\ny",
    ],
)
def test_paths_that_may_leave_the_folder_are_refused_by_name(fields, name):
    fields["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    expected = f"files names {name!r}; a file of a bundle has a relative path inside its folder"
    with pytest.raises(BundleError, match=re.escape(expected)):
        decode(fields)


def test_a_manifest_cannot_list_itself(fields):
    fields["files"][MANIFEST] = {"bytes": 1, "sha256": "0" * 64}
    with pytest.raises(BundleError, match=r"files names 'manifest.json', which cannot hold its"):
        decode(fields)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_numbers_that_json_cannot_hold_are_refused_when_they_are_set(tiny_manifest, value):
    provenance = msgspec.structs.replace(tiny_manifest.provenance, metrics={"loss": value})
    with pytest.raises(ValueError, match=r"provenance.metrics\['loss'\] is (inf|nan); it must be"):
        msgspec.structs.replace(tiny_manifest, provenance=provenance)


@settings(deadline=None)  # a shared machine may pause for longer
@given(st.binary())
def test_any_bytes_are_read_or_refused_with_an_error_of_ours(data):
    with contextlib.suppress(T2FError):
        decode_manifest(data)


@settings(deadline=None)  # a shared machine may pause for longer
@given(position=st.integers(0, 2000), byte=st.integers(0, 255))
def test_any_byte_of_a_manifest_may_be_wrong(position, byte, tiny_manifest):
    data = bytearray(encode_manifest(tiny_manifest))
    data[position] = byte
    with contextlib.suppress(T2FError):
        decode_manifest(bytes(data))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=8,
)


@settings(deadline=None)  # a shared machine may pause for longer
@given(data=st.data(), value=json_values)
def test_any_field_may_hold_anything_and_only_errors_of_ours_escape(data, value, tiny_manifest):
    fields = json.loads(encode_manifest(tiny_manifest))
    target, key = fields, data.draw(st.sampled_from(sorted(fields)))
    while isinstance(target[key], dict) and target[key] and data.draw(st.booleans()):
        target = target[key]
        key = data.draw(st.sampled_from(sorted(target)))
    target[key] = value
    with contextlib.suppress(T2FError):
        decode(fields)
