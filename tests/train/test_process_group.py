"""One process among several: its share of a batch, its GPU, and the others that it looks for."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.multiprocessing

from t2f_train import distributed
from t2f_train.collectives import share_weights
from t2f_train.data.batches import Batch
from t2f_train.distributed import Launch, open_processes, read_launch
from t2f_train.errors import ConfigError, ProcessError

CPU = torch.device("cpu")


def test_a_share_of_a_batch_has_the_description_before_its_first():
    pixels = torch.arange(6, dtype=torch.uint8)[:, None, None, None].expand(6, 4, 4, 3)
    rows = torch.arange(6)[:, None].expand(6, 2)
    batch = Batch(pixels, rows, rows[:, 0].float(), rows.float())
    shares = [batch.share(rank, 3) for rank in range(3)]
    assert [share.pixels[:, 0, 0, 0].tolist() for share in shares] == [[0, 1], [2, 3], [4, 5]]
    assert [share.tokens[:, 0].tolist() for share in shares] == [[0, 1, 5], [2, 3, 1], [4, 5, 3]]
    assert [share.captioned.tolist() for share in shares] == [[0, 1], [2, 3], [4, 5]]
    for share in shares:
        assert torch.equal(share.sentence, share.tokens.float())
    assert batch.share(0, 1) is batch
    assert replace(batch, tokens=None).share(1, 2).tokens is None


def test_torchruns_environment_is_read():
    environment = {"RANK": "5", "WORLD_SIZE": "8", "LOCAL_RANK": "1"}
    assert read_launch(environment) == Launch(5, 8, 1)
    assert read_launch({}) is None
    assert read_launch({**environment, "WORLD_SIZE": "1"}) is None
    del environment["LOCAL_RANK"]
    with pytest.raises(
        ConfigError, match=r"RANK='5', WORLD_SIZE='8', LOCAL_RANK='', of which each"
    ):
        read_launch(environment)


def test_each_process_takes_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert Launch(5, 8, 1).device_name("cuda") == "cuda:1"
    assert Launch(5, 8, 1).device_name("cpu") == "cpu"
    with pytest.raises(ConfigError, match=r"--device cuda:0 names one device for 8 processes"):
        Launch(5, 8, 1).device_name("cuda:0")
    with pytest.raises(ConfigError, match=r"process 6 of 8 is number 2 on .* has 2 GPUs .*node 2"):
        Launch(6, 8, 2).device_name("cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(
        ConfigError, match=r"which has 0 GPUs that torch can use; give --device cpu"
    ):
        Launch(0, 2, 0).device_name("cuda")


def test_processes_that_do_not_find_each_other_say_so(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ProcessError, match=r"process 0 of 2 cannot reach the others: .*torchrun"):
        open_processes("cpu").__enter__()


def test_one_process_alone_is_the_first_and_talks_to_nobody(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with open_processes("cpu") as device:
        assert device == CPU
        assert not distributed.is_open()
        assert distributed.is_first()
        assert distributed.is_any(True)
        assert not distributed.is_any(False)
        assert distributed.once_a_machine(lambda: 3) == 3
    layer = torch.nn.Linear(2, 2)
    before = copy.deepcopy(layer)
    share_weights([layer])
    assert torch.equal(layer.weight, before.weight)
