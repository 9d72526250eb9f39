import hashlib
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from packed_archives import archive_of, contents_of

from t2f_runtime import Bundle, BundleError, PackError
from t2f_runtime.bundle import packing
from t2f_runtime.bundle.manifest import GENERATOR, MANIFEST, REFERENCE
from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.cli import main

PROFILE = {"latent": {"minimum": [1, 8], "optimum": [4, 8], "maximum": [16, 8]}}


def t2f(*arguments):
    return CliRunner().invoke(main, [str(part) for part in arguments])


def files_of(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def with_engine(bundle, change_manifest):
    """The tiny bundle with an engine in its index."""
    plan = b"an engine" * 100

    def add(fields):
        entry = {
            "file": "engines/generator-sm_86.engine",
            "bytes": len(plan),
            "sha256": hashlib.sha256(plan).hexdigest(),
            "key": {
                "network": "generator",
                "precision": "float32",
                "source_sha256": fields["files"][GENERATOR]["sha256"],
                "flavour": "rtx",
                "library_version": "1.7.1",
                "target": {"compute_capability": "sm_86"},
                "profile": PROFILE,
                "options": {},
            },
        }
        fields["engines"] = [entry]

    change_manifest(add)
    (bundle / "engines").mkdir()
    (bundle / "engines" / "generator-sm_86.engine").write_bytes(plan)
    return bundle


def test_a_bundle_is_packed_as_the_layout_says(tiny_bundle, tmp_path):
    packed = pack_bundle(tiny_bundle, tmp_path / "face.t2f")
    data = (tmp_path / "face.t2f").read_bytes()
    assert data == archive_of(contents_of(tiny_bundle).items())
    assert (packed.files, packed.size, packed.left_out) == (5, len(data), ())


def test_equal_bundles_give_equal_bytes_whatever_their_files_times_and_modes(bundle, tmp_path):
    pack_bundle(bundle, tmp_path / "a.t2f")
    other = tmp_path / "other"
    other.mkdir()
    for path in sorted(bundle.iterdir(), reverse=True):
        shutil.copyfile(path, other / path.name)
        (other / path.name).chmod(0o700)
        os.utime(other / path.name, (1, 1))
    pack_bundle(other, tmp_path / "b.t2f")
    assert (tmp_path / "a.t2f").read_bytes() == (tmp_path / "b.t2f").read_bytes()


def test_what_is_unpacked_has_the_same_files_and_packs_to_the_same_bytes(with_engine, tmp_path):
    pack_bundle(with_engine, tmp_path / "a.t2f")
    unpacked = unpack_bundle(tmp_path / "a.t2f", tmp_path / "new" / "folder")
    files = files_of(tmp_path / "new" / "folder")
    assert files == files_of(with_engine)
    assert "engines/generator-sm_86.engine" in files
    assert (unpacked.files, unpacked.size) == (6, sum(map(len, files.values())))
    pack_bundle(tmp_path / "new" / "folder", tmp_path / "b.t2f")
    pack_bundle(tmp_path / "a.t2f", tmp_path / "c.t2f")
    data = (tmp_path / "a.t2f").read_bytes()
    assert (tmp_path / "b.t2f").read_bytes() == (tmp_path / "c.t2f").read_bytes() == data


def test_names_are_sorted_after_the_manifest_engines_among_them(with_engine, tmp_path):
    pack_bundle(with_engine, tmp_path / "a.t2f")
    with zipfile.ZipFile(tmp_path / "a.t2f") as plain:
        first, *others = plain.namelist()
    assert first == MANIFEST
    assert others == sorted(others)
    assert others[0] == "engines/generator-sm_86.engine"


def test_an_engine_is_read_from_where_it_is_packed(with_engine, tmp_path):
    pack_bundle(with_engine, tmp_path / "a.t2f")
    bundle = Bundle.open(tmp_path / "a.t2f")
    assert bundle.read_engine(bundle.manifest.engines[0]) == b"an engine" * 100


@pytest.mark.parametrize("name", [GENERATOR, "engines/generator-sm_86.engine"])
def test_an_altered_file_is_neither_packed_nor_unpacked(with_engine, tmp_path, name):
    pack_bundle(with_engine, tmp_path / "good.t2f")
    before = sorted(tmp_path.iterdir())
    data = bytearray((tmp_path / "good.t2f").read_bytes())
    content = (with_engine / name).read_bytes()
    data[data.index(content) + 5] ^= 1
    (tmp_path / "good.t2f").write_bytes(data)
    with pytest.raises(BundleError, match=f"good.t2f: {name} is altered"):
        unpack_bundle(tmp_path / "good.t2f", tmp_path / "folder")
    (with_engine / name).write_bytes(content[::-1])
    with pytest.raises(BundleError, match=f"{name} is altered"):
        pack_bundle(with_engine, tmp_path / "bad.t2f")
    assert sorted(tmp_path.iterdir()) == before


def test_files_that_the_manifest_does_not_list_are_left_out_and_named(bundle, tmp_path):
    (bundle / "engines").mkdir()
    (bundle / "engines" / ".lock").touch()
    (bundle / "notes\x1b.txt").write_text("mine")
    result = t2f("pack", bundle, "-o", tmp_path / "face.t2f")
    assert result.exit_code == 0, result.output
    size = (tmp_path / "face.t2f").stat().st_size
    assert result.stdout.splitlines() == [
        "left out engines/.lock: the manifest does not list it",
        "left out notes\\x1b.txt: the manifest does not list it",
        f"packed   {tmp_path / 'face.t2f'}: 5 files, {size / 2**20:.1f} MiB",
        f"id       {Bundle.open(bundle).bundle_id}",
    ]


def test_the_commands_draw_from_verify_and_describe_a_packed_bundle(tiny_bundle, tmp_path):
    packed, folder = tmp_path / "face.t2f", tmp_path / "folder"
    assert t2f("pack", tiny_bundle, "-o", packed).exit_code == 0
    drawn = []
    for place in (tiny_bundle, packed):
        result = t2f("generate", place, "a bald man", "-o", tmp_path / "face.png")
        assert result.stdout == f"{tmp_path / 'face.png'}: 1 face, 8x8 pixels\n"
        drawn.append((tmp_path / "face.png").read_bytes())
    assert drawn[0] == drawn[1]
    for command in ("info", "verify"):
        result = t2f(command, packed)
        assert (result.exit_code, result.stdout) == (0, t2f(command, tiny_bundle).stdout)
    result = t2f("unpack", packed, "-o", folder)
    assert result.stdout == f"unpacked {folder}: 5 files, 0.3 MiB\n"


@pytest.mark.parametrize(("command", "kind"), [("pack", "file"), ("unpack", "folder")])
def test_nothing_that_exists_is_overwritten(tiny_bundle, tmp_path, command, kind):
    pack_bundle(tiny_bundle, tmp_path / "face.t2f")
    (tmp_path / "taken").write_text("mine")
    source = tiny_bundle if command == "pack" else tmp_path / "face.t2f"
    result = t2f(command, source, "-o", tmp_path / "taken")
    message = f"Error: {tmp_path / 'taken'} exists already; name a new {kind}, or remove it first\n"
    assert (result.exit_code, result.stderr) == (1, message)
    assert (tmp_path / "taken").read_text() == "mine"


def test_a_folder_is_not_unpacked(tiny_bundle, tmp_path):
    with pytest.raises(PackError, match="tiny_bundle is a folder: there is nothing to unpack"):
        unpack_bundle(tiny_bundle, tmp_path / "new")


@pytest.mark.parametrize("work", [pack_bundle, unpack_bundle])
def test_a_full_disk_leaves_nothing_behind(tiny_bundle, tmp_path, monkeypatch, work):
    pack_bundle(tiny_bundle, tmp_path / "face.t2f")
    source = tiny_bundle if work is pack_bundle else tmp_path / "face.t2f"

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("t2f_runtime.atomic_files.os.fsync", full)
    with pytest.raises(PackError, match=r"out cannot be written: No space left on device"):
        work(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["face.t2f"]


def test_a_file_that_changes_while_it_is_packed_leaves_nothing_behind(
    bundle, tmp_path, monkeypatch
):
    original = packing.check_member_names

    def change(names, source):
        original(names, source)
        (bundle / REFERENCE).write_bytes(b"x" * (bundle / REFERENCE).stat().st_size)

    monkeypatch.setattr(packing, "check_member_names", change)
    with pytest.raises(BundleError, match=f"{REFERENCE} is altered"):
        pack_bundle(bundle, tmp_path / "face.t2f")
    assert list(tmp_path.iterdir()) == [bundle]


@pytest.mark.parametrize("name", ["é.txt", "a b.txt", "aux", "Reference.PNG", "MANIFEST.json"])
def test_a_name_that_some_system_cannot_unpack_is_not_packed(
    bundle, change_manifest, tmp_path, name
):
    (bundle / name).write_bytes(b"x")
    entry = {"bytes": 1, "sha256": hashlib.sha256(b"x").hexdigest()}
    change_manifest(lambda fields: fields["files"].update({name: entry}))
    with pytest.raises(BundleError, match=f"bundle has .*{re.escape(repr(name))}"):
        pack_bundle(bundle, tmp_path / "face.t2f")


def test_more_than_fits_is_not_packed(tiny_bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MAXIMUM_BYTES", 20_000)
    with pytest.raises(PackError, match="does not fit into one file: a packed bundle has less th"):
        pack_bundle(tiny_bundle, tmp_path / "face.t2f")
    monkeypatch.setattr(packing, "MAXIMUM_MEMBERS", 4)
    with pytest.raises(PackError, match="tiny_bundle has 5 files; a packed bundle has 4 at most"):
        pack_bundle(tiny_bundle, tmp_path / "face.t2f")
    assert list(tmp_path.iterdir()) == []


def test_info_gives_each_file_its_share_the_largest_first(with_engine, tmp_path):
    pack_bundle(with_engine, tmp_path / "a.t2f")
    lines = t2f("info", tmp_path / "a.t2f").stdout.splitlines()
    listed = [line.split() for line in lines if re.match("file:|engine:", line)]
    assert [words[0] for words in listed] == ["file:"] * 3 + ["engine:", "file:"]
    sizes = [int(words[2]) for words in listed]
    assert sizes == sorted(sizes, reverse=True)
    shares = [float(words[4].strip("(%),")) for words in listed]
    assert shares == [round(100 * size / sum(sizes), 1) for size in sizes]
    assert f"{'size:':<12} 0.3 MiB in 5 files" in lines


def test_a_manifest_keeps_its_bytes_even_where_t2f_would_write_others(bundle, tmp_path):
    fields = json.loads((bundle / MANIFEST).read_text())
    (bundle / MANIFEST).write_text(json.dumps(fields, indent=7))
    pack_bundle(bundle, tmp_path / "a.t2f")
    unpack_bundle(tmp_path / "a.t2f", tmp_path / "folder")
    assert (tmp_path / "folder" / MANIFEST).read_bytes() == (bundle / MANIFEST).read_bytes()
