"""What can go wrong with a measurement."""

from t2f_runtime.errors import T2FError


class BenchError(T2FError):
    """Nothing can be measured, or a report cannot be read, written or compared."""
