"""What the tests of commands expect of them."""

import re


def fails(result, message, exit_code=1):
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert re.search(message, result.stderr), result.stderr
    if exit_code == 1:
        assert result.stderr.startswith("Error: ")
        assert result.stderr.count("\n") == 1
