"""The errors of exporting, beside those of `t2f_runtime.errors` and `t2f_train.errors`."""

from t2f_runtime.errors import T2FError


class ExportError(T2FError):
    """A run cannot be exported, or the place for the bundle cannot be used."""


class ParityError(T2FError):
    """The exported networks draw other pictures than the trained model."""


class ForeignModelError(T2FError):
    """A file of another program is not the model that it should be, or cannot be read safely."""


class EngineBuildError(T2FError):
    """An engine cannot be built here, for that GPU, or from that network."""


class PrecisionError(T2FError):
    """A network cannot be had in a precision, or not with pictures that are close enough."""
