import os
import re

import pytest

from t2f_runtime import Bundle, BundleError
from t2f_runtime.bundle.files import MAXIMUM_MANIFEST_BYTES
from t2f_runtime.bundle.manifest import GENERATOR, MANIFEST, REFERENCE, TEXT_ENCODER, TOKENIZER


def refuses(path, message):
    with pytest.raises(BundleError, match=re.escape(message)):
        Bundle.open(path)


def test_a_bundle_gives_the_bytes_of_its_files(tiny_bundle):
    bundle = Bundle.open(tiny_bundle)
    assert bundle.folder == tiny_bundle
    assert bundle.manifest.name == "tiny"
    assert bundle.read(TOKENIZER) == (tiny_bundle / TOKENIZER).read_bytes()


def test_a_bundle_opens_from_a_string_and_from_a_relative_path(tiny_bundle, monkeypatch):
    monkeypatch.chdir(tiny_bundle.parent)
    assert Bundle.open("tiny_bundle").bundle_id == Bundle.open(str(tiny_bundle)).bundle_id


def test_a_missing_folder_is_named(tmp_path):
    path = tmp_path / "x"
    refuses(
        path,
        f"{path} is no folder and no packed bundle; make a bundle with: t2f export RUN -o {path}",
    )


def test_a_folder_without_a_manifest_is_named(tmp_path):
    refuses(
        tmp_path,
        f"{tmp_path} holds no manifest.json; make a bundle with: t2f export RUN -o {tmp_path}",
    )


def test_errors_in_a_manifest_name_its_path(bundle, change_manifest):
    change_manifest(lambda fields: fields.update(schema_version=7))
    refuses(bundle, f"{bundle / MANIFEST} has schema version 7; this T2F reads version 3")


def test_a_manifest_of_absurd_size_is_not_read(bundle):
    os.truncate(bundle / MANIFEST, MAXIMUM_MANIFEST_BYTES + 1)
    refuses(bundle, f"has {MAXIMUM_MANIFEST_BYTES + 1} bytes; a manifest has 16777216 at most")


def test_a_manifest_that_is_a_folder_is_refused(bundle):
    (bundle / MANIFEST).unlink()
    (bundle / MANIFEST).mkdir()
    refuses(bundle, f"{bundle / MANIFEST} is not a regular file")


@pytest.mark.parametrize("name", [TOKENIZER, TEXT_ENCODER, GENERATOR, REFERENCE])
def test_a_missing_file_is_named(bundle, name):
    (bundle / name).unlink()
    refuses(bundle, f"{bundle / name} is missing, though manifest.json lists it")


@pytest.mark.parametrize("name", [TOKENIZER, TEXT_ENCODER, GENERATOR, REFERENCE])
def test_a_truncated_file_is_named_with_its_sizes(bundle, name):
    size = (bundle / name).stat().st_size
    os.truncate(bundle / name, 10)
    refuses(bundle, f"{bundle / name} is truncated: 10 of {size} bytes")


def test_a_file_that_grew_is_named_with_its_sizes(bundle):
    size = (bundle / GENERATOR).stat().st_size
    with (bundle / GENERATOR).open("ab") as file:
        file.write(b"x")
    refuses(bundle, f"{bundle / GENERATOR} is altered: {size + 1} bytes instead of {size}")


@pytest.mark.parametrize("keep", [None, "float32"])
@pytest.mark.parametrize("name", [TOKENIZER, TEXT_ENCODER, GENERATOR, REFERENCE])
def test_one_flipped_bit_is_noticed(bundle, name, keep):
    data = bytearray((bundle / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} is altered: its SHA-256 is [0-9a-f]{{64}}"):
        Bundle.open(bundle, keep=keep)


def test_a_link_that_leaves_the_folder_is_refused_by_name(bundle, tmp_path):
    outside = (bundle / GENERATOR).rename(tmp_path / "outside.onnx")
    (bundle / GENERATOR).symlink_to(outside)
    refuses(bundle, f"{bundle / GENERATOR} leads outside the bundle, to {outside}")


def test_a_link_within_the_folder_is_followed(bundle):
    (bundle / GENERATOR).rename(bundle / "moved.onnx")
    (bundle / GENERATOR).symlink_to("moved.onnx")
    assert Bundle.open(bundle).read(GENERATOR) == (bundle / "moved.onnx").read_bytes()


def test_a_bundle_opens_through_a_link_to_its_folder(bundle, tmp_path):
    (tmp_path / "link").symlink_to(bundle)
    assert Bundle.open(tmp_path / "link").manifest.name == "tiny"


def test_a_link_to_itself_is_refused(bundle):
    (bundle / GENERATOR).unlink()
    (bundle / GENERATOR).symlink_to(GENERATOR)
    refuses(bundle, f"{bundle / GENERATOR} cannot be read")


def test_a_folder_in_place_of_a_file_is_refused(bundle):
    (bundle / GENERATOR).unlink()
    (bundle / GENERATOR).mkdir()
    refuses(bundle, f"{bundle / GENERATOR} is not a regular file")


def test_a_pipe_in_place_of_a_file_is_refused_without_waiting(bundle):
    (bundle / GENERATOR).unlink()
    os.mkfifo(bundle / GENERATOR)
    refuses(bundle, f"{bundle / GENERATOR} is not a regular file")


def test_a_name_that_no_file_system_takes_is_refused(bundle, change_manifest):
    name = "x" * 5000
    change_manifest(lambda fields: fields["files"].update({name: {"bytes": 1, "sha256": "0" * 64}}))
    refuses(bundle, "cannot be read: File name too long")


def test_a_file_that_changes_after_opening_is_refused_when_it_is_read(bundle):
    opened = Bundle.open(bundle)
    (bundle / GENERATOR).write_bytes(b"x" * (bundle / GENERATOR).stat().st_size)
    with pytest.raises(BundleError, match=f"{GENERATOR} is altered"):
        opened.read(GENERATOR)


def test_what_is_kept_needs_no_second_reading(bundle):
    opened = Bundle.open(bundle, keep="float32")
    for name in (TOKENIZER, TEXT_ENCODER, GENERATOR):
        data = (bundle / name).read_bytes()
        (bundle / name).unlink()
        assert opened.read(name) == data


def test_a_precision_that_the_bundle_lacks_is_refused(tiny_bundle):
    with pytest.raises(BundleError, match="no networks of precision 'int8'; it has: float32"):
        Bundle.open(tiny_bundle, keep="int8")


@pytest.mark.parametrize("name", [MANIFEST, "other.onnx", "../bundle/generator.onnx"])
def test_only_listed_files_are_read(bundle, name):
    (bundle / "other.onnx").write_bytes(b"x")
    with pytest.raises(BundleError, match=re.escape(f"lists no file {name!r}; it has: generator")):
        Bundle.open(bundle).read(name)


def test_the_id_depends_on_the_files_alone(bundle, tiny_bundle, change_manifest):
    change_manifest(lambda fields: fields.update(name="renamed"))
    renamed = Bundle.open(bundle)
    assert renamed.bundle_id == Bundle.open(tiny_bundle).bundle_id
    assert re.fullmatch("[0-9a-f]{64}", renamed.bundle_id)
    assert renamed.short_id == renamed.bundle_id[:12]
    change_manifest(lambda fields: (fields["files"].pop(REFERENCE), fields.update(references=[])))
    assert Bundle.open(bundle).bundle_id != renamed.bundle_id
