"""Runs commands."""

import pytest
from click.testing import CliRunner

from t2f_runtime import cli


@pytest.fixture
def t2f(tmp_path, monkeypatch):
    """Runs the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, stdin=None):
        return CliRunner().invoke(cli.main, [str(part) for part in arguments], input=stdin)

    return run
