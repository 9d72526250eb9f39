"""`python -m t2f_runtime`: the command `t2f`, where that is not on PATH."""

from t2f_runtime.cli import main

main(prog_name="t2f")
