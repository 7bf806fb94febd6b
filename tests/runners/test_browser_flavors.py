"""Which browser runs which context."""

from pathlib import Path

import pytest

from pageworker_sandbox.flavor import Flavor, FlavorWish
from pageworker_supervisor.contract.context_key import ContextKey
from pageworker_supervisor.runners.browser_flavors import BrowserFlavors, FlavorMissing

FULL, SHELL = Path("/full"), Path("/shell")
BOTH: dict[Flavor, Path] = {"full": FULL, "shell": SHELL}


def key(flavor: FlavorWish = "auto", profile: str | None = None) -> ContextKey:
    return ContextKey("acme", profile, flavor=flavor)


def test_auto_is_the_shell_and_for_a_profile_the_full_browser() -> None:
    assert BrowserFlavors(BOTH).binary(key()) == SHELL
    assert BrowserFlavors(BOTH).binary(key(profile="ada")) == FULL


@pytest.mark.parametrize("preferred", ["full", "shell"])
def test_a_worker_may_prefer_one_for_all(preferred: Flavor) -> None:
    for profile in (None, "ada"):
        assert BrowserFlavors(BOTH, preferred).binary(key(profile=profile)) == BOTH[preferred]


@pytest.mark.parametrize("wanted", ["full", "shell"])
@pytest.mark.parametrize("preferred", ["auto", "full", "shell"])
def test_a_module_gets_what_it_asks_for_whatever_its_worker_prefers(wanted: Flavor, preferred: FlavorWish) -> None:
    for profile in (None, "ada"):
        assert BrowserFlavors(BOTH, preferred).binary(key(wanted, profile)) == BOTH[wanted]


@pytest.mark.parametrize("only", ["full", "shell"])
def test_a_worker_with_one_browser_uses_it_and_refuses_the_other_by_name(only: Flavor) -> None:
    flavors = BrowserFlavors({only: BOTH[only]})
    assert flavors.binary(key()) == flavors.binary(key(profile="ada")) == flavors.binary(key(only)) == BOTH[only]
    other: Flavor = "shell" if only == "full" else "full"
    name = {"full": "full browser", "shell": "headless shell"}[other]
    with pytest.raises(FlavorMissing, match=f"its module asks for the {name} .* which this worker does not have"):
        flavors.binary(key(other))


def test_a_browser_that_was_replaced_is_used() -> None:
    flavors = BrowserFlavors({"shell": Path("/usr/bin/true")})
    flavors.replace_installed({"shell": Path("/usr/bin/shell")})
    assert set(flavors.installed.values()) == {Path("/usr/bin/shell")}
