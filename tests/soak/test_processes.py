import os

import pytest

from soak.processes import kind_of, usage


@pytest.mark.parametrize(
    ("command_line", "kind"),
    [
        ("/usr/bin/bwrap --args 43 -- python3.11 start.py pageworker_runner --channel-fd 26", "bwrap"),
        ("python3.11 start.py 56 pageworker_runner --channel-fd 26", "runner"),
        ("/opt/pageworker/site/playwright/driver/node /opt/pageworker/cli.js run-driver", "driver"),
        ("chromium-headless-shell --type=utility --utility-sub-type=network.mojom.NetworkService", "network"),
        ("chromium-headless-shell --type=renderer --user-data-dir=/profile", "renderers"),
        ("chromium-headless-shell --proxy-server=http://127.0.0.1:1 --user-data-dir=/profile", "browser"),
        ("sleep 1", "other"),
    ],
)
def test_a_process_is_known_by_its_command_line(command_line: str, kind: str) -> None:
    assert kind_of(command_line) == kind


def test_a_process_that_is_gone_counts_nothing() -> None:
    found = usage(os.getpid(), {2**31 - 1: "sleep 1"})
    assert list(found) == ["supervisor"]
    mib, seconds = found["supervisor"]
    assert mib > 1
    assert seconds > 0
