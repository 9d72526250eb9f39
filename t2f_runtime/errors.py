"""The errors that T2F raises on purpose: each says what is wrong and what to do about it."""


class T2FError(Exception):
    """Base of every error that T2F raises on purpose.

    The command line shows these as one `Error:` line; any other exception is a bug and keeps its
    traceback.

    Example:
        >>> from t2f_runtime import FaceGenerator, T2FError
        >>> try:
        ...     FaceGenerator.load("bundles/none")
        ... except T2FError as error:
        ...     print(f"the kiosk cannot start: {error}")
        the kiosk cannot start: bundles/none is no folder and no packed bundle; ...
    """


class ArgumentError(T2FError, ValueError):
    """An argument is of the wrong type or out of range: a seed, a count, the shape of an array.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> generator.generate("a bald man", seed=-1)
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.ArgumentError: seed is -1; it must be 0 to 18446744073709551615
    """


class BundleError(T2FError):
    """A bundle is missing, incomplete, altered, or of a schema that this version cannot read.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> FaceGenerator.load("bundles/none")
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.BundleError: bundles/none is no folder and no packed bundle; ...
    """


class CancelledError(T2FError):
    """Drawing was cancelled, or its time was up, before it was done.

    Example:
        >>> from t2f_runtime import Cancellation, FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> soon = Cancellation()
        >>> soon.cancel()
        >>> generator.generate("a bald man", cancellation=soon)
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.CancelledError: the drawing was cancelled
    """


class ClosedError(T2FError):
    """A generator or a queue is closed, or belongs to another process.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> generator.close()
        >>> generator.generate("a bald man")
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.ClosedError: ...
    """


class DeadlineError(CancelledError):
    """The time that was given to drawing was up before it was done.

    Example:
        >>> from t2f_runtime import Cancellation, FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> generator.generate("a bald man", cancellation=Cancellation(seconds=0))
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.DeadlineError: the drawing was not done in the 0 s that it was given; ...
    """


class DescriptionError(T2FError):
    """A description cannot be read, is missing, or the model takes none.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> generator.generate(" ")
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.DescriptionError: the description is empty or shows nothing; ...
    """


class EngineError(T2FError):
    """An inference engine is unknown, not installed, or cannot run the bundle.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> FaceGenerator.load("tests/runtime/tiny_bundle", engine="abacus")
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.EngineError: ...
    """


class MissingPackageError(T2FError):
    """A command needs a package that an extra of T2F installs.

    Example:
        >>> from pathlib import Path
        >>> from unittest.mock import patch
        >>> from t2f_runtime.bundle.signing import new_keys
        >>> with patch.dict("sys.modules", {"cryptography": None}):  # as if it were not installed
        ...     new_keys(Path("maker"))
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.MissingPackageError: ... install it with: pip install 't2f[signing]'
    """


class KeyFileError(T2FError):
    """A file is no key that signs or checks bundles, or a key cannot be written.

    Example:
        >>> from t2f_runtime import PublicKey
        >>> PublicKey.read("none.pub")
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.KeyFileError: the key none.pub cannot be read: ...
    """


class PackError(T2FError):
    """A bundle cannot be packed, unpacked or signed where it was asked for.

    Example:
        >>> from pathlib import Path
        >>> from t2f_runtime.bundle.packing import pack_bundle
        >>> pack_bundle(Path("tests/runtime/tiny_bundle"), Path("README.md"))
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.PackError: README.md exists already; name a new file, or remove it first
    """


class PictureError(T2FError):
    """A picture cannot be written where it was asked for.

    Example:
        >>> from t2f_runtime.pictures.facts import read_picture
        >>> read_picture("tests/runtime/tiny_bundle/reference.png")
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.PictureError: ... does not say that it is a synthetic face ...
    """


class QueueFullError(T2FError):
    """More faces are asked for than may wait; ask again later.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.service import DynamicBatcher
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> batcher = DynamicBatcher(generator, capacity=1000)
        >>> screens = batcher.submit("a bald man", count=1000)
        >>> batcher.submit("a girl", count=1000)
        Traceback (most recent call last):
            ...
        t2f_runtime.errors.QueueFullError: ...
        >>> batcher.close(drain=False)
    """


class VerificationError(T2FError):
    """A bundle draws other pictures here than the model that it was made from.

    Example:
        >>> from t2f_runtime import VerificationError
        >>> from t2f_runtime.verification import verify
        >>> try:
        ...     print(verify("tests/runtime/tiny_bundle").maximum_levels <= 1)
        ... except VerificationError as error:
        ...     print(f"do not draw with this bundle here: {error}")
        True
    """
