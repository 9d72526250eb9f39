"""The errors that T2F raises on purpose: each says what is wrong and what to do about it."""


class T2FError(Exception):
    """Base of every error that T2F raises on purpose.

    The command line shows these as one `Error:` line; any other exception is a bug and keeps its
    traceback.
    """


class ArgumentError(T2FError, ValueError):
    """An argument is of the wrong type or out of range: a seed, a count, the shape of an array."""


class BundleError(T2FError):
    """A bundle is missing, incomplete, altered, or of a schema that this version cannot read."""


class CancelledError(T2FError):
    """Drawing was cancelled, or its time was up, before it was done."""


class ClosedError(T2FError):
    """A generator or a queue is closed, or belongs to another process."""


class DeadlineError(CancelledError):
    """The time that was given to drawing was up before it was done."""


class DescriptionError(T2FError):
    """A description cannot be read, is missing, or the model takes none."""


class EngineError(T2FError):
    """An inference engine is unknown, not installed, or cannot run the bundle."""


class MissingPackageError(T2FError):
    """A command needs a package that an extra of T2F installs."""


class KeyFileError(T2FError):
    """A file is no key that signs or checks bundles, or a key cannot be written."""


class PackError(T2FError):
    """A bundle cannot be packed, unpacked or signed where it was asked for."""


class PictureError(T2FError):
    """A picture cannot be written where it was asked for."""


class QueueFullError(T2FError):
    """More faces are asked for than may wait; ask again later."""


class VerificationError(T2FError):
    """A bundle draws other pictures here than the model that it was made from."""
