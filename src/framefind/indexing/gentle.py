"""Leave the computer to its user: low priority, and a look at the battery."""

import os
import subprocess
import sys
from pathlib import Path

_NICENESS = 19  # the lowest priority
_IDLE_CLASS = 0x40  # IDLE_PRIORITY_CLASS of Windows
_SUPPLIES = Path("/sys/class/power_supply")


def lower_priority() -> None:
    """Let all else on this computer come first; processes that are begun later do so, too."""
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), _IDLE_CLASS)
    else:
        os.nice(_NICENESS)


def is_on_battery() -> bool:
    """Return whether this computer runs on battery; False where that is not known."""
    if sys.platform == "win32":
        import ctypes

        status = ctypes.create_string_buffer(12)
        ctypes.windll.kernel32.GetSystemPowerStatus(status)
        return status.raw[0] == 0  # 0: no mains, 255: unknown
    if sys.platform == "darwin":
        printed = subprocess.run(["pmset", "-g", "batt"], capture_output=True, check=False)
        return b"'Battery Power'" in printed.stdout
    return runs_on_battery(_SUPPLIES)


def runs_on_battery(supplies: Path) -> bool:
    """Return whether a battery discharges and no mains adapter is online, as Linux lists them."""
    online = False
    discharges = False
    for supply in supplies.glob("*"):
        try:
            kind = (supply / "type").read_text().strip()
            if _is_of_device(supply):
                continue
            if kind == "Battery":
                discharges |= (supply / "status").read_text().strip() == "Discharging"
            else:
                online |= (supply / "online").read_text().strip() == "1"
        except OSError:
            continue
    return discharges and not online


def _is_of_device(supply: Path) -> bool:
    """Return whether a supply is that of a mouse or the like."""
    scope = supply / "scope"
    return scope.exists() and scope.read_text().strip() == "Device"
