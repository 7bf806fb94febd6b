"""Modules of a tenant, from a real registry."""

from pathlib import Path

import msgspec
from api.conftest import ServedApi, serving, settings_for
from msgspec import structs
from pw_modules.author import Author, packed
from pw_servers import RedisServer

from pageworker_supervisor.config.module_settings import ModuleSettings
from pageworker_supervisor.config.settings import Settings, TenantSettings, WorkerSettings


def settings_in(url: str, folder: Path, author: Author) -> Settings:
    tenants = {"acme": TenantSettings(), "beta": TenantSettings(modules=("shop.other",))}
    return structs.replace(
        settings_for(url, tenants=tenants),
        worker=WorkerSettings(data_dir=folder),
        modules=ModuleSettings(registry=str(folder / "registry"), trusted_keys=(author.key.public.line(),)),
    )


async def names(api: ServedApi, token: str, query: str = "") -> tuple[list[str], str | None]:
    answer = await api.client.get(f"/v1/modules{query}", headers=api.as_(token))
    assert answer.status_code == 200, answer.text
    return [module["name"] for module in answer.json()["modules"]], answer.json()["next"]


async def test_a_tenant_sees_the_modules_that_it_may_run(live_redis: RedisServer, tmp_path: Path) -> None:
    author, place = Author(), tmp_path / "registry"
    place.mkdir()
    for name, more in (("shop.product", ""), ("shop.other", ""), ("shop.private", 'tenants = ["gamma"]\n')):
        await author.publish(place, packed(name, more=more))
    async with serving(settings_in(live_redis.url, tmp_path, author)) as api:
        assert await names(api, "a1") == (["shop.other", "shop.product"], None)
        assert await names(api, "p1") == (["shop.other", "shop.product"], None)
        assert await names(api, "b1") == (["shop.other"], None)
        assert await names(api, "a1", "?count=1") == (["shop.other"], "shop.other")
        assert await names(api, "a1", "?count=1&after=shop.other") == (["shop.product"], None)
        shown = (await api.client.get("/v1/modules/shop.product", headers=api.as_("a1"))).json()
        assert shown["version"] == "1.4.2"
        assert shown["input"]["type"] == "object"
        for token, name in (("b1", "shop.product"), ("a1", "shop.private"), ("a1", "no.such"), ("a1", "..")):
            refused = await api.client.get(f"/v1/modules/{name}", headers=api.as_(token))
            assert refused.status_code == 404, name
        for query in ("count=0", "count=101", "count=x", "limit=1"):
            assert (await api.client.get(f"/v1/modules?{query}", headers=api.as_("a1"))).status_code == 400


async def test_without_a_trusted_key_there_is_nothing_to_show(live_redis: RedisServer) -> None:
    async with serving(settings_for(live_redis.url)) as api:
        answer = await api.client.get("/v1/modules", headers=api.as_("a1"))
        assert (answer.status_code, answer.json()["code"]) == (503, "registry_unavailable")
        assert msgspec.json.decode(answer.content)["hint"] == "set modules.trusted_keys"
