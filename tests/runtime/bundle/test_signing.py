import json
import os
import re
import stat
import sys

import pytest
from click.testing import CliRunner

from t2f_runtime import (
    Bundle,
    BundleError,
    FaceGenerator,
    KeyFileError,
    MissingPackageError,
    PackError,
    PublicKey,
)
from t2f_runtime.bundle.manifest import GENERATOR, MANIFEST, SIGNATURE
from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.bundle.signing import new_keys, sign_bundle
from t2f_runtime.cli import main

pytest.importorskip("cryptography", reason="needs the extra signing")

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

PREFIX = b"T2F bundle manifest, signature version 1\0"


def t2f(*arguments, **environment):
    return CliRunner(env=environment).invoke(main, [str(part) for part in arguments])


def one_line(result, message):
    assert result.exit_code == 1, result.output
    assert re.fullmatch(f"Error: .*{re.escape(message)}.*\n", result.stderr), result.stderr


@pytest.fixture
def maker(tmp_path):
    """The private key's file; the public key lies beside it."""
    new_keys(tmp_path / "maker")
    return tmp_path / "maker"


@pytest.fixture
def public(maker):
    return PublicKey.read(f"{maker}.pub")


@pytest.fixture
def signed(bundle, maker):
    sign_bundle(bundle, maker)
    return bundle


def refuses(path, message, trusted):
    with pytest.raises(BundleError, match=re.escape(message)):
        Bundle.open(path, trusted=trusted)
    with pytest.raises(BundleError, match=re.escape(message)):
        FaceGenerator.load(path, trusted=trusted)


def change_signature(bundle, **changes):
    fields = json.loads((bundle / SIGNATURE).read_text())
    (bundle / SIGNATURE).write_text(json.dumps({**fields, **changes}))


def test_a_pair_of_keys_is_a_secret_file_and_a_public_one(maker, public):
    assert stat.filemode(maker.stat().st_mode) == "-rw-------"
    assert maker.read_bytes().startswith(b"-----BEGIN PRIVATE KEY-----\n")
    public_pem = (maker.parent / "maker.pub").read_bytes()
    assert public_pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    assert re.fullmatch("[0-9a-f]{32}", public.fingerprint)


def test_keys_are_never_overwritten(maker, tmp_path):
    secret = maker.read_bytes()
    for name in ("maker", "maker.pub"):
        other = tmp_path / f"with {name}"
        other.mkdir()
        (other / name).write_bytes(secret)
        with pytest.raises(KeyFileError, match=f"{name} exists already, and keys are never over"):
            new_keys(other / "maker")
        assert [path.name for path in other.iterdir()] == [name]
        assert (other / name).read_bytes() == secret


def test_keys_that_cannot_be_written_are_one_error_and_no_file(tmp_path):
    with pytest.raises(KeyFileError, match=r"absent/maker cannot be written: No such file or dir"):
        new_keys(tmp_path / "absent" / "maker")
    assert list(tmp_path.iterdir()) == []


def test_the_signature_is_ed25519_over_the_prefix_and_the_manifests_very_bytes(signed, public):
    fields = json.loads((signed / SIGNATURE).read_text())
    assert fields["public_key"] == public.raw.hex()
    key = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(fields["public_key"]))
    signature = bytes.fromhex(fields["signature"])
    manifest = (signed / MANIFEST).read_bytes()
    key.verify(signature, PREFIX + manifest)
    for other in (manifest, PREFIX + manifest + b"\n"):
        with pytest.raises(InvalidSignature):
            key.verify(signature, other)


def test_a_bundle_that_a_trusted_key_signed_opens(signed, public, maker):
    other = new_keys(maker.with_name("other"))
    assert Bundle.open(signed, trusted=[other, public]).signer == public
    generator = FaceGenerator.load(signed, trusted=[public])
    assert generator.generate("a man").shape == (8, 8, 3)
    assert Bundle.open(signed).signer is None


def test_signing_changes_no_other_file_and_not_the_id(bundle, maker):
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    short_id = Bundle.open(bundle).short_id
    sign_bundle(bundle, maker)
    after = {path.name: path.read_bytes() for path in bundle.iterdir()}
    assert after.keys() - before.keys() == {SIGNATURE}
    assert {name: after[name] for name in before} == before
    assert Bundle.open(bundle).short_id == short_id


def test_a_packed_bundle_carries_its_signature_whichever_was_done_first(
    bundle, maker, public, tmp_path
):
    pack_bundle(bundle, tmp_path / "a.t2f")
    refuses(tmp_path / "a.t2f", "a.t2f is not signed", [public])
    sign_bundle(tmp_path / "a.t2f", maker)
    sign_bundle(bundle, maker)
    pack_bundle(bundle, tmp_path / "b.t2f", trusted=[public])
    assert (tmp_path / "a.t2f").read_bytes() == (tmp_path / "b.t2f").read_bytes()
    assert Bundle.open(tmp_path / "a.t2f", trusted=[public]).signer == public
    unpack_bundle(tmp_path / "a.t2f", tmp_path / "folder", trusted=[public])
    assert Bundle.open(tmp_path / "folder", trusted=[public]).signer == public


def test_where_keys_are_trusted_an_unsigned_bundle_is_refused(bundle, public):
    message = (
        f"{bundle} is not signed, and only what a trusted key ({public.fingerprint}) has signed "
        "may be opened"
    )
    refuses(bundle, message, [public])


def test_an_unknown_key_is_refused_by_name(signed, public, maker):
    other = new_keys(maker.with_name("other"))
    message = (
        f"{signed} is signed by the key {public.fingerprint}, which is not trusted "
        f"(trusted: {other.fingerprint})"
    )
    refuses(signed, message, [other])


def test_to_trust_no_key_is_to_open_nothing(bundle, maker):
    refuses(bundle, "is not signed, and only what a trusted key (none)", [])
    sign_bundle(bundle, maker)
    refuses(bundle, "which is not trusted (trusted: none)", [])


def test_a_manifest_that_changed_after_signing_is_refused(signed, public):
    with (signed / MANIFEST).open("ab") as file:
        file.write(b"\n")
    refuses(signed, "does not fit its manifest.json: one of them was changed after", [public])
    assert Bundle.open(signed).manifest.name == "tiny"


def test_a_damaged_signature_is_refused(signed, public):
    fields = json.loads((signed / SIGNATURE).read_text())
    digits = fields["signature"]
    change_signature(signed, signature=("1" if digits[0] == "0" else "0") + digits[1:])
    refuses(signed, f"a signature of the key {public.fingerprint} that does not fit", [public])


def test_a_signature_under_a_trusted_name_that_another_key_made_is_refused(
    bundle, maker, public, tmp_path
):
    new_keys(tmp_path / "other")
    sign_bundle(bundle, tmp_path / "other")
    change_signature(bundle, public_key=public.raw.hex())
    refuses(bundle, "does not fit its manifest.json", [public])


def test_a_signature_of_the_same_bytes_for_another_purpose_is_refused(bundle, maker, public):
    sign_bundle(bundle, maker)
    seed = bytes.fromhex("0f" * 32)
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    trusted = PublicKey(key.public_key().public_bytes_raw())
    signature = key.sign((bundle / MANIFEST).read_bytes()).hex()
    change_signature(bundle, public_key=trusted.raw.hex(), signature=signature)
    refuses(bundle, "does not fit its manifest.json", [trusted])


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"version":2,"algorithm":"ed25519","public_key":"%s","signature":"%s"}'
        % (b"0" * 64, b"0" * 128),
        b'{"version":1,"algorithm":"none","public_key":"%s","signature":"%s"}'
        % (b"0" * 64, b"0" * 128),
        b'{"version":1,"algorithm":"ed25519","public_key":"%s","signature":"%s"}'
        % (b"0" * 62, b"0" * 128),
    ],
)
def test_what_is_no_signature_is_refused(bundle, public, content):
    (bundle / SIGNATURE).write_bytes(content)
    message = (
        "a signature has 65536 at most"
        if len(content) > 65536
        else f"{bundle / SIGNATURE} is no signature that this T2F reads"
    )
    refuses(bundle, message, [public])
    with pytest.raises(BundleError, match=re.escape(message)):
        pack_bundle(bundle, bundle.with_name("x.t2f"))


def test_a_file_that_changed_after_signing_is_refused_though_the_signature_fits(signed, public):
    (signed / GENERATOR).write_bytes(bytes((signed / GENERATOR).stat().st_size))
    refuses(signed, f"{GENERATOR} is altered", [public])


def test_an_altered_bundle_is_not_signed(bundle, maker):
    (bundle / GENERATOR).write_bytes(bytes((bundle / GENERATOR).stat().st_size))
    with pytest.raises(BundleError, match=f"{GENERATOR} is altered"):
        sign_bundle(bundle, maker)
    assert not (bundle / SIGNATURE).exists()


def test_a_signature_of_another_key_is_replaced_only_when_asked(signed, maker, public, tmp_path):
    other = new_keys(tmp_path / "other")
    with pytest.raises(PackError, match=f"is signed by the key {public.fingerprint}; give --repl"):
        sign_bundle(signed, tmp_path / "other")
    sign_bundle(signed, maker)
    assert Bundle.open(signed, trusted=[public]).signer == public
    sign_bundle(signed, tmp_path / "other", replaces=True)
    assert Bundle.open(signed, trusted=[other]).signer == other


def test_a_key_that_others_can_read_does_not_sign(bundle, maker):
    maker.chmod(0o640)
    with pytest.raises(KeyFileError, match=f"can be read by others; protect .*: chmod 600 {maker}"):
        sign_bundle(bundle, maker)


def test_a_private_key_of_another_kind_does_not_sign(bundle, tmp_path):
    path = tmp_path / "key"
    new_keys(path)
    kinds = {
        "is a private key of another kind than Ed25519": (
            x25519.X25519PrivateKey.generate(),
            NoEncryption(),
        ),
        "is encrypted; T2F signs with keys that are not": (
            ed25519.Ed25519PrivateKey.generate(),
            BestAvailableEncryption(b"word"),
        ),
    }
    for message, (key, encryption) in kinds.items():
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        with pytest.raises(KeyFileError, match=message):
            sign_bundle(bundle, path)
    path.write_bytes(b"junk")
    with pytest.raises(KeyFileError, match=r"key is no private key in PEM: .*: t2f keys new"):
        sign_bundle(bundle, path)


def test_what_is_no_public_key_is_not_trusted(maker, tmp_path):
    other = x25519.X25519PrivateKey.generate().public_key()
    pem = other.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "other.pub").write_bytes(pem)
    (tmp_path / "junk.pub").write_bytes(b"junk")
    (tmp_path / "long.pub").write_bytes(b"x" * 70_000)
    for path, message in (
        (maker, "is a private key, which signs; what checks is the public key beside it"),
        (tmp_path / "other.pub", "is a public key of another kind than Ed25519"),
        (tmp_path / "junk.pub", "is no public key in PEM: "),
        (tmp_path / "long.pub", "is no key: it has more than 65536 bytes"),
        (tmp_path / "absent.pub", "cannot be read: No such file or directory; make a pair of"),
    ):
        with pytest.raises(KeyFileError, match=message):
            PublicKey.read(path)
    with pytest.raises(KeyFileError, match="an Ed25519 public key has 32 bytes, not 31"):
        PublicKey(bytes(31))


def test_a_missing_package_is_named_with_what_installs_it(signed, public, maker, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    needs = r"needs the package 'cryptography'; install it with: pip install 't2f\[signing\]'"
    for what, work in {
        "making keys": lambda: new_keys(maker.with_name("new")),
        "signing": lambda: sign_bundle(signed, maker),
        "reading a key": lambda: PublicKey.read(f"{maker}.pub"),
        "checking a signature": lambda: Bundle.open(signed, trusted=[public]),
    }.items():
        with pytest.raises(MissingPackageError, match=f"^{what} {needs}$"):
            work()
    assert f"by the key {public.fingerprint}; not checked" in t2f("info", signed).stdout
    assert FaceGenerator.load(signed).generate("a man").shape == (8, 8, 3)


def test_the_commands_make_keys_sign_and_tell_who_signed(bundle, tmp_path):
    key, public = tmp_path / "maker", tmp_path / "maker.pub"
    made = t2f("keys", "new", key)
    fingerprint = t2f("keys", "show", public).stdout.strip()
    assert made.stdout.splitlines()[-1] == f"key      {fingerprint}"
    assert re.search(r"^signed: +no$", t2f("info", bundle).stdout, re.MULTILINE)
    result = t2f("sign", bundle, "--key", key)
    assert result.stdout == f"signed   {bundle} with the key {fingerprint}\n"
    unchecked = f"signed:      by the key {fingerprint}; not checked: give --trust KEYFILE"
    assert unchecked in t2f("info", bundle).stdout
    checked = f"signed:      by the trusted key {fingerprint}\n"
    assert checked in t2f("info", bundle, "--trust", public).stdout
    lines = t2f("verify", bundle, "--trust", public).stdout.splitlines()
    assert lines[0] == f"ok: manifest.json is signed by the trusted key {fingerprint}"
    facts = json.loads(t2f("info", bundle, "--json", "--trust", public).stdout)
    assert (facts["signed_by"], facts["is_trusted"]) == (fingerprint, True)
    facts = json.loads(t2f("info", bundle, "--json").stdout)
    assert (facts["signed_by"], facts["is_trusted"]) == (fingerprint, False)


@pytest.mark.parametrize(
    "command",
    [
        ("generate", "{}", "a man", "-o", "{}.png"),
        ("info", "{}"),
        ("verify", "{}"),
        ("pack", "{}", "-o", "{}.t2f"),
    ],
)
def test_every_command_refuses_what_is_not_trusted(bundle, maker, command):
    command = [part.format(bundle) for part in command]
    one_line(t2f(*command, "--trust", f"{maker}.pub"), f"{bundle} is not signed, and only")
    one_line(t2f(*command, T2F_TRUST=f"{maker}.pub"), f"{bundle} is not signed, and only")
    sign_bundle(bundle, maker)
    assert t2f(*command, "--trust", f"{maker}.pub").exit_code == 0


def test_unpacking_refuses_what_is_not_trusted(bundle, maker, tmp_path):
    pack_bundle(bundle, tmp_path / "a.t2f")
    result = t2f("unpack", tmp_path / "a.t2f", "-o", tmp_path / "x", "--trust", f"{maker}.pub")
    one_line(result, "a.t2f is not signed, and only")
    assert not (tmp_path / "x").exists()


def test_the_environment_names_several_keys_and_never_none(signed, maker, public, tmp_path):
    new_keys(tmp_path / "other")
    both = os.pathsep.join([f"{tmp_path / 'other'}.pub", f"{maker}.pub"])
    assert f"by the trusted key {public.fingerprint}" in t2f("info", signed, T2F_TRUST=both).stdout
    one_line(t2f("info", signed, T2F_TRUST=""), "T2F_TRUST is set but names no file")
