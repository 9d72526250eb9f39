"""A tiny bundle to build engines into, machines to build on, and somebody to be told."""

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from fake_tensorrt import fake_library

from t2f_export.engines.jobs import EngineWish
from t2f_export.engines.libraries import Host
from t2f_runtime.bundle.manifest import MANIFEST, Manifest, decode_manifest, encode_manifest
from t2f_runtime.engines.gpu import Device, NoDevice

SLOW_STEPS = 3000
"""Steps of 10 ms or more in a build that is interrupted: a busy machine may be late to do so."""

TINY_BUNDLE = Path(__file__).parent / "runtime" / "tiny_bundle"
TINY_BUNDLE_WITHOUT_TEXT = Path(__file__).parent / "runtime" / "tiny_bundle_without_text"

ORIN = Device(name="Orin", compute_capability="sm_87", multiprocessors=8)
ADA = Device(name="NVIDIA RTX 4070", compute_capability="sm_89", multiprocessors=46)
NO_DRIVER = NoDevice("no NVIDIA driver is installed")

TENSORRT = ("tensorrt 10.3", "tensorrt 11.4")
RTX = "tensorrt_rtx 1.7"
BOTH_GPUS = EngineWish(flavour="rtx", targets=("sm_86", "sm_120"))


def copy_bundle(folder: Path, source: Path = TINY_BUNDLE) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(source, folder))


def read_manifest(bundle: Path) -> Manifest:
    return decode_manifest((bundle / MANIFEST).read_bytes())


def add_precision(bundle: Path, precision: str, *, shares_text_encoder: bool) -> None:
    """Gives a bundle networks of another precision: other files, with the same content."""
    manifest = read_manifest(bundle)
    graphs, files = dict(manifest.graphs), dict(manifest.files)
    renamed = {}
    for network in ("text_encoder", "generator"):
        graph = getattr(graphs["float32"], network)
        if network == "text_encoder" and shares_text_encoder:
            renamed[network] = graph
            continue
        renamed[network] = msgspec.structs.replace(graph, file=f"{network}.{precision}.onnx")
        shutil.copy(bundle / graph.file, bundle / renamed[network].file)
        files[renamed[network].file] = files[graph.file]
    graphs[precision] = msgspec.structs.replace(graphs["float32"], **renamed)
    changed = msgspec.structs.replace(manifest, graphs=graphs, files=files)
    (bundle / MANIFEST).write_bytes(encode_manifest(changed))


def host(device, libraries=None, installed=()) -> Host:
    """A machine with a GPU or none, and stand-ins for NVIDIA's libraries."""
    libraries = libraries or {}

    def load(flavour):
        assert device is not NO_DRIVER or flavour == "rtx", "TensorRT may end the process here"
        return libraries[flavour]

    return Host(lambda: device, lambda module: module in installed, load)


def fake_host(version: str, device, **behaviour) -> Host:
    """A machine with a stand-in for one version."""
    flavour = "rtx" if version.startswith("tensorrt_rtx") else "tensorrt"
    return host(device, {flavour: fake_library(version, **behaviour)})


class Told:
    """Remembers what it is told."""

    def __init__(self):
        self.begun, self.shares, self.kept_entries, self.built_entries = [], [], [], []
        self.warnings = []

    def begin(self, name):
        self.begun.append(name)

    def show(self, share, phase):
        self.shares.append(share)

    def kept(self, entry):
        self.kept_entries.append(entry)

    def built(self, entry, seconds, warnings):
        self.built_entries.append(entry)
        self.warnings += warnings


@contextmanager
def heeding_ctrl_c() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt, even if whatever runs the tests has switched it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
