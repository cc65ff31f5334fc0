"""Whether a computer runs on its battery, as Linux tells."""

import pytest

from framefind.indexing import gentle

BATTERY = {"type": "Battery", "status": "Discharging"}
CHARGING = {"type": "Battery", "status": "Charging"}
PLUGGED = {"type": "Mains", "online": "1"}
UNPLUGGED = {"type": "Mains", "online": "0"}
MOUSE = BATTERY | {"scope": "Device"}


@pytest.mark.parametrize(
    ("supplies", "on_battery"),
    [
        ([BATTERY, UNPLUGGED], True),
        ([BATTERY], True),
        ([BATTERY, PLUGGED], False),
        ([CHARGING, UNPLUGGED], False),
        ([MOUSE], False),
        ([PLUGGED], False),
        ([{"type": "UPS"}], False),
        ([], False),
    ],
)
def test_a_battery_that_discharges_without_mains(supplies, on_battery, tmp_path):
    for number, facts in enumerate(supplies):
        (tmp_path / str(number)).mkdir()
        for name, text in facts.items():
            (tmp_path / str(number) / name).write_text(f"{text}\n")
    assert gentle.runs_on_battery(tmp_path) is on_battery


def test_this_computer_can_be_asked():
    assert gentle.is_on_battery() in (True, False)
