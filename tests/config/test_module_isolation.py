"""What a manifest asks for, and what the operator wants at least."""

from typing import Literal

import pytest
from pw_modules import author

from pageworker_sandbox.signing.manifest import parse_manifest
from pageworker_supervisor.config.live import Live
from pageworker_supervisor.config.module_isolation import IsolationRefused, ModuleIsolation
from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.contract.isolation import TENANT_ISOLATION, Isolation

NAME = "shop.product"


def isolation(more: str = "", floor: Literal["tenant", "module"] = "tenant", profile: str | None = None) -> Isolation:
    found = ModuleIsolation(Live(ModuleSettings(isolation=floor)))
    return found.of(parse_manifest(author.manifest(NAME, more=more)), profile)


@pytest.mark.parametrize(
    ("more", "usual", "least_module"),
    [
        ("", TENANT_ISOLATION, Isolation(module=NAME)),
        ('isolation = "tenant"\n', TENANT_ISOLATION, Isolation(module=NAME)),
        ('isolation = "module"\n', Isolation(module=NAME), Isolation(module=NAME)),
        ('isolation = "job"\n', Isolation(one_job=True), Isolation(one_job=True)),
        ('group = "cart"\n', Isolation("cart"), Isolation("cart", NAME)),
    ],
)
def test_the_stricter_of_both_counts(more: str, usual: Isolation, least_module: Isolation) -> None:
    assert (isolation(more), isolation(more, "module")) == (usual, least_module)


def test_a_profile_is_refused_for_a_job_of_its_own_and_for_no_other() -> None:
    with pytest.raises(IsolationRefused, match=r'shop.product 1.4.2 has isolation = "job"') as refused:
        isolation('isolation = "job"\n', profile="p1")
    assert (refused.value.type, refused.value.retryable) == ("module_isolation", False)
    assert "without `profile_id`" in refused.value.mend
    assert isolation('isolation = "module"\n', profile="p1") == Isolation(module=NAME)


def test_a_change_of_the_setting_counts_from_the_next_job_on() -> None:
    settings = Live(ModuleSettings())
    found = ModuleIsolation(settings)
    module = parse_manifest(author.manifest(NAME))
    assert found.of(module, None) == TENANT_ISOLATION
    settings.replace(ModuleSettings(isolation="module"))
    assert found.of(module, None) == Isolation(module=NAME)
