"""The names of devices, as `device` takes them, and what to install for those that need it."""

from framefind.errors import ChoiceError

DEVICES = ("auto", "cpu", "openvino", "cuda", "mps")

INSTALL_OPENVINO = "pip install 'framefind[openvino]'"
INSTALL_TORCH = "pip install 'framefind[torch]'"


def parse_device(device: str) -> tuple[str, int]:
    """Return the kind and the number of a device: `cuda:1` is the second GPU, `cuda` the first.

    Raises ChoiceError when no device has that name, here or anywhere.
    """
    kind, colon, number = device.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and number.isdecimal())):
        raise ChoiceError(f"device {device!r}: use {', '.join(DEVICES)}, or cuda:1 and so on")
    return kind, int(number or 0)
