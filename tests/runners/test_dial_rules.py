"""Where the dialer may connect to."""

from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.runners.dial_rules import dial_rules


def test_public_addresses_may_be_dialled_on_the_configured_ports_only() -> None:
    assert dial_rules(EgressSettings(ports=(443, 8443)), ()).ports == (443, 8443)


def test_each_fixed_target_is_listed_once() -> None:
    hosts = {"a.test": "10.0.0.2:80", "b.test": "10.0.0.1:80", "alias.test": "10.0.0.2:80"}
    assert dial_rules(EgressSettings(hosts=hosts), ()).targets == ("10.0.0.1:80", "10.0.0.2:80")


def test_the_workers_own_ports_are_barred() -> None:
    assert dial_rules(EgressSettings(), [9470, 6399, 9470]).barred == (6399, 9470)
