"""Each of these was found by fuzzing or by breaking disks."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from t2f_runtime import Bundle, BundleError, KeyFileError, PackError, PictureError
from t2f_runtime.bundle.manifest import GENERATOR, MANIFEST, decode_manifest
from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.bundle.signing import new_keys
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.identikit import CaseError, CaseLog, Session, repair_log, verify_log
from t2f_runtime.identikit.case_file import decode_case, encode_case
from t2f_runtime.pictures.files import save_picture
from t2f_runtime.text.tokenizer import Tokenizer

NAMES = {"too long": "x" * 300, "with a NUL": "a\0b"}

READ_WHAT_IS_CUT_OFF = """
import os, sys
from t2f_runtime import Bundle, BundleError
from t2f_runtime.bundle.archive import PackedFiles

bundle = Bundle.open(sys.argv[1])
look_up = PackedFiles._member

def look_up_and_cut_off(self, name, entry):
    member = look_up(self, name, entry)
    os.truncate(sys.argv[1], 5000)
    return member

PackedFiles._member = look_up_and_cut_off
try:
    bundle.read("generator.onnx")
except BundleError as error:
    print(error)
"""


@pytest.fixture
def packed(tiny_bundle, tmp_path):
    path = tmp_path / "face.t2f"
    pack_bundle(tiny_bundle, path)
    return path


@pytest.fixture
def resized(tiny_bundle):
    """The manifest with other sizes, which agree with those of its networks' tensors."""

    def resize(**sizes) -> bytes:
        fields = json.loads((tiny_bundle / MANIFEST).read_bytes())
        graphs = fields["graphs"]["float32"]
        fields |= {name: size for name, size in sizes.items() if name in fields}
        fields["text"] |= {name: size for name, size in sizes.items() if name in fields["text"]}
        fields["latent_size"] = fields["condition_size"] + fields["noise_size"]
        side = fields["image_size"]
        graphs["generator"]["inputs"][0]["shape"] = ["batch", fields["latent_size"]]
        graphs["generator"]["outputs"][0]["shape"] = ["batch", side, side, 3]
        for tensor in graphs["text_encoder"]["outputs"]:
            tensor["shape"] = ["batch", fields["condition_size"]]
        return json.dumps(fields).encode()

    return resize


def test_a_packed_bundle_that_is_cut_off_while_it_is_read_ends_no_process(packed):
    # Reading a memory map beyond the end of its file did, with SIGBUS.
    done = subprocess.run(
        [sys.executable, "-c", READ_WHAT_IS_CUT_OFF, packed],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "face.t2f was truncated while it was open: 5000 of" in done.stdout


@pytest.mark.skipif(not hasattr(os, "pread"), reason="this system reads in another way")
def test_a_packed_bundle_on_a_disk_that_fails_is_an_error(packed, monkeypatch):
    bundle = Bundle.open(packed)

    def fail(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(
        BundleError, match=r"face\.t2f: generator\.onnx cannot be read: Input/output"
    ):
        bundle.read(GENERATOR)
    with pytest.raises(BundleError, match=r"face\.t2f cannot be read: Input/output error"):
        Bundle.open(packed)


def test_an_archive_whose_directory_would_fill_the_memory_is_refused_unread(packed):
    data = bytearray(packed.read_bytes())
    large = bytearray(2**21) + data[-22:]  # an end that says: all before me is the directory
    large[-10:-2] = (2**21).to_bytes(4, "little") + (0).to_bytes(4, "little")
    packed.write_bytes(large)
    with pytest.raises(BundleError, match="is not laid out as t2f pack does it: the end of the"):
        Bundle.open(packed)


@pytest.mark.parametrize("kind", NAMES)
def test_a_path_that_no_system_has_is_an_error_of_its_reader(kind, tmp_path):
    path = tmp_path / NAMES[kind]
    with pytest.raises(BundleError, match=r"cannot be read|no folder and no packed bundle"):
        Bundle.open(path)
    with pytest.raises(KeyFileError, match="cannot be read"):
        PublicKey.read(path)
    for read in (verify_log, repair_log):
        with pytest.raises(CaseError, match="cannot be read"):
            read(path)


@pytest.mark.parametrize("kind", NAMES)
def test_a_path_that_no_system_has_is_an_error_of_its_writer(kind, tmp_path, tiny_bundle, packed):
    path = tmp_path / NAMES[kind]
    with pytest.raises(PackError, match="cannot be written"):
        pack_bundle(tiny_bundle, path)
    with pytest.raises(PackError, match="cannot be written"):
        unpack_bundle(packed, path)
    with pytest.raises(CaseError, match="cannot be written"):
        CaseLog.open(path)
    with pytest.raises(PictureError, match="cannot be written"):
        save_picture(Image.new("RGB", (8, 8)), path.with_name(f"{path.name}.png"), notes={})


@pytest.mark.parametrize("kind", NAMES)
def test_keys_that_cannot_have_that_name_are_an_error(kind, tmp_path):
    pytest.importorskip("cryptography", reason="needs the extra signing")
    with pytest.raises(KeyFileError, match="cannot be written"):
        new_keys(tmp_path / NAMES[kind])


@pytest.mark.parametrize(
    ("size", "largest"),
    [
        ("image_size", 4096),
        ("condition_size", 2**14),
        ("noise_size", 2**14),
        ("maximum_tokens", 4096),
        ("maximum_characters", 2**16),
    ],
)
def test_a_manifest_that_asks_for_more_than_any_memory_has_is_refused(resized, size, largest):
    decode_manifest(resized(**{size: largest}))
    for more in (2 * largest, 2**40, 2**100):
        with pytest.raises(BundleError, match=rf"`int`.*\.{size}"):
            decode_manifest(resized(**{size: more}))


def test_a_manifest_with_references_beyond_number_is_refused(tiny_bundle):
    fields = json.loads((tiny_bundle / MANIFEST).read_bytes())
    fields["references"] = fields["references"][:1] * 1001
    with pytest.raises(BundleError, match=r"length <= 1000 - at `\$\.references`"):
        decode_manifest(json.dumps(fields).encode())


def test_a_tokenizer_whose_own_error_is_no_text_is_refused(tiny_bundle):
    model = (tiny_bundle / "tokenizer.model").read_bytes()
    spoilt = model.replace(b"<0xF4>", b"<0\x80F4>")
    assert spoilt != model
    with pytest.raises(BundleError, match="the tokenizer is not a SentencePiece model"):
        Tokenizer(spoilt, maximum_tokens=64)


def test_a_lock_without_a_name_is_no_case(generator):
    session = Session.start("a bald man", generator).lock("a hat")
    fields = json.loads(encode_case(session.case))
    assert fields["case"]["steps"][1]["arguments"].pop("name") == "a hat"
    with pytest.raises(CaseError, match="step 1 is a lock without a name"):
        decode_case(json.dumps(fields).encode())
