"""What holds for all tests: none depends on the clock, on chance, or on what ran before."""

import importlib.util
import os
import sys

import pytest

# ONNX Runtime notes what it does in a folder of the user's, and warns on standard error where it
# may not: what tests find there is not to depend on whose folder that is.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if importlib.util.find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # A busy machine may pause for longer than the 200 ms that Hypothesis gives an example. Which
    # examples there are follows from the test alone, so that nobody's change is blamed for what an
    # unlucky draw, or one of an earlier run, has found. Others each time, which may find more:
    # pytest --hypothesis-profile=default; and see robustness.py in benchmarks/.
    settings.register_profile(
        "t2f",
        deadline=None,
        derandomize=True,
        database=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("t2f")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Begins each test, and the fixtures that are made for it, with torch in one state."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(0)
