"""Which tenants and domains lose the settings of a glob."""

import pytest

from pageworker_supervisor.cli.replaced_globs import replaced_globs
from pageworker_supervisor.config.central_document import CentralValues
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.settings import Settings, TenantSettings

LOCAL = Settings(
    tenants={"*": TenantSettings(concurrency=3), "ac*": TenantSettings(weight=2.0), "own": TenantSettings()},
    domains={"*.shop.example": DomainSettings(concurrency=3)},
)


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({}, {"tenants.beta.weight": 2}, ['beta had the settings of tenants."*"']),
        ({}, {"tenants.acme.weight": 2}, ['acme had the settings of tenants."ac*"']),
        ({}, {"tenants.own.weight": 2, "pool.runners": 6}, []),
        ({"tenants.beta.weight": 2}, {"tenants.beta.weight": 3, "tenants.beta.burst": 1}, []),
        ({"tenants.beta.weight": 2}, {}, []),
        ({}, {'tenants."be*".weight': 2}, []),
        (
            {'tenants."be*".weight': 2},
            {'tenants."be*".weight': 2, "tenants.beta.burst": 1},
            ['beta had the settings of tenants."be*"'],
        ),
        ({}, {'domains."a.shop.example".burst': 2}, ['a.shop.example had the settings of domains."*.shop.example"']),
        ({}, {'domains."b.example".burst': 2}, []),
    ],
)
def test_a_first_setting_of_its_own(before: CentralValues, after: CentralValues, named: list[str]) -> None:
    lines = list(replaced_globs(LOCAL, before, after))
    assert lines == [f"{line}. From now on only its own count." for line in named]


def test_a_glob_with_the_defaults_gives_nothing_to_lose() -> None:
    assert not list(replaced_globs(Settings(), {}, {"tenants.acme.weight": 2, 'domains."a.example".burst': 2}))
