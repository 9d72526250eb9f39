"""The bundle: networks and what they need, in a folder or packed, each held against its SHA-256."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NoReturn

from t2f_runtime.bundle.background_checks import BackgroundChecks
from t2f_runtime.bundle.engine_index import EngineEntry
from t2f_runtime.bundle.external_data import check_self_contained
from t2f_runtime.bundle.files import BundleFiles, check_hash, hash_of
from t2f_runtime.bundle.folder import FolderFiles
from t2f_runtime.bundle.manifest import (
    MANIFEST,
    MODEL_CARD,
    PROCESSOR_GENERATOR,
    SIGNATURE,
    FileEntry,
    Graphs,
    Manifest,
    Precision,
    decode_manifest,
    files_to_run,
    processor_generator,
)
from t2f_runtime.bundle.trust import (
    PublicKey,
    Signature,
    check_keys,
    check_signature,
    decode_signature,
)
from t2f_runtime.errors import BundleError, T2FError
from t2f_runtime.paths import check_path


class Bundle:
    """A folder or an archive whose every file is what its manifest says.

    Made by `Bundle.open`; holding one keeps the bytes that `open` was asked to keep in memory. A
    packed bundle stays open, and may be replaced, but not rewritten, while one is held.

    Example:
        >>> from t2f_runtime import Bundle
        >>> bundle = Bundle.open("tests/runtime/tiny_bundle")
        >>> bundle.manifest.name, bundle.manifest.image_size, len(bundle.bundle_id)
        ('tiny', 8, 64)

    Attributes:
        manifest: What it says about itself.
        manifest_bytes: The manifest as it lies there, which is what a signature signs.
        signer: The trusted key that has signed it; None where `open` was given no keys.
    """

    def __init__(
        self, files: BundleFiles, data: bytes, manifest: Manifest, signer: PublicKey | None
    ) -> None:
        self.manifest = manifest
        self.manifest_bytes = data
        self.signer = signer
        self._files = files
        self._kept: dict[str, bytes] = {}
        self._gives_away = False
        self._checks: BackgroundChecks | None = None

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        keep: Precision | None = None,
        trusted: Sequence[PublicKey] | None = None,
    ) -> "Bundle":
        """Opens a bundle and verifies every file that its manifest lists.

        Args:
            path: The bundle's folder, or a packed bundle, which is read where it lies.
            keep: The precision that will be run. The bytes of its networks and of the tokeniser
                are kept from the one pass that verifies them, so that loading reads nothing twice;
                of two forms of the generator, those of a processor's.
            trusted: Open only what one of these keys has signed; with an empty list, nothing. None
                checks no signature.

        Raises:
            ArgumentError: `path` is no path, or `trusted` no list of keys.
            BundleError: A file is missing, truncated, altered or outside the bundle, the manifest
                is not one that this T2F reads, a network keeps weights in another file, `path` is
                no bundle, or it is not signed by a trusted key.
            MissingPackageError: `trusted` is given, and the package that checks is not installed.
        """
        with cls._verifying(path, keep, trusted) as bundle:
            return bundle

    @classmethod
    @contextmanager
    def opening(
        cls,
        path: str | Path,
        *,
        keep: Precision | None = None,
        trusted: Sequence[PublicKey] | None = None,
    ) -> Iterator["Bundle"]:
        """Opens a bundle as `open` does, and verifies it while the `with` block runs.

        What needs no file, such as importing an engine, can be done in that time. `read` gives
        nothing that is not verified: of what is kept, it waits for all files but the networks that
        are not, and of anything else for all. The end of the block waits for all. The bytes that
        are kept are given away by the first `read`, and let go at the end of the block; after that,
        files are read and verified again.

        Example:
            >>> from t2f_runtime import Bundle, FaceGenerator
            >>> with Bundle.opening("tests/runtime/tiny_bundle", keep="float32") as bundle:
            ...     generator = FaceGenerator.from_bundle(bundle, engine="onnx-cpu")
            >>> generator.image_size
            8

        Args:
            path: As in `open`.
            keep: As in `open`.
            trusted: As in `open`.

        Raises:
            BundleError: As in `open`; from `read`, too, and in the place of any other error of T2F
                in the block.
            MissingPackageError: As in `open`.
        """
        with cls._verifying(path, keep, trusted) as bundle:
            bundle._gives_away = True
            try:
                yield bundle
            finally:
                bundle._kept.clear()

    @classmethod
    @contextmanager
    def _verifying(
        cls, path: str | Path, keep: Precision | None, trusted: Sequence[PublicKey] | None
    ) -> Iterator["Bundle"]:
        files = _open_files(check_path("the bundle", path))
        if trusted is not None:
            check_keys(trusted)
        data = files.read_manifest()
        signer = None
        if trusted is not None:  # before anything that the manifest says is looked into
            signer = check_signature(data, _read_signature(files), trusted, str(path))
        manifest = decode_manifest(data, source=files.where(MANIFEST))
        files.check_listed(manifest)
        bundle = cls(files, data, manifest, signer)
        if keep is not None:
            bundle.graphs(keep)
        bundle._checks = bundle._check_all(keep)
        try:
            yield bundle
        except T2FError:
            bundle._checks.finish()  # a damaged file tells more than what came of it
            raise
        finally:
            bundle._checks.wait()
        bundle._checks.finish()

    @property
    def path(self) -> Path:
        """Where the bundle lies: a folder, or a packed bundle."""
        return self._files.path

    @property
    def folder(self) -> Path:
        """`path`."""
        return self._files.path

    @property
    def bundle_id(self) -> str:
        """See `identify`."""
        return identify(self.manifest.files)

    @property
    def short_id(self) -> str:
        """The first 12 digits of `bundle_id`: enough for people to tell bundles apart."""
        return self.bundle_id[:12]

    def graphs(self, precision: Precision) -> Graphs:
        """Returns what the manifest says of the networks of one precision.

        Raises:
            BundleError: There are none.
        """
        if precision not in tuple(self.manifest.graphs):  # a list has no hash
            raise BundleError(
                f"{self.path} holds no networks of precision '{precision}'; "
                f"it has: {', '.join(self.manifest.graphs)}"
            )
        return self.manifest.graphs[precision]

    def read(self, name: str) -> bytes:
        """Returns the bytes of a file; the hash is taken of the very bytes that are returned.

        Raises:
            BundleError: The manifest lists no such file, the file has changed since `open`, or it
                is a network that keeps weights in another file.
        """
        if self._checks is not None and name in self._kept:
            self._checks.finish_urgent()
        else:
            self._wait_until_verified()
        kept = self._kept.pop(name, None) if self._gives_away else self._kept.get(name)
        if kept is not None:
            return kept
        entry = self.manifest.files.get(name)
        if entry is None:
            raise BundleError(
                f"{self.path} lists no file {name!r}; it has: {', '.join(self.manifest.files)}"
            )
        data = self._files.read(name, entry)
        self._check(name, data, entry)
        return data

    def read_engine(self, entry: EngineEntry) -> bytes:
        """Returns the bytes of an engine of the index; `open` verifies none, this does.

        Raises:
            BundleError: The file is missing or not what the index says.
        """
        self._wait_until_verified()
        expected = FileEntry(bytes=entry.bytes, sha256=entry.sha256)
        data = self._files.read(entry.file, expected)
        self._check(entry.file, data, expected)
        return data

    def read_signature_file(self) -> bytes | None:
        """Returns the signature as it lies there; None where there is none.

        Raises:
            BundleError: It cannot be read, or is too large.
        """
        return self._files.read_signature()

    def read_signature(self) -> Signature | None:
        """Returns the signature, which only `open` with `trusted` checks; None without one.

        Raises:
            BundleError: There is a signature that cannot be read.
        """
        return _read_signature(self._files)

    def _check_all(self, keep: Precision | None) -> BackgroundChecks:
        """Reads what is kept, and checks all files in the order in which they are listed.

        Networks that are not kept come last: they are large, and what draws need not wait for them.

        What is kept is read here and not in the checks, since a hash of bytes at hand needs no lock
        of the interpreter, which a thread would wait for while another imports a library.
        """
        names = list(self.manifest.files)
        wanted = set() if keep is None else _files_to_keep(self.manifest, keep)
        others = set() if keep is None else _networks(self.manifest) - wanted
        checks: list[Callable[[], object]] = []
        for name in sorted(names, key=lambda name: name in others):
            entry = self.manifest.files[name]
            if name not in wanted:
                checks.append(partial(self._files.verify, name, entry))
                continue
            try:
                data = self._files.read(name, entry)
            except BundleError as error:
                checks.append(partial(_fail, error))  # those before it may fail first
                break
            self._kept[name] = data
            checks.append(partial(self._check, name, data, entry))
        return BackgroundChecks(checks, urgent=len(names) - len(others.intersection(names)))

    def _wait_until_verified(self) -> None:
        if self._checks is not None:
            self._checks.finish()

    def _check(self, name: str, data: bytes, entry: FileEntry) -> None:
        where = self._files.where(name)
        check_hash(where, hash_of([data]), entry)
        if name in _networks(self.manifest):
            check_self_contained(data, where)


def identify(files: Mapping[str, FileEntry]) -> str:
    """SHA-256 over names, sizes and hashes of a bundle's files: equal for those that draw alike.

    The model card is left out, which tells of the others.

    Args:
        files: What the manifest lists.
    """
    table = "".join(
        f"{entry.sha256} {entry.bytes} {name}\n"
        for name, entry in sorted(files.items())
        if name != MODEL_CARD
    )
    return hash_of([table.encode()])


def _open_files(path: Path) -> BundleFiles:
    try:
        if path.is_dir():
            return FolderFiles(path)
        is_file = path.is_file()
    except (OSError, ValueError) as error:  # a name that is too long, or no name at all
        reason = getattr(error, "strerror", None) or error
        raise BundleError(f"{path} cannot be read: {reason}") from error
    if is_file:
        # Here, not above: it takes a tenth of the import time, and a folder needs none of it.
        from t2f_runtime.bundle.archive import PackedFiles  # noqa: PLC0415

        return PackedFiles(path)
    raise BundleError(
        f"{path} is no folder and no packed bundle; make a bundle with: t2f export RUN -o {path}"
    )


def _fail(error: BundleError) -> NoReturn:
    raise error


def _read_signature(files: BundleFiles) -> Signature | None:
    data = files.read_signature()
    return None if data is None else decode_signature(data, files.where(SIGNATURE))


def _files_to_keep(manifest: Manifest, precision: Precision) -> set[str]:
    generator = manifest.graphs[precision].generator.file
    return files_to_run(manifest, precision) - {generator} | {
        processor_generator(manifest, precision)
    }


def _networks(manifest: Manifest) -> set[str]:
    graphs = manifest.graphs.values()
    named = {
        graph.file for pair in graphs for graph in (pair.text_encoder, pair.generator) if graph
    }
    return named | {PROCESSOR_GENERATOR}
