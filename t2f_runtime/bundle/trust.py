"""Who made a bundle: Ed25519 signatures over manifests, and the keys that a kiosk trusts.

The manifest has the hash of every other file, so that its signature covers the whole bundle.
Source of the signatures: RFC 8032, "Edwards-Curve Digital Signature Algorithm". The package
`cryptography` is imported only where a key is used; it is the extra `signing`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import msgspec
from msgspec import Meta

from t2f_runtime.bundle.manifest import MANIFEST
from t2f_runtime.errors import ArgumentError, BundleError, KeyFileError, MissingPackageError
from t2f_runtime.paths import check_path

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

DOMAIN: Final = b"T2F bundle manifest, signature version 1\0"
"""Comes before the manifest in what is signed: a signature made for anything else fits no bundle,
and none of a bundle fits anything else."""

MAXIMUM_KEY_BYTES: Final = 64 * 2**10
"""A key file is some hundred bytes."""

_KEY_BYTES = 32
_FINGERPRINT_DIGITS = 32
"""128 bits: nobody finds a second key with the same."""


class PublicKey(msgspec.Struct, frozen=True):
    """Tells whether a bundle was signed with the private key that belongs to it.

    Example:
        >>> from t2f_runtime import PublicKey
        >>> key = PublicKey(bytes(range(32)))  # of a file: PublicKey.read("maker.pub")
        >>> key.fingerprint
        '630dcd2966c4336691125448bbb25b4f'
    """

    raw: bytes
    """The key itself: 32 bytes."""

    def __post_init__(self) -> None:
        if not isinstance(self.raw, bytes):
            raise _no_key(type(self.raw).__name__)
        if len(self.raw) != _KEY_BYTES:
            raise _no_key(str(len(self.raw)))

    @property
    def fingerprint(self) -> str:
        """What people compare: the first 32 hexadecimal digits of the key's SHA-256."""
        import hashlib  # noqa: PLC0415 (takes long to import, and drawing needs no fingerprint)

        return hashlib.sha256(self.raw).hexdigest()[:_FINGERPRINT_DIGITS]

    @classmethod
    def read(cls, path: str | Path) -> "PublicKey":
        """Reads a public key from a PEM file, as `t2f keys new` writes it.

        Raises:
            KeyFileError: The file cannot be read, or is no Ed25519 public key.
            MissingPackageError: The package `cryptography` is not installed.
        """
        content = read_key_file(check_path("the key", path))
        if b"PRIVATE KEY" in content:
            raise KeyFileError(
                f"{path} is a private key, which signs; what checks is the public key beside it, "
                f"such as {path}.pub"
            )
        check_package("reading a key")
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 (an extra)
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

        try:
            key = load_pem_public_key(content)
        except Exception as error:  # its errors vary by what is wrong
            raise KeyFileError(
                f"{path} is no public key in PEM: {error}; make one with: t2f keys new"
            ) from error
        if not isinstance(key, ed25519.Ed25519PublicKey):
            raise KeyFileError(
                f"{path} is a public key of another kind than Ed25519; make one with: t2f keys new"
            )
        return cls(key.public_bytes_raw())


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a signed bundle has beside its manifest."""

    version: Literal[1]
    """Version of what is signed, and of this file."""
    algorithm: Literal["ed25519"]
    """How it is signed."""
    public_key: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
    """The key that says whether the signature is right, in hexadecimal."""
    signature: Annotated[str, Meta(pattern="^[0-9a-f]{128}$")]
    """The signature of `DOMAIN` and the manifest's bytes, in hexadecimal."""

    @property
    def key(self) -> PublicKey:
        """The key that it names; whether it is trusted is another question."""
        return PublicKey(bytes.fromhex(self.public_key))


def _no_key(found: str) -> KeyFileError:
    return KeyFileError(
        f"an Ed25519 public key has {_KEY_BYTES} bytes, not {found}; read one from its file with: "
        "PublicKey.read(path)"
    )


def encode_signature(signature: Signature) -> bytes:
    """Writes a signature as indented JSON that ends with a newline."""
    return msgspec.json.format(msgspec.json.encode(signature), indent=2) + b"\n"


def decode_signature(data: bytes, source: str) -> Signature:
    """Reads what `encode_signature` wrote.

    Raises:
        BundleError: It is something else.
    """
    try:
        return msgspec.json.decode(data, type=Signature)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"{source} is no signature that this T2F reads: {error}; sign the bundle again with: "
            "t2f sign BUNDLE --key KEY"
        ) from error


def check_keys(trusted: object) -> None:
    """Refuses what is no list of keys, such as the path of one.

    Raises:
        ArgumentError: It is so.
    """
    if not isinstance(trusted, Sequence) or not all(isinstance(key, PublicKey) for key in trusted):
        raise ArgumentError(
            f"trusted must be a list of PublicKey, not {trusted!r:.80}; read a key with: "
            "PublicKey.read(path)"
        )


def check_signature(
    manifest: bytes, signature: Signature | None, trusted: Sequence[PublicKey], bundle: str
) -> PublicKey:
    """Refuses a manifest that no trusted key has signed.

    Args:
        manifest: The manifest's bytes as they lie in the bundle.
        signature: Its signature; None where it has none.
        trusted: The keys that may have signed it; with none of them, nothing passes.
        bundle: What errors call the bundle.

    Returns:
        The key that has signed it.

    Raises:
        BundleError: The manifest is not signed, signed by a key that is not trusted, or is another
            one than was signed.
        MissingPackageError: The package `cryptography` is not installed.
    """
    fingerprints = ", ".join(key.fingerprint for key in trusted) or "none"
    if signature is None:
        raise BundleError(
            f"{bundle} is not signed, and only what a trusted key ({fingerprints}) has signed may "
            "be opened; get a signed bundle, or sign it with: t2f sign BUNDLE --key KEY"
        )
    key = signature.key
    if key not in trusted:
        raise BundleError(
            f"{bundle} is signed by the key {key.fingerprint}, which is not trusted "
            f"(trusted: {fingerprints}); get the bundle from who you trust"
        )
    check_package("checking a signature")
    if not _fits(_load(key), signature, manifest):
        raise BundleError(
            f"{bundle} has a signature of the key {key.fingerprint} that does not fit its "
            f"{MANIFEST}: one of them was changed after signing; copy the whole bundle again"
        )
    return key


def check_package(what: str) -> None:
    """Says what installs the package `cryptography`, where it is missing.

    Args:
        what: What needs it.

    Raises:
        MissingPackageError: It is not installed.
    """
    try:
        import cryptography  # noqa: F401, PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"{what} needs the package 'cryptography'; install it with: pip install 't2f[signing]'"
        ) from error


def read_key_file(path: Path) -> bytes:
    """Reads a key file, which is small.

    Raises:
        KeyFileError: It is missing, cannot be read, or is too large.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAXIMUM_KEY_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: no system has such a name
        reason = getattr(error, "strerror", None) or error
        raise KeyFileError(
            f"the key {path} cannot be read: {reason}; make a pair of keys with: t2f keys new"
        ) from error
    if len(content) > MAXIMUM_KEY_BYTES:
        raise KeyFileError(f"{path} is no key: it has more than {MAXIMUM_KEY_BYTES} bytes")
    return content


def _load(key: PublicKey) -> "Ed25519PublicKey":
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 (an extra)

    return ed25519.Ed25519PublicKey.from_public_bytes(key.raw)


def _fits(key: "Ed25519PublicKey", signature: Signature, manifest: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 (an extra)

    try:
        key.verify(bytes.fromhex(signature.signature), DOMAIN + manifest)
    except InvalidSignature:
        return False
    return True
