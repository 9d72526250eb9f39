"""The errors of exporting, beside those of `t2f_runtime.errors` and `t2f_train.errors`."""

from t2f_runtime.errors import T2FError


class ExportError(T2FError):
    """A run cannot be exported, or the place for the bundle cannot be used."""


class ParityError(T2FError):
    """The exported networks draw other pictures than the trained model."""
