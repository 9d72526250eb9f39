"""The error of case files and their logs."""

from t2f_runtime.errors import T2FError


class CaseError(T2FError):
    """A case file or a log is damaged, of another bundle or version, or cannot be written.

    Example:
        >>> from t2f_runtime.identikit import CaseError
        >>> from t2f_runtime import T2FError
        >>> issubclass(CaseError, T2FError)
        True
    """
