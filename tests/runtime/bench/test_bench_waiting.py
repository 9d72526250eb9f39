import sys

import pytest

from t2f_runtime.bench.waiting import waited_so_far

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="proc is Linux's")


def write_thread(root, number, text):
    path = root / "proc/self/task" / str(number) / "schedstat"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_what_all_threads_waited_is_added_up_while_it_grows(tmp_path):
    write_thread(tmp_path, 1, "5000000000 2000000000 7\n")
    write_thread(tmp_path, 2, "0 500000000 7\n")
    with waited_so_far(tmp_path) as waited:
        assert waited() == 2.5
        write_thread(tmp_path, 2, "0 750000000 8\n")
        assert waited() == 2.75


@pytest.mark.parametrize("text", ["0 0 0\n", "", "what\n"])
def test_a_system_that_does_not_count_tells_nothing(tmp_path, text):
    write_thread(tmp_path, 1, text)
    with waited_so_far(tmp_path) as waited:
        assert waited is None
    with waited_so_far(tmp_path / "gone") as waited:
        assert waited is None


def test_this_machine_tells_what_this_process_waited():
    with waited_so_far() as waited:
        assert waited is None or 0 <= waited() <= waited()
