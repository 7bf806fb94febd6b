"""The list of devices: filled by the runner, and the same for each job."""

import pytest

from pageworker.device_list import Devices


def test_each_access_gives_a_copy() -> None:
    devices = Devices()
    devices.fill({"Phone": {"viewport": {"width": 1}}})
    devices["Phone"]["viewport"]["width"] = 2
    assert devices["Phone"] == {"viewport": {"width": 1}}
    assert ([*devices], len(devices)) == (["Phone"], 1)


def test_outside_of_a_runner_it_says_where_the_list_is() -> None:
    with pytest.raises(KeyError, match=r"playwright\.devices"):
        Devices()["Phone"]
