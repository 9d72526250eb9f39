"""Kernels that TensorRT for RTX compiles, kept between starts: on stand-ins, and with no GPU."""

import logging
import os

import numpy as np
import pytest
from engine_plans import ADA, add_engines, fake_machine
from fake_cuda import FakeCuda

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.bundle.manifest import LATENT, TOKENS
from t2f_runtime.engines.gpu import Device
from t2f_runtime.engines.kernel_cache import FOLDER, KeptKernels, KernelFile, KernelKey
from t2f_runtime.engines.opening import open_engine
from t2f_runtime.engines.prepared import EngineWish

RTX = "tensorrt_rtx 1.7"
KEY = KernelKey(
    engine_sha256="ab" * 32,
    gpu=ADA.name,
    compute_capability=ADA.compute_capability,
    multiprocessors=ADA.multiprocessors,
    driver=13020,
    library_version="1.7.1.116",
)


@pytest.fixture
def start(bundle, tmp_path):
    """Starts a kiosk's process: opens the bundle and draws; gives what was compiled for it."""
    add_engines(bundle, RTX)

    def start(*, cache=tmp_path / "cache", batches=(1,), lengths=(3,), **machine):
        here = fake_machine(RTX, cache=cache, **machine)
        networks = open_engine(Bundle.open(bundle), EngineWish(engine="tensorrt-rtx"), here)
        for batch in batches:
            networks.generator.run({LATENT: np.ones((batch, 8), dtype=np.float32)})
        for length in lengths:
            networks.text_encoder.run({TOKENS: np.ones((1, length), dtype=np.int64)})
        return here.load_library("rtx").Runtime._behaviour.compiled

    return start


@pytest.fixture
def kept(tmp_path):
    return lambda: sorted((tmp_path / "cache" / FOLDER).iterdir())


@pytest.fixture
def file(tmp_path):
    return KernelFile(tmp_path, KEY)


def altered(**fields):
    return KernelKey(**{**{name: getattr(KEY, name) for name in KEY.__slots__}, **fields})


def test_a_second_start_compiles_nothing(start, kept):
    assert len(start(batches=(1, 2, 1), lengths=(3, 9, 3))) == 3
    assert len(kept()) == 2  # one a network
    assert start(batches=(1, 2), lengths=(9, 64)) == []


def test_what_a_later_shape_needs_is_added_when_it_is_first_drawn(start):
    start()
    assert len(start(batches=(1, 4))) == 1
    assert start(batches=(4, 1)) == []


def test_kernels_are_written_when_they_are_new_and_not_with_every_face(start, kept):
    start()
    for path in kept():
        os.utime(path, (1, 1))
    before = [path.read_bytes() for path in kept()]
    inodes = [path.stat().st_ino for path in kept()]
    start(batches=(1, 1, 1), lengths=(3, 4, 5, 6))
    assert [path.read_bytes() for path in kept()] == before
    assert [path.stat().st_ino for path in kept()] == inodes
    assert all(path.stat().st_mtime > 1 for path in kept())  # used, so not the first to go


@pytest.mark.parametrize(
    "machine",
    [
        {"device": Device(name="RTX 4060", compute_capability="sm_89", multiprocessors=24)},
        {"cuda": FakeCuda(driver=12080)},
    ],
    ids=["gpu", "driver"],
)
def test_another_gpu_or_driver_has_kernels_of_its_own(start, kept, machine):
    first = start()
    assert start(**machine) == first
    assert len(kept()) == 4
    assert start() == start(**machine) == []


@pytest.mark.parametrize(
    "field", ["engine_sha256", "gpu", "compute_capability", "multiprocessors", "driver"]
)
def test_every_part_of_the_key_counts(field, tmp_path):
    other = altered(**{field: 1 if isinstance(getattr(KEY, field), int) else "other"})
    assert KernelFile(tmp_path, other).path != KernelFile(tmp_path, KEY).path
    assert KernelFile(tmp_path, altered()).path == KernelFile(tmp_path, KEY).path


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: content[:-3] + b"?" + content[-2:],
        lambda content: b"\0" * len(content),
    ],
)
def test_damaged_kernels_are_thrown_away_and_made_again(start, kept, damage, caplog):
    first = start()
    for path in kept():
        path.write_bytes(damage(path.read_bytes()))
    assert start() == first
    assert "is thrown away and made again: it is not what was kept" in caplog.text
    assert start() == []


def test_kernels_under_the_name_of_another_engine_are_not_read(start, kept):
    first = start()
    one, other = kept()
    other.write_bytes(one.read_bytes())
    assert len(start()) == 1 < len(first)


def test_kernels_that_the_library_refuses_are_thrown_away_and_made_again(start, caplog):
    first = start(machine="this one")
    assert start(machine="another") == first
    assert "made again: TensorRT for RTX does not take it here" in caplog.text
    assert start(machine="another") == []


def test_a_folder_that_cannot_be_written_costs_compiling_and_nothing_else(start, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "a file").write_text("")
    first = start(cache=tmp_path / "a file", batches=(1, 2))
    assert start(cache=tmp_path / "a file", batches=(1, 2)) == first
    told = [record for record in caplog.records if "cannot be kept" in record.message]
    assert len(told) == 4  # once a session, and not with every shape
    assert {record.levelno for record in told} == {logging.INFO}


def test_a_folder_in_the_place_of_a_file_is_done_without(file, caplog):
    caplog.set_level(logging.INFO)
    file.path.mkdir(parents=True)
    assert file.read() is None
    assert "cannot be read, and is done without" in caplog.text
    assert not file.write(b"kernels")


def test_a_cache_that_nobody_can_find_is_done_without(start, caplog):
    caplog.set_level(logging.INFO)
    assert start(cache=None) == start(cache=None) != []
    assert "what TensorRT for RTX compiles is not kept: this machine has no cache" in caplog.text


def test_tensorrt_keeps_nothing_since_its_engines_hold_their_kernels(bundle, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    add_engines(bundle, "tensorrt 11.4")
    for cache in (tmp_path / "cache", None):
        machine = fake_machine("tensorrt 11.4", cache=cache)
        networks = open_engine(Bundle.open(bundle), EngineWish(engine="tensorrt"), machine)
        networks.generator.run({LATENT: np.ones((1, 8), dtype=np.float32)})
    assert not (tmp_path / "cache").exists()
    assert caplog.records == []


def test_the_files_that_were_not_used_for_longest_go_first(tmp_path):
    size = 1000
    files = [
        KernelFile(tmp_path, altered(engine_sha256=str(number)), most_bytes=3500)
        for number in range(4)
    ]
    for age, file in enumerate(files[:3]):
        assert file.write(bytes(size))
        os.utime(file.path, (age, age))
    assert files[0].read() == bytes(size)  # used now, so the second is the oldest
    assert files[3].write(bytes(size))
    assert [file.read() is not None for file in files] == [True, False, True, True]
    other = tmp_path / FOLDER / ".0123-0.unfinished"  # another process may be writing it
    other.write_bytes(bytes(3000))
    os.utime(other, (1, 1))
    assert files[3].write(bytes(size))
    assert other.exists()


def test_kernels_larger_than_the_folder_may_be_are_not_kept(tmp_path):
    file = KernelFile(tmp_path, KEY, most_bytes=100)
    assert not file.write(bytes(100))
    assert not file.path.exists()


def test_a_library_that_gives_no_kernels_out_keeps_none(file):
    class Config:
        def create_runtime_cache(self):
            return self

        def set_runtime_cache(self, cache):
            return True

        def serialize(self):
            return None

    KeptKernels(Config(), file).keep()
    assert not file.path.exists()


def test_the_real_library_has_the_calls_that_keep_kernels():
    library = pytest.importorskip(
        "tensorrt_rtx", reason="needs TensorRT for RTX: pip install 't2f[rtx]'"
    )
    assert "-> nvinfer1::IRuntimeCache" in library.IRuntimeConfig.create_runtime_cache.__doc__
    assert "cache: nvinfer1::IRuntimeCache" in library.IRuntimeConfig.set_runtime_cache.__doc__
    assert "blob: " in library.IRuntimeCache.deserialize.__doc__
    assert "IHostMemory" in library.IRuntimeCache.serialize.__doc__
