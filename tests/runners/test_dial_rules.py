"""Where the dialer may connect to."""

from pageworker_supervisor.config.proxy_settings import ProxySettings
from pageworker_supervisor.config.settings import EgressSettings
from pageworker_supervisor.runners.dial_rules import dial_rules, dialled_policies


def test_public_addresses_may_be_dialled_on_the_configured_ports_only() -> None:
    assert dial_rules(EgressSettings(ports=(443, 8443)), ()).ports == (443, 8443)


def test_each_fixed_target_is_listed_once() -> None:
    hosts = {"a.test": "10.0.0.2:80", "b.test": "10.0.0.1:80", "alias.test": "10.0.0.2:80"}
    assert dial_rules(EgressSettings(hosts=hosts), ()).targets == ("10.0.0.1:80", "10.0.0.2:80")


def test_upstream_proxies_are_targets_on_their_own_ports() -> None:
    pool = {
        "a": ["http://p.test:3128", "socks5://10.0.0.3:1080"],
        "b": ["https://P.test:3128", "http://[fd00::1]:3128"],
    }
    proxies = {name: ProxySettings(upstreams=tuple(urls)) for name, urls in pool.items()}
    rules = dial_rules(EgressSettings(hosts={"h.test": "10.0.0.2:80"}, proxy_ports=(3128, 1080)), (), proxies)
    assert rules.targets == ("10.0.0.2:80", "10.0.0.3:1080", "[fd00::1]:3128", "p.test:3128")
    assert rules.proxy_ports == (1080, 3128), "whatever upstreams come later"
    assert rules.ports == (80, 443), "a page reaches no other host on the port of a proxy"


def test_the_workers_own_ports_are_barred() -> None:
    assert dial_rules(EgressSettings(), [9470, 6399, 9470]).barred == (6399, 9470)


def test_a_removed_policy_is_dialled_while_a_runner_has_it() -> None:
    old, new, other = (ProxySettings(upstreams=(f"http://{name}.test:3128",)) for name in ("old", "new", "other"))
    before = {"removed": old, "changed": old, "unused": old}
    kept = dialled_policies({"changed": new, "added": other}, before, ["", "removed", "changed", "unknown"])
    assert kept == {"removed": old, "changed": new, "added": other}
    assert dialled_policies({"added": other}, kept, [""]) == {"added": other}
