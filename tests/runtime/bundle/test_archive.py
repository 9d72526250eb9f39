import io
import os
import re
import stat
import struct
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from packed_archives import archive_of, changed_manifest, contents_of, members_of

from t2f_runtime import Bundle, BundleError, FaceGenerator
from t2f_runtime.bundle.manifest import GENERATOR, MANIFEST, REFERENCE, SIGNATURE, TEXT_ENCODER
from t2f_runtime.bundle.zip_layout import MAXIMUM_MEMBERS, read_members
from t2f_runtime.verification import verify

FILES = (MANIFEST, GENERATOR, REFERENCE, TEXT_ENCODER, "tokenizer.model")
LAYOUT = "is not laid out as t2f pack does it: "
END_BYTES = 22
CENTRAL_BYTES = 46

LOAD_WATCHED = """
import sys
import numpy, onnxruntime, sentencepiece, tempfile
from t2f_runtime import FaceGenerator
opened = []

def watch(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        opened.append(str(path))
        assert not flags & 3, arguments
    assert event not in {"os.mkdir", "os.rename", "tempfile.mkstemp", "tempfile.mkdtemp"}, event

sys.addaudithook(watch)
FaceGenerator.load(sys.argv[1]).generate("a bald man")
assert opened.count(sys.argv[1]) == 1, opened
"""


@pytest.fixture(scope="module")
def contents(tiny_bundle):
    return contents_of(tiny_bundle)


@pytest.fixture(scope="module")
def archive(contents):
    return archive_of(contents.items())


@pytest.fixture
def packed(tmp_path, archive):
    path = tmp_path / "face.t2f"
    path.write_bytes(archive)
    return path


def refuses(path, data, message):
    path.write_bytes(data)
    with pytest.raises(BundleError, match=f"^{re.escape(f'{path}')}.*{re.escape(message)}"):
        Bundle.open(path)


def plain_zip(write, mode="w", start=b"") -> bytes:
    """A zip as Python's own module writes it."""
    buffer = io.BytesIO(start)
    with zipfile.ZipFile(buffer, mode) as archive:
        write(archive)
    return buffer.getvalue()


def directory_start(data) -> int:
    return struct.unpack_from("<I", data, len(data) - 6)[0]


def test_a_packed_bundle_draws_what_its_folder_draws(packed, tiny_bundle, generator):
    opened = FaceGenerator.load(packed)
    drawn = opened.generate("a bald man", seed=7, count=3)
    np.testing.assert_array_equal(drawn, generator.generate("a bald man", seed=7, count=3))
    assert Bundle.open(packed).bundle_id == Bundle.open(tiny_bundle).bundle_id
    assert verify(packed).maximum_levels <= 1


def test_a_packed_bundle_gives_the_bytes_of_its_files(packed, contents):
    bundle = Bundle.open(str(packed))
    assert bundle.path == packed
    for name in FILES[1:]:
        assert bundle.read(name) == contents[name]


def test_a_packed_bundle_is_opened_once_and_nothing_is_written(packed):
    result = subprocess.run(
        [sys.executable, "-B", "-c", LOAD_WATCHED, str(packed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")


def test_other_programs_unpack_the_layout_and_its_data_can_be_mapped(archive, contents):
    with zipfile.ZipFile(io.BytesIO(archive)) as plain:
        assert plain.testzip() is None
        assert plain.namelist() == list(FILES)
        for entry in plain.infolist():
            assert plain.read(entry) == contents[entry.filename]
            assert entry.compress_type == zipfile.ZIP_STORED
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)
            assert stat.filemode(entry.external_attr >> 16) == "-rw-r--r--"
    for member in members_of(contents.items()):
        assert member.start % 4096 == 0
        assert archive[member.start : member.stop] == contents[member.name]


def test_a_bundle_that_is_replaced_while_it_is_open_stays_what_it_was(packed, contents):
    bundle = Bundle.open(packed)
    packed.with_name("new").write_bytes(b"another")
    packed.with_name("new").replace(packed)
    assert bundle.read(GENERATOR) == contents[GENERATOR]


def test_a_bundle_that_is_truncated_while_it_is_open_is_an_error_and_no_crash(packed):
    bundle = Bundle.open(packed)
    size = packed.stat().st_size
    os.truncate(packed, 5000)
    with pytest.raises(BundleError, match=rf"was truncated while it was open: 5000 of {size} byt"):
        bundle.read(GENERATOR)


def test_a_precision_that_a_packed_bundle_lacks_is_refused(packed):
    with pytest.raises(BundleError, match="no networks of precision 'int8'; it has: float32"):
        Bundle.open(packed, keep="int8")


@pytest.mark.parametrize("keep", [None, "float32"])
@pytest.mark.parametrize("name", FILES)
def test_one_flipped_bit_of_any_file_is_noticed(packed, archive, contents, name, keep):
    member = next(m for m in members_of(contents.items()) if m.name == name)
    data = bytearray(archive)
    data[member.start + member.size // 2] ^= 1
    packed.write_bytes(data)
    reason = "CRC-32 differs" if name == MANIFEST else "SHA-256 is [0-9a-f]{64} instead of"
    with pytest.raises(BundleError, match=f"face.t2f: {name} is altered: its {reason}"):
        Bundle.open(packed, keep=keep)


def test_every_byte_beside_the_data_is_checked(archive, contents):
    members = members_of(contents.items())
    is_data = np.zeros(len(archive), dtype=bool)
    for member in members:
        is_data[member.start : member.stop] = True
    beside = np.flatnonzero(~is_data)
    assert len(beside) > 8000
    # All of the records, and some of the padding, which is most.
    padding = beside[np.array([archive[position] == 0 for position in beside])]
    skipped = set(padding.tolist()) - set(padding[::13].tolist())
    data = bytearray(archive)
    for position in set(beside.tolist()) - skipped:
        data[position] ^= 0x41
        with memoryview(data) as view, pytest.raises(BundleError):
            read_members(view, "x")
        data[position] ^= 0x41
    assert read_members(memoryview(data), "x") == tuple(members)


@pytest.mark.parametrize(
    "name",
    [
        *("../evil", "engines/../../evil", "/etc/evil", "C:/evil", "C:evil", "C:\\evil", "a\\b"),
        *("a//b", "./a", "a/", "/", ".hidden", "a.", "a ", "nul.onnx", "engines/COM1", "é.onnx"),
        *("a\x1b[2J", "\u202e", "x\ny"),
    ],
)
def test_a_name_that_could_leave_the_folder_or_mean_something_else_is_refused(tmp_path, name):
    data = plain_zip(lambda archive: archive.writestr(name, b"x"))
    refuses(tmp_path / "x.t2f", data, "has a file named ")


def test_a_file_that_is_there_twice_is_refused(tmp_path, contents):
    pairs = [*contents.items(), (GENERATOR, b"another")]
    refuses(tmp_path / "x.t2f", archive_of(pairs), "has 'generator.onnx' twice")
    # Python has one object for each name of one letter.
    refuses(
        tmp_path / "y.t2f", archive_of([*contents.items(), ("a", b""), ("a", b"")]), "'a' twice"
    )


def test_files_whose_names_differ_only_in_case_are_refused(tmp_path, contents):
    pairs = [*contents.items(), ("Generator.ONNX", b"another")]
    message = "has 'generator.onnx' and 'Generator.ONNX', which some systems cannot tell apart"
    refuses(tmp_path / "x.t2f", archive_of(pairs), message)


def test_a_symbolic_link_is_refused(tmp_path):
    link = zipfile.ZipInfo(GENERATOR)
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = plain_zip(lambda archive: archive.writestr(link, "/etc/passwd"))
    refuses(tmp_path / "x.t2f", data, "has 'generator.onnx' as a symbolic link")


@pytest.mark.parametrize("flag", [0x1, 0x40, 0x2000])
def test_an_encrypted_file_is_refused(tmp_path, archive, flag):
    data = bytearray(archive)
    struct.pack_into("<H", data, directory_start(data) + 8, flag)
    refuses(tmp_path / "x.t2f", data, "has 'manifest.json' encrypted")


def test_a_compressed_file_is_refused_before_it_is_unpacked(tmp_path):
    def write(archive):
        archive.writestr(MANIFEST, b" " * 2**20, compress_type=zipfile.ZIP_DEFLATED)

    data = plain_zip(write)
    assert len(data) < 2000
    refuses(tmp_path / "x.t2f", data, "has 'manifest.json' compressed (method 8)")


@pytest.mark.parametrize(("size", "word"), [(9077, "is altered"), (9079, "is truncated")])
def test_a_size_that_the_manifest_does_not_give_is_refused(tmp_path, contents, size, word):
    changed = changed_manifest(contents, lambda f: f["files"][GENERATOR].update(bytes=size))
    refuses(tmp_path / "x.t2f", archive_of(changed.items()), f"generator.onnx {word}: 9078 ")


def test_a_file_that_the_manifest_does_not_list_is_refused(tmp_path, contents):
    pairs = [*contents.items(), ("more.onnx", b"x")]
    refuses(tmp_path / "x.t2f", archive_of(pairs), "holds 'more.onnx', which its manifest.json doe")


def test_a_manifest_that_lists_its_signature_is_refused(tmp_path, contents):
    entry = {"bytes": 1, "sha256": "0" * 64}
    changed = changed_manifest(contents, lambda f: f["files"].update({SIGNATURE: entry}))
    pairs = [*changed.items(), (SIGNATURE, b"x")]
    refuses(tmp_path / "x.t2f", archive_of(pairs), "files names 'signature.json', which signs the")


def test_a_file_that_only_the_manifest_has_is_refused(tmp_path, contents):
    pairs = [(name, content) for name, content in contents.items() if name != REFERENCE]
    refuses(tmp_path / "x.t2f", archive_of(pairs), "lacks 'reference.png', though its manifest")


@pytest.mark.parametrize("names", [(), FILES[1:]])
def test_an_archive_without_a_manifest_is_refused(tmp_path, contents, names):
    pairs = [(name, contents[name]) for name in names]
    refuses(tmp_path / "x.t2f", archive_of(pairs), "holds no manifest.json; pack a bundle with")


def test_a_manifest_of_absurd_size_is_not_read(tmp_path):
    data = archive_of([(MANIFEST, bytes(16 * 2**20 + 1))])
    refuses(tmp_path / "x.t2f", data, "a manifest has 16777216 at most")


def test_a_bundle_is_refused_wherever_it_was_cut_off(archive):
    cuts = {*range(4, len(archive), 1009), *range(len(archive) - 500, len(archive))}
    for length in sorted(cuts):
        with pytest.raises(BundleError, match=r"^x is truncated: it ends without a directory"):
            read_members(memoryview(archive)[:length], "x")


@pytest.mark.parametrize("data", [b"P", b"PK", b"\x89PNG" * 100, b"\0" * 5000])
def test_what_is_no_zip_is_refused(tmp_path, data):
    path = tmp_path / "x.t2f"
    refuses(path, data, f"is no packed bundle; make one with: t2f pack BUNDLE -o {path}")


def test_an_empty_file_is_refused(tmp_path):
    refuses(tmp_path / "x.t2f", b"", "is empty; copy it again")


def test_a_pipe_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "x.t2f")
    with pytest.raises(BundleError, match="is no folder and no packed bundle"):
        Bundle.open(tmp_path / "x.t2f")


def test_an_archive_of_zip64_is_refused(tmp_path, archive):
    message = "is a zip64 archive; a packed bundle is never so large"
    locator = b"PK\x06\x07" + bytes(16)
    refuses(tmp_path / "a.t2f", archive[:-END_BYTES] + locator + archive[-END_BYTES:], message)
    many = bytearray(archive)
    struct.pack_into("<HH", many, len(many) - 14, 2**16 - 1, 2**16 - 1)
    refuses(tmp_path / "b.t2f", many, message)


def test_more_files_than_a_bundle_has_are_refused_before_they_are_listed(tmp_path):
    count = MAXIMUM_MEMBERS + 1
    data = plain_zip(lambda archive: [archive.writestr(f"f{n}", b"") for n in range(count)])
    refuses(tmp_path / "x.t2f", data, f"says that it holds {count} files; a bundle has 1024 at mo")


def test_members_that_share_their_data_are_refused(tmp_path, archive, contents):
    members = members_of(contents.items())
    data = bytearray(archive)
    first = directory_start(data)
    second = first + CENTRAL_BYTES + len(MANIFEST)
    struct.pack_into("<I", data, second + 42, members[0].offset)
    refuses(tmp_path / "x.t2f", data, f"{LAYOUT}the directory is another")


def test_a_size_that_differs_between_header_and_directory_is_refused(tmp_path, archive):
    data = bytearray(archive)
    first = directory_start(data)
    struct.pack_into("<I", data, first + 20, 10)
    refuses(tmp_path / "a.t2f", data, "says that 'manifest.json' has 2833 bytes, and 10 where it")
    struct.pack_into("<I", data, first + 24, 10)
    refuses(tmp_path / "b.t2f", data, f"{LAYOUT}the header of 'manifest.json'")
    struct.pack_into("<II", data, first + 20, 2**32 - 1, 2**32 - 1)
    refuses(tmp_path / "c.t2f", data, LAYOUT)


@pytest.mark.parametrize(("position", "value"), [(10, 1), (12, 2**31), (16, 2**31), (4, 1)])
def test_an_end_that_lies_about_its_directory_is_refused(tmp_path, archive, position, value):
    data = bytearray(archive)
    size = "<I" if position >= 12 else "<H"
    struct.pack_into(size, data, len(data) - END_BYTES + position, value)
    refuses(tmp_path / "x.t2f", data, LAYOUT)


@pytest.mark.parametrize("count", [1, 100])
def test_bytes_before_the_beginning_are_refused(tmp_path, archive, count):
    data = b"#" * count + archive
    refuses(tmp_path / "x.t2f", data, f"has {count} bytes before its beginning")


def test_bytes_before_the_beginning_that_the_directory_counts_are_refused(tmp_path, contents):
    def write(archive):
        for name, content in contents.items():
            archive.writestr(name, content)

    data = plain_zip(write, "a", b"#!/bin/sh\n")
    with zipfile.ZipFile(io.BytesIO(data)) as plain:
        assert plain.testzip() is None
    refuses(tmp_path / "x.t2f", data, f"{LAYOUT}the header of 'manifest.json'")


@pytest.mark.parametrize("count", [1, 100])
def test_bytes_after_the_end_are_refused(tmp_path, archive, count):
    refuses(tmp_path / "a.t2f", archive + b"#" * count, f"has {count} bytes after its end")
    comment = archive[:-2] + struct.pack("<H", count) + b"#" * count
    refuses(tmp_path / "b.t2f", comment, f"has {count} bytes after its end")


def test_a_zip_that_another_program_made_is_told_what_packs_it(tmp_path, contents):
    def write(archive):
        for name, content in contents.items():
            archive.writestr(name, content)

    refuses(tmp_path / "x.t2f", plain_zip(write), "or pack the bundle's folder again with: t2f pac")
