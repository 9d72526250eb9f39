"""Where T2F keeps what it can make again: engines and measurements of this machine."""

import os
from pathlib import Path

from t2f_runtime.errors import MissingPackageError


def cache_folder() -> Path:
    """The folder T2F_CACHE, or else the user's cache folder; it need not exist.

    Raises:
        MissingPackageError: T2F_CACHE is not set, and the package that knows the user's folder on
            every system is not installed.
    """
    chosen = os.environ.get("T2F_CACHE")
    if chosen:
        return Path(chosen)
    try:
        import platformdirs  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            "finding the user's cache folder needs the package 'platformdirs'; install it with: "
            "pip install platformdirs, or name a folder in T2F_CACHE"
        ) from error
    return platformdirs.user_cache_path("t2f", appauthor=False)
