import datetime as dt
import importlib.util
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from certificate_authority import Authority
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from t2f_runtime import KeyFileError, MissingPackageError, PictureError
from t2f_runtime.identikit import Session, export_picture, read_picture
from t2f_runtime.identikit.content_credentials import read_credentials, sign_picture
from t2f_runtime.pictures.facts import XMP_KEYWORD
from t2f_runtime.pictures.files import save_picture

NOW = dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.timezone.utc)

needs_c2pa = pytest.mark.skipif(
    importlib.util.find_spec("c2pa") is None,
    reason="c2pa-python is not installed: pip install 't2f[c2pa]'",
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    pytest.importorskip("cryptography", reason="cryptography is not installed")
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def kiosk(authority):
    return authority.give("Kiosk 17", authority.new_key())


@pytest.fixture
def picture(generator, tmp_path):
    face = Session.start("a bald man", generator, seed=7).face
    export_picture(tmp_path / "face.png", generator, face, time=NOW, scale=4)
    return tmp_path / "face.png"


@needs_c2pa
def test_a_signed_picture_says_that_a_machine_made_it_and_who_signed(picture, kiosk, authority):
    before = read_picture(picture)
    sign_picture(picture, **kiosk)
    found = read_credentials(picture, trusted=[authority.folder / "root.pem"])
    assert (found.issuer, found.common_name, found.is_trusted) == ("Test Police", "Kiosk 17", True)
    assert found.time == "2026-11-24T09:30:00Z"
    assert found.software == before[0].software
    facts, pixels = read_picture(picture)
    assert facts == before[0]
    np.testing.assert_array_equal(pixels, before[1])
    assert [path.name for path in picture.parent.iterdir()] == ["face.png"]


@needs_c2pa
def test_another_program_finds_the_claim(picture, kiosk):
    import c2pa  # noqa: PLC0415 (of an extra)

    sign_picture(picture, **kiosk)
    with c2pa.Reader(str(picture)) as reader:
        manifest = reader.get_active_manifest()
        [action] = manifest["assertions"][0]["data"]["actions"]
        assert reader.is_embedded()
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"].endswith("/digitalsourcetype/trainedAlgorithmicMedia")
    assert "thumbnail" not in manifest


@needs_c2pa
def test_without_trusted_certificates_the_signer_is_named_but_not_trusted(picture, kiosk):
    sign_picture(picture, **kiosk)
    assert not read_credentials(picture).is_trusted


@needs_c2pa
def test_a_signer_of_another_authority_is_refused(picture, kiosk, tmp_path_factory):
    other = Authority(tmp_path_factory.mktemp("other"))
    sign_picture(picture, **kiosk)
    with pytest.raises(PictureError, match=r"face.png does not hold up to its .*untrusted"):
        read_credentials(picture, trusted=[other.folder / "root.pem"])


@needs_c2pa
@pytest.mark.parametrize("part", [b"IDAT", b"Seed\x00"])
def test_a_changed_pixel_or_note_is_noticed(picture, kiosk, part):
    sign_picture(picture, **kiosk)
    content = bytearray(picture.read_bytes())
    place = content.index(part) + len(part) + (10 if part == b"IDAT" else 0)
    content[place] ^= 1
    picture.write_bytes(content)
    with pytest.raises(PictureError, match=r"assertion.dataHash.mismatch"):
        read_credentials(picture)


@needs_c2pa
def test_keys_of_all_kinds_sign(picture, authority):
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 (of an extra)

    for name, key in (
        ("P-384", authority.new_key(authority.ec.SECP384R1())),
        ("Ed25519", ed25519.Ed25519PrivateKey.generate()),
    ):
        sign_picture(picture, **authority.give(name, key))
        assert read_credentials(picture).common_name == name


@needs_c2pa
def test_an_encrypted_key_needs_its_password(picture, authority):
    files = authority.give("secret", authority.new_key(), password=b"open")
    for password in (None, b"wrong"):
        with pytest.raises(KeyFileError, match=r"secret.key is no private key in PEM that can be"):
            sign_picture(picture, **files, password=password)
    sign_picture(picture, **files, password=b"open")
    assert read_credentials(picture).common_name == "secret"


@needs_c2pa
def test_the_key_of_another_certificate_is_refused(picture, authority, kiosk):
    other = authority.give("other", authority.new_key())
    with pytest.raises(KeyFileError, match=r"Kiosk 17.key is not the key of .*other.pem"):
        sign_picture(picture, certificate=other["certificate"], private_key=kiosk["private_key"])


@needs_c2pa
def test_files_that_are_no_keys_are_told(picture, kiosk, tmp_path):
    rot = tmp_path / "rot.pem"
    rot.write_bytes(b"rot")
    with pytest.raises(KeyFileError, match=r"rot.pem is no certificate in PEM"):
        sign_picture(picture, certificate=rot, private_key=kiosk["private_key"])
    with pytest.raises(KeyFileError, match=r"rot.pem is no private key in PEM"):
        sign_picture(picture, certificate=kiosk["certificate"], private_key=rot)
    with pytest.raises(KeyFileError, match=r"none.pem cannot be read: No such file"):
        sign_picture(picture, certificate=tmp_path / "none.pem", private_key=rot)


@needs_c2pa
def test_a_certificate_that_c2pa_does_not_take_is_told(picture, authority, tmp_path):
    self_signed = tmp_path / "root.key"
    self_signed.write_bytes(
        authority.key.private_bytes(
            authority.serialization.Encoding.PEM,
            authority.serialization.PrivateFormat.PKCS8,
            authority.serialization.NoEncryption(),
        )
    )
    before = picture.read_bytes()
    with pytest.raises(PictureError, match=r"face.png cannot be signed with .*root.pem"):
        sign_picture(picture, certificate=authority.folder / "root.pem", private_key=self_signed)
    assert picture.read_bytes() == before


@needs_c2pa
def test_only_pictures_of_t2f_are_signed(kiosk, tmp_path):
    from PIL import Image  # noqa: PLC0415

    path = tmp_path / "holiday.png"
    save_picture(Image.new("RGB", (8, 8)), path, notes={"Title": "holiday"})
    with pytest.raises(PictureError, match="does not say that it is a synthetic face of T2F"):
        sign_picture(path, **kiosk)


@needs_c2pa
def test_a_picture_without_credentials_is_told(picture):
    with pytest.raises(PictureError, match=r"face.png has no content credentials that can be read"):
        read_credentials(picture)


def test_a_missing_package_is_told_with_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "c2pa", None)
    for call in (
        lambda: sign_picture(tmp_path / "a.png", certificate="a.pem", private_key="a.key"),
        lambda: read_credentials(tmp_path / "a.png"),
    ):
        with pytest.raises(MissingPackageError, match=r"'c2pa'; .*pip install 't2f\[c2pa\]'"):
            call()


@needs_c2pa
def test_no_address_in_a_picture_is_asked_for_credentials(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        where = f"http://127.0.0.1:{server.getsockname()[1]}/credentials.c2pa"
        chunks = PngInfo()
        chunks.add_itxt(
            XMP_KEYWORD,
            '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
            f'xmlns:dcterms="http://purl.org/dc/terms/" dcterms:provenance="{where}"/>'
            "</rdf:RDF></x:xmpmeta>",
        )
        Image.new("RGB", (8, 8)).save(tmp_path / "face.png", pnginfo=chunks)
        with ThreadPoolExecutor() as threads:
            reading = threads.submit(read_credentials, tmp_path / "face.png")
            with pytest.raises(TimeoutError):  # nobody connects
                server.accept()
            with pytest.raises(PictureError, match="has no content credentials that can be read"):
                reading.result(timeout=60)
