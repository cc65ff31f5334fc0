"""Nothing is sent away: what framefind imports does not report to its makers.

ONNX Runtime's wheels (since 1.29) and huggingface_hub look at the environment when they are
imported, so this has to come before. Every process of framefind imports the package itself first.
"""

import os

_SWITCHES = ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY")


def disable_telemetry() -> None:
    """Turn off the telemetry of dependencies, in this process and those that it starts.

    A switch that the user has set, to whatever value, is left alone.
    """
    for switch in _SWITCHES:
        os.environ.setdefault(switch, "1")
