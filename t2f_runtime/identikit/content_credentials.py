"""Content credentials (C2PA): a signed statement in a picture that a machine made it.

Any program that reads C2PA shows it, and notices a changed pixel or note, which the hash among the
notes does not against somebody who writes another hash. Done by `c2pa-python`, the library of the
Content Authenticity Initiative, in the optional extra `c2pa`.

Source: C2PA Technical Specification 2.2, "Actions" (`c2pa.created`, `digitalSourceType`).
"""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from t2f_runtime.errors import KeyFileError, MissingPackageError, PictureError
from t2f_runtime.identikit.picture_export import write_export
from t2f_runtime.paths import check_path, refuse_device
from t2f_runtime.pictures.facts import (
    DIGITAL_SOURCE_TYPE,
    MAXIMUM_FILE_BYTES,
    PictureFacts,
    read_picture,
)

if TYPE_CHECKING:
    from types import ModuleType

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_PNG: Final = "image/png"
_MAXIMUM_KEY_BYTES: Final = 2**20
_CURVES: Final = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_OFFLINE: Final = {"remote_manifest_fetch": False, "ocsp_fetch": False}
"""Left alone, C2PA's library asks for credentials at whatever address a picture names."""
_SIGNING: Final = {"builder": {"thumbnail": {"enabled": False}}, "verify": _OFFLINE}
"""A thumbnail would be a JPEG of the face, larger than most faces."""


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What the content credentials of a picture say, after they were checked.

    Example:
        Where `signed` is the path of a picture that the kiosk signed, and `root` that of its root
        certificate:

        >>> from t2f_runtime.identikit import Credentials, read_credentials
        >>> credentials = read_credentials(signed, trusted=[root])
        >>> isinstance(credentials, Credentials), credentials.common_name, credentials.is_trusted
        (True, 'Kiosk 17', True)
    """

    issuer: str | None
    """The organisation in the certificate of whoever signed."""
    common_name: str | None
    """The name in it."""
    is_trusted: bool
    """Whether the certificate leads to one of those that were given as trusted. If not, the picture
    is as it was signed, but anybody may have signed it."""
    software: str | None
    """What made the picture, as it says."""
    time: str | None
    """When, as it says."""


def sign_picture(
    path: str | Path,
    *,
    certificate: str | Path,
    private_key: str | Path,
    password: bytes | None = None,
) -> None:
    """Puts content credentials into a picture that T2F exported.

    The picture is replaced once it is signed and the signature was checked; its pixels and notes
    stay as they are. Nothing else is signed: a file that T2F did not write, or that was altered, is
    refused. No time server is asked, so the time is the word of this machine.

    Example:
        Where `certificate` and `private_key` are paths of files in PEM:

        >>> import tempfile
        >>> from datetime import datetime, timezone
        >>> from pathlib import Path
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session, export_picture
        >>> from t2f_runtime.identikit import read_credentials, sign_picture
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> face = Session.start("a bald man", generator, seed=7).face
        >>> now = datetime(2026, 11, 24, 9, 30, tzinfo=timezone.utc)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "face.png"
        ...     _ = export_picture(path, generator, face, time=now)
        ...     sign_picture(path, certificate=certificate, private_key=private_key)
        ...     read_credentials(path).time
        '2026-11-24T09:30:00Z'

    Args:
        path: A PNG of `export_picture` or `export_sheet`.
        certificate: The signer's certificate, and those that lead to its root, in PEM. C2PA takes
            certificates for e-mail protection or document signing, not self-signed ones.
        private_key: Its key in PEM: elliptic curve P-256, P-384 or P-521, Ed25519, or RSA.
        password: What the key is encrypted with.

    Raises:
        KeyFileError: The certificate or the key cannot be read, or they do not belong together.
        MissingPackageError: The extra `c2pa` is not installed.
        PictureError: The picture is none of T2F's, was altered, or cannot be signed or written.
    """
    c2pa = _import_c2pa()
    path = check_path("the picture", path)
    facts, _ = read_picture(path)
    content = _read(path)
    chain = _read_key_file(certificate)
    algorithm, key = _open_key(private_key, password, certificate, chain)
    signed = io.BytesIO()
    try:
        settings = c2pa.Settings.from_dict(_SIGNING)
        info = c2pa.C2paSignerInfo(algorithm, chain, key, None)
        with (
            c2pa.Context(settings) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder(json.dumps(_claim(facts)), context=context) as builder,
        ):
            builder.sign(signer, _PNG, io.BytesIO(content), signed)
    except c2pa.C2paError as error:
        raise PictureError(
            f"{path} cannot be signed with {certificate}: {error}; C2PA takes certificates for "
            "e-mail protection or document signing that another certificate has signed"
        ) from error
    write_export(path, signed.getvalue(), is_private=facts.description is not None)


def read_credentials(path: str | Path, *, trusted: Sequence[str | Path] = ()) -> Credentials:
    """Checks the content credentials of a picture of T2F, and says what is in them.

    Nothing is fetched: credentials that lie elsewhere, at an address in the picture, are none.

    Example:
        Where `signed` is the path of a picture that somebody signed:

        >>> from t2f_runtime.identikit import read_credentials
        >>> read_credentials(signed).is_trusted  # nobody was said to be
        False

    Args:
        path: The picture.
        trusted: Certificates in PEM; the signer's must lead to one of them. None checks only that
            nothing was changed since somebody signed it.

    Raises:
        KeyFileError: A certificate cannot be read.
        MissingPackageError: The extra `c2pa` is not installed.
        PictureError: There are no credentials, they are not a machine-made picture's, something was
            changed since, or the signer is not trusted.
    """
    c2pa = _import_c2pa()
    path = check_path("the picture", path)
    content = _read(path)
    anchors = b"\n".join(_read_key_file(anchor) for anchor in trusted).decode(errors="replace")
    settings: dict[str, Any] = {"verify": {"verify_trust": True, **_OFFLINE}}
    if trusted:
        settings["trust"] = {"trust_anchors": anchors}
    try:
        with (
            c2pa.Context(c2pa.Settings.from_dict(settings)) as context,
            c2pa.Reader(_PNG, io.BytesIO(content), context=context) as reader,
        ):
            state = reader.get_validation_state()
            results = json.loads(reader.json())
            manifest = reader.get_active_manifest() or {}
    except c2pa.C2paError as error:
        raise PictureError(
            f"{path} has no content credentials that can be read: {error}"
        ) from error
    if state == "Invalid" or (trusted and state != "Trusted"):
        codes = ", ".join(status["code"] for status in results.get("validation_status", ()))
        raise PictureError(f"{path} does not hold up to its content credentials: {codes or state}")
    return _credentials(path, manifest, is_trusted=state == "Trusted")


def _import_c2pa() -> "ModuleType":
    try:
        import c2pa  # noqa: PLC0415 (50 MB that few need)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"content credentials need the package '{error.name}'; install it with: "
            "pip install 't2f[c2pa]'"
        ) from error
    module: ModuleType = c2pa
    return module


def _claim(facts: PictureFacts) -> dict[str, Any]:
    """What is signed: that a trained model made the picture."""
    name, _, version = facts.software.partition(" ")
    software = {"name": name, "version": version or "unknown"}
    created = {
        "action": "c2pa.created",
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "softwareAgent": software,
        **({} if facts.time is None else {"when": facts.time}),
    }
    return {
        "claim_generator_info": [software],
        "title": facts.notes()["Title"],
        "format": _PNG,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }


def _credentials(path: Path, manifest: dict[str, Any], *, is_trusted: bool) -> Credentials:
    actions = [
        action
        for assertion in manifest.get("assertions", ())
        if assertion.get("label", "").startswith("c2pa.actions")
        for action in assertion.get("data", {}).get("actions", ())
    ]
    made = [a for a in actions if a.get("action") == "c2pa.created"]
    if not made or made[0].get("digitalSourceType") != DIGITAL_SOURCE_TYPE:
        raise PictureError(f"the content credentials of {path} do not say that a machine made it")
    agent = made[0].get("softwareAgent") or {}
    signature = manifest.get("signature_info") or {}
    return Credentials(
        issuer=signature.get("issuer"),
        common_name=signature.get("common_name"),
        is_trusted=is_trusted,
        software=f"{agent.get('name')} {agent.get('version')}" if agent else None,
        time=made[0].get("when"),
    )


def _open_key(
    file: str | Path, password: bytes | None, certificate: str | Path, chain: bytes
) -> tuple[str, bytes]:
    """The algorithm of a key, and the key as C2PA's library reads it."""
    from cryptography import x509  # noqa: PLC0415 (c2pa-python brings it)
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (as above)

    try:
        key = serialization.load_pem_private_key(_read_key_file(file), password)
    except (ValueError, TypeError) as error:  # TypeError: a password too many, or missing
        raise KeyFileError(
            f"{file} is no private key in PEM that can be opened: {error}"
        ) from error
    try:
        public = x509.load_pem_x509_certificate(chain).public_key()
    except ValueError as error:
        raise KeyFileError(f"{certificate} is no certificate in PEM: {error}") from error
    plain = serialization.PublicFormat.SubjectPublicKeyInfo
    encodings = [
        each.public_bytes(serialization.Encoding.DER, plain) for each in (public, key.public_key())
    ]
    if encodings[0] != encodings[1]:
        raise KeyFileError(f"{file} is not the key of {certificate}")
    return _algorithm(key, file), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _algorithm(key: "PrivateKeyTypes", file: str | Path) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415

    match key:
        case ec.EllipticCurvePrivateKey() if key.curve.name in _CURVES:
            return _CURVES[key.curve.name]
        case ed25519.Ed25519PrivateKey():
            return "ed25519"
        case rsa.RSAPrivateKey():
            return "ps256"
    raise KeyFileError(
        f"{file} holds a key that C2PA does not take; it takes elliptic curve P-256, P-384 or "
        "P-521, Ed25519, and RSA"
    )


def _read_key_file(file: str | Path) -> bytes:
    try:
        with check_path("the key or certificate", file).open("rb") as opened:
            return opened.read(_MAXIMUM_KEY_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise KeyFileError(f"{file} cannot be read: {reason}") from error


def _read(path: Path) -> bytes:
    try:
        refuse_device(path)
        with path.open("rb") as file:
            return file.read(MAXIMUM_FILE_BYTES)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{path} cannot be read: {reason}") from error
