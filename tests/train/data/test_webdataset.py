import gzip
import io
import json
import re
import tarfile

import pytest

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.image_source import PackedFile
from t2f_train.data.webdataset import read_webdataset
from t2f_train.errors import DataError

BLOCK = 512


def write_shard(path, members, **options):
    """Writes a tar of members in the order given, as the names and contents of a dictionary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members:
            header = tarfile.TarInfo(name)
            header.size = len(content)
            tar.addfile(header, io.BytesIO(content))
    return path


def captioned(*keys):
    return [
        member
        for key in keys
        for member in [
            (f"{key}.jpg", f"pixels of {key}".encode()),
            (f"{key}.txt", f"a man named {key}\n".encode()),
        ]
    ]


def described(tmp_path, *members):
    """The descriptions of a shard's only image."""
    write_shard(tmp_path / "0.tar", [("a.jpg", b"pixels"), *members])
    (face,) = read_webdataset(tmp_path)
    return face.descriptions


def as_json(**fields):
    return json.dumps(fields).encode()


def refuses(folder, expected):
    return pytest.raises(DataError, match=f"WebDataset folder {re.escape(str(folder))}.*{expected}")


def test_images_are_read_out_of_the_tar_where_they_lie(tmp_path):
    shard = write_shard(tmp_path / "0.tar", captioned("b", "a"))
    faces = read_webdataset(tmp_path)
    assert [face.descriptions for face in faces] == [("a man named b",), ("a man named a",)]
    assert [face.image.read() for face in faces] == [b"pixels of b", b"pixels of a"]
    assert [str(face.image) for face in faces] == [f"{shard}/b.jpg", f"{shard}/a.jpg"]
    assert [path.name for path in tmp_path.iterdir()] == ["0.tar"]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_of_tar_gives_the_same_bytes(tmp_path, form):
    keys = ["first", "folder/" * 13 + "x" * 60, "last"]
    write_shard(tmp_path / "0.tar", captioned(*keys), format=form)
    faces = read_webdataset(tmp_path)
    assert [face.image.read().decode() for face in faces] == [f"pixels of {key}" for key in keys]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_may_be_long_and_in_any_script(tmp_path, form):
    key = "лицо/" + "é" * 200
    write_shard(tmp_path / "0.tar", captioned(key, "b"), format=form)
    assert read_webdataset(tmp_path)[0].descriptions == (f"a man named {key}",)


def test_shards_are_read_in_the_order_of_their_paths_and_may_repeat_keys(tmp_path):
    for name in ["b/0.tar", "00001.tar", "00000.TAR"]:
        write_shard(tmp_path / name, captioned("a"))
    write_shard(tmp_path / ".hidden/0.tar", captioned("a"))
    shown = [str(face.image) for face in read_webdataset(tmp_path)]
    assert shown == [f"{tmp_path}/{name}/a.jpg" for name in ["00000.TAR", "00001.tar", "b/0.tar"]]


def test_a_face_is_named_by_its_shard_and_place(tmp_path):
    shard = write_shard(tmp_path / "0.tar", captioned("a"))
    assert read_webdataset(tmp_path) == [
        CaptionedFace(PackedFile(shard, "a.jpg", BLOCK, 11), ("a man named a",))
    ]


@pytest.mark.parametrize("ending", ["jpg", "JPG", "jpeg", "png", "webp"])
def test_images_of_all_endings_are_read(tmp_path, ending):
    write_shard(tmp_path / "0.tar", [(f"a.{ending}", b"pixels"), ("a.TXT", b"a man")])
    assert read_webdataset(tmp_path)[0].image.read() == b"pixels"


def test_a_key_ends_at_the_first_dot_of_the_name(tmp_path):
    members = [*captioned("./v1.0/a"), ("./v1.0/a.seg.png", b"mask"), ("./v1.0/a.cls", b"3")]
    write_shard(tmp_path / "0.tar", members)
    (face,) = read_webdataset(tmp_path)
    assert face.image.name == "./v1.0/a.jpg"


def test_folders_and_hidden_members_are_ignored(tmp_path):
    path = write_shard(tmp_path / "0.tar", [*captioned("a"), ("._a.jpg", b""), ("b/.c.txt", b"")])
    with tarfile.open(path, "a") as tar:
        folder = tarfile.TarInfo("d.jpg")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
    assert len(read_webdataset(tmp_path)) == 1


def test_each_line_of_a_text_is_a_description(tmp_path):
    content = "\ufeffa man \r\n\r\n a tired man, café\n".encode()
    assert described(tmp_path, ("a.txt", content)) == ("a man", "a tired man, café")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"caption": "a man\nwho smiles "}, ("a man who smiles",)),
        ({"captions": ["a man", " ", "a tired man"], "width": 64}, ("a man", "a tired man")),
        ({"text": ["a man"]}, ("a man",)),
        ({"caption": "a", "captions": ["a", "b"], "text": "c"}, ("a", "b")),
        ({"captions": None, "caption": "", "text": "c"}, ("c",)),
    ],
)
def test_descriptions_may_be_in_json(tmp_path, fields, expected):
    assert described(tmp_path, ("a.json", as_json(**fields))) == expected


def test_a_text_goes_before_the_json_that_repeats_it(tmp_path):
    both = ("a.json", as_json(caption="a man\nwho smiles")), ("a.txt", b"a man\nwho smiles")
    assert described(tmp_path, *both) == ("a man", "who smiles")


def test_a_blank_text_leaves_the_word_to_the_json(tmp_path):
    both = ("a.json", as_json(caption="a man")), ("a.txt", b" \n")
    assert described(tmp_path, *both) == ("a man",)


@pytest.mark.parametrize(
    "members",
    [[], [("a.txt", b"\n")], [("a.json", as_json(width=64))], [("a.json", as_json(caption=""))]],
)
def test_an_image_without_a_description_is_named(tmp_path, members):
    write_shard(tmp_path / "0.tar", [*captioned("b"), ("a.jpg", b"pixels"), *members])
    with refuses(tmp_path, r"/0\.tar/a\.jpg has no description in a \.txt or \.json of its key; "):
        read_webdataset(tmp_path)


@pytest.mark.parametrize("ending", ["txt", "json"])
def test_a_text_without_an_image_is_named(tmp_path, ending):
    write_shard(tmp_path / "0.tar", [*captioned("b"), (f"x/a.{ending}", b"{}")])
    with refuses(tmp_path, rf"/0\.tar/x/a\.{ending} has no image of the key 'x/a' beside it; "):
        read_webdataset(tmp_path)


@pytest.mark.parametrize(
    ("name", "role"), [("a.jpg", "image"), ("a.png", "image"), ("a.txt", "txt")]
)
def test_a_key_that_is_there_twice_is_named(tmp_path, name, role):
    write_shard(tmp_path / "0.tar", [*captioned("a", "b"), (name, b"other")])
    expected = rf"/{re.escape(name)} is a second {role} of the key 'a', after \S*/0\.tar/a\.\w+; "
    with refuses(tmp_path, expected):
        read_webdataset(tmp_path)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "is not valid JSON: "),
        (b"[]", "must hold an object with a field 'captions', 'caption' or 'text'"),
        (b'{"captions": {"short": "a"}}', "the field 'captions' is neither a text nor a list of"),
        (b'{"text": [1]}', "the field 'text' is neither a text nor a list of texts"),
        (b'{"text": "\xff"}', "is not UTF-8 text: line 1, byte 10 of the file"),
    ],
)
def test_broken_json_is_named(tmp_path, content, expected):
    write_shard(tmp_path / "0.tar", [("a.jpg", b"pixels"), ("a.json", content)])
    with refuses(tmp_path, rf"/0\.tar/a\.json {expected}"):
        read_webdataset(tmp_path)


def test_text_that_is_not_utf_8_is_named(tmp_path):
    write_shard(tmp_path / "0.tar", [("a.jpg", b"pixels"), ("a.txt", b"caf\xe9")])
    with refuses(tmp_path, r"/0\.tar/a\.txt is not UTF-8 text: line 1, byte 3 of the file; "):
        read_webdataset(tmp_path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_are_refused(tmp_path, kind):
    path = write_shard(tmp_path / "0.tar", captioned("a"))
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("b.jpg")
        link.type, link.linkname = kind, "a.jpg"
        tar.addfile(link)
    with refuses(tmp_path, r"/0\.tar/b\.jpg is a link or has holes; pack the file itself"):
        read_webdataset(tmp_path)


def header_of(path, name):
    with tarfile.open(path) as tar:
        return tar.getmember(name).offset


def cut_in_an_image(path, content):
    return content[: header_of(path, "b.jpg") + BLOCK + 5]


def cut_in_a_header(path, content):
    return content[: header_of(path, "b.jpg") + 100]


def cut_between_members(path, content):
    return content[: header_of(path, "b.jpg")]


def cut_in_the_end(path, content):
    return content[: len(content.rstrip(b"\0")) // BLOCK * BLOCK + 2 * BLOCK]


def damage_a_header(path, content):
    place = header_of(path, "b.jpg")
    return content[:place] + b"!" * 8 + content[place + 8 :]


def join_two(path, content):
    return content + content


DAMAGES = [
    cut_in_an_image,
    cut_in_a_header,
    cut_between_members,
    cut_in_the_end,
    damage_a_header,
    join_two,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_shard_that_is_not_whole_is_refused(tmp_path, damage):
    path = write_shard(tmp_path / "0.tar", captioned("a", "b"))
    path.write_bytes(damage(path, path.read_bytes()))
    with refuses(tmp_path, r"/0\.tar cannot be read as an uncompressed tar: .*; it must hold"):
        read_webdataset(tmp_path)


@pytest.mark.parametrize("content", [b"", b"no tar", b"no tar" * 1000])
def test_a_file_that_is_no_tar_is_refused(tmp_path, content):
    (tmp_path / "0.tar").write_bytes(content)
    with refuses(tmp_path, r"/0\.tar cannot be read as an uncompressed tar: "):
        read_webdataset(tmp_path)


def test_a_compressed_shard_is_refused_whatever_its_name(tmp_path):
    content = write_shard(tmp_path / "0.tar", captioned("a")).read_bytes()
    (tmp_path / "0.tar").write_bytes(gzip.compress(content))
    with refuses(tmp_path, r"/0\.tar cannot be read as an uncompressed tar: "):
        read_webdataset(tmp_path)


@pytest.mark.parametrize("name", ["1.tar.gz", "1.tgz", "1.tar.bz2", "1.TAR.XZ", "1.tar.zst"])
def test_compressed_shards_are_named_beside_others(tmp_path, name):
    write_shard(tmp_path / "0.tar", captioned("a"))
    (tmp_path / "stats.json.gz").touch()
    (tmp_path / name).touch()
    with refuses(tmp_path, rf": \S*/{re.escape(name)} is compressed; unpack it to a \.tar, since"):
        read_webdataset(tmp_path)


def test_a_shard_without_images_is_refused(tmp_path):
    write_shard(tmp_path / "0.tar", [("a.npy", b"")])
    with refuses(tmp_path, r"/0\.tar holds no images; it must hold"):
        read_webdataset(tmp_path)


def test_a_folder_without_shards_is_refused(tmp_path):
    (tmp_path / "a.jpg").touch()
    with refuses(tmp_path, "holds no shards; it must hold uncompressed shards"):
        read_webdataset(tmp_path)


def test_all_problems_of_all_shards_are_reported_at_once(tmp_path):
    for number in range(3):
        members = [*captioned("a"), ("b.jpg", b""), ("c.txt", b"a man")]
        write_shard(tmp_path / f"{number}.tar", members)
    (tmp_path / "3.tar").touch()
    every = r"(?s) has 7 problems:.*/2\.tar/c\.txt has no image of .*/3\.tar cannot be read as an"
    with pytest.raises(DataError, match=every):
        read_webdataset(tmp_path)
