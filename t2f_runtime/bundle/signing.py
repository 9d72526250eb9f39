"""Signing: pairs of Ed25519 keys, and the signatures that bundles carry."""

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from t2f_runtime.atomic_files import new_file, sync_folder
from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import SIGNATURE
from t2f_runtime.bundle.packing import write_archive
from t2f_runtime.bundle.trust import (
    DOMAIN,
    PublicKey,
    Signature,
    check_package,
    encode_signature,
    read_key_file,
)
from t2f_runtime.errors import KeyFileError, PackError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PUBLIC_SUFFIX: Final = ".pub"
"""The public key lies beside the private key, with this behind its name."""

_PRIVATE_MODE: Final = 0o600


def new_keys(path: Path) -> PublicKey:
    """Makes a pair of keys: `path` signs and stays secret, `path` with `.pub` is for kiosks.

    Both are PEM files (PKCS #8, and SubjectPublicKeyInfo), which OpenSSL reads too. The private key
    is not encrypted; only its owner can read its file.

    Raises:
        KeyFileError: One of the files exists already, or cannot be written; none is left then.
        MissingPackageError: The package `cryptography` is not installed.
    """
    check_package("making keys")
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 (an extra)
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 (an extra)

    public_path = path.with_name(path.name + PUBLIC_SUFFIX)
    for taken in (path, public_path):
        _check_is_new(taken)
    private = ed25519.Ed25519PrivateKey.generate()
    secret = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = private.public_key()
    public_pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write_new(path, secret, _PRIVATE_MODE)
    try:
        _write_new(public_path, public_pem, 0o644)
    except KeyFileError:
        path.unlink()
        raise
    return PublicKey(public.public_bytes_raw())


def sign_bundle(path: Path, key: Path, *, replaces: bool = False) -> PublicKey:
    """Signs a bundle, every file of which is verified first.

    Args:
        path: The bundle's folder, or a packed bundle, which is written anew.
        key: The private key's file.
        replaces: Let this signature take the place of one that another key made.

    Returns:
        The public key that belongs to `key`.

    Raises:
        BundleError: The bundle is missing, incomplete or altered.
        KeyFileError: The key cannot be read, or others can read it.
        MissingPackageError: The package `cryptography` is not installed.
        PackError: The bundle is signed by another key, or cannot be written.
    """
    private = _read_private_key(key)
    public = PublicKey(private.public_key().public_bytes_raw())
    bundle = Bundle.open(path)
    for entry in bundle.manifest.engines:
        bundle.read_engine(entry)
    _check_signed_by(bundle, public, replaces=replaces)
    signature = encode_signature(
        Signature(
            version=1,
            algorithm="ed25519",
            public_key=public.raw.hex(),
            signature=private.sign(DOMAIN + bundle.manifest_bytes).hex(),
        )
    )
    if path.is_file():
        write_archive(bundle, path, signature=signature)
        return public
    try:
        with new_file(path / SIGNATURE, is_lasting=True) as file:
            file.write(signature)
    except OSError as error:
        raise PackError(
            f"{path / SIGNATURE} cannot be written: {error.strerror or error}"
        ) from error
    return public


def _check_signed_by(bundle: Bundle, public: PublicKey, *, replaces: bool) -> None:
    if replaces or bundle.read_signature_file() is None:
        return
    signature = bundle.read_signature()
    if signature is not None and signature.key != public:
        raise PackError(
            f"{bundle.path} is signed by the key {signature.key.fingerprint}; "
            "give --replace to sign it with another one"
        )


def _read_private_key(path: Path) -> "Ed25519PrivateKey":
    check_package("signing")
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 (an extra)
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    content = read_key_file(path)
    _check_is_private(path)
    try:
        key = load_pem_private_key(content, password=None)
    except TypeError as error:  # that is how a missing password is told
        raise KeyFileError(
            f"{path} is encrypted; T2F signs with keys that are not: make one with: t2f keys new"
        ) from error
    except Exception as error:  # its errors vary by what is wrong
        raise KeyFileError(
            f"{path} is no private key in PEM: {error}; make one with: t2f keys new"
        ) from error
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise KeyFileError(
            f"{path} is a private key of another kind than Ed25519; make one with: t2f keys new"
        )
    return key


def _check_is_private(path: Path) -> None:
    # Windows has no such modes.
    if os.name == "posix" and path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"{path} can be read by others; protect it with: chmod 600 {path}")


def _check_is_new(path: Path) -> None:
    try:
        path.lstat()
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:  # a name that is too long, or no name at all
        reason = getattr(error, "strerror", None) or error
        raise KeyFileError(f"{path} cannot be written: {reason}") from error
    raise KeyFileError(f"{path} exists already, and keys are never overwritten")


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Writes a file that did not exist; whoever makes it meanwhile, keeps it."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise KeyFileError(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        path.unlink()
        raise KeyFileError(f"{path} cannot be written: {error.strerror or error}") from error
