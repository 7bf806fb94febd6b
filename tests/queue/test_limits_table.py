"""The table of limits: what it holds, and that Redis looks a name up as the settings do."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pageworker_supervisor.config.limit_settings import DomainSettings, LimitSettings, SharedLimits
from pageworker_supervisor.config.settings import Settings, TenantSettings
from pageworker_supervisor.queue.limits_table import UNLIMITED, LimitsId, LimitsTable, limits_table
from pageworker_supervisor.queue.producer import QuotaLimits

QUOTAS = st.builds(QuotaLimits, concurrency=st.integers(1, 99))


def test_an_id_is_read_as_it_is_written() -> None:
    assert LimitsId.parse(str(LimitsId(3, "ab"))) == LimitsId(3, "ab")


def test_a_configuration_becomes_a_table() -> None:
    settings = Settings(
        tenants={"acme": TenantSettings(weight=2.0, concurrency=3, rate_per_second=5.0, burst=7)},
        domains={"Shop.Example": DomainSettings(concurrency=4)},
    )
    table = limits_table(settings, version=9)
    assert table.version == 9
    assert (table.modules, table.fleet) == ({}, None)
    assert table.tenants == {"acme": QuotaLimits(2.0, 3, 5.0, 7)}
    assert table.domains == {"shop.example": QuotaLimits(concurrency=4)}


@given(st.dictionaries(st.text("ab*", min_size=1, max_size=4), QUOTAS))
def test_the_digest_is_that_of_the_content(entries: dict[str, QuotaLimits]) -> None:
    turned = dict(reversed(entries.items()))
    assert LimitsTable(tenants=entries).id == LimitsTable(tenants=turned).id
    assert LimitsTable(tenants=entries).id != LimitsTable(tenants={**entries, "new": QuotaLimits()}).id
    assert LimitsTable(tenants=entries).id.digest == LimitsTable(version=7, tenants=entries).id.digest


def test_a_shard_has_its_part_of_a_domain_and_all_of_a_tenant() -> None:
    four = QuotaLimits(concurrency=4)
    table = LimitsTable(tenants={"acme": four}, domains={"shop.test": four})
    assert b"1 4 0 100" in table.packed(1)
    assert b"1 2 0 50" in table.packed(2)
    assert b"1 4 0 100" in table.packed(2)


def test_fleet_and_modules_have_limits_only_where_some_are_set() -> None:
    modules = {
        "shop.*": SharedLimits(concurrency=4),
        "shop.free": SharedLimits(),
        "slow": SharedLimits(rate_per_second=2),
    }
    table = limits_table(Settings(limits=LimitSettings(fleet=SharedLimits(concurrency=8, burst=2), modules=modules)))
    assert table.fleet == QuotaLimits(concurrency=8, burst=2)
    assert table.modules == {
        "shop.*": QuotaLimits(concurrency=4),
        "shop.free": None,
        "slow": QuotaLimits(concurrency=UNLIMITED, rate_per_second=2),
    }
    packed = msgspec.msgpack.decode(table.packed(2))
    assert packed["fleet"] == "1 4 0 1"
    assert packed["modules"]["globs"] == [["shop.*", "1 2 0 50"]]
    assert packed["modules"]["exact"] == {"shop.free": "", "slow": f"1 {UNLIMITED // 2} 1 50"}
    assert packed["modules"]["other"] == ""
