"""The public names of TensorRT's classes, by version, and objects that have no others."""

import json
from pathlib import Path

NAMES = json.loads((Path(__file__).parent / "tensorrt_names.json").read_text())
VERSIONS = {
    "tensorrt 10.3": "10.3.0",
    "tensorrt 11.4": "11.4.0",
    "tensorrt_rtx 1.7": "1.7.1.116",
}


def names_of(version: str, library_class: str) -> set[str]:
    """The public names that a class has in a version; `__module__` is the module itself."""
    return {
        name
        for versions, names in NAMES[library_class].items()
        if version in versions.split(", ")
        for name in names.split()
    }


class Named:
    """Has the names of a version, whatever its class defines."""

    library_class: str
    version: str

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        if not name.startswith("_") and name not in {"library_class", "version"}:
            check_name(self.version, self.library_class, name)
        return found

    def __setattr__(self, name, value):
        if not name.startswith("_"):
            check_name(self.version, self.library_class, name)
        object.__setattr__(self, name, value)


def check_name(version, library_class, name):
    if name not in names_of(version, library_class):
        raise AttributeError(f"{version} has no {library_class}.{name}")
