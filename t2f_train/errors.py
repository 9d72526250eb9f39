"""The errors of training, beside those of `t2f_runtime.errors`."""

from t2f_runtime.errors import T2FError


class ConfigError(T2FError):
    """A configuration is missing, misspelt, or asks for something impossible."""


class DataError(T2FError):
    """Training data is missing, broken, or too small; the message names the file."""


class RunError(T2FError):
    """A run folder is missing, damaged, or belongs to another configuration or data set."""


class DivergedError(T2FError):
    """A loss or gradient stopped being finite; the last good checkpoint is kept."""


class TimelapseError(T2FError):
    """A film of a run cannot be written where or how it was asked for."""


class ProcessError(T2FError):
    """Of the processes that train together one is gone, or was never found."""


class DeviceMemoryError(T2FError):
    """The networks and a batch do not fit into a GPU's memory."""
