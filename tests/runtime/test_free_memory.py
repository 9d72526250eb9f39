from types import SimpleNamespace

from t2f_runtime.free_memory import give_back_free_memory


def test_all_free_memory_is_given_back_where_the_allocator_can():
    left = []
    give_back_free_memory(SimpleNamespace(malloc_trim=lambda pad: left.append(pad.value)))
    assert left == [0]


def test_another_allocator_is_left_alone():
    give_back_free_memory(SimpleNamespace())


def test_this_process_goes_on():
    data = [bytes(1000) for _ in range(1000)]
    del data[::2]
    give_back_free_memory()
    assert all(row == bytes(1000) for row in data)
