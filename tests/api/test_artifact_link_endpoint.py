"""Artifacts by links, from a real folder: with the signature alone, and nothing without it."""

import time
from pathlib import Path

import msgspec
from api.conftest import serving, settings_for
from msgspec import structs
from pw_servers import RedisServer

from pageworker_supervisor.artifacts.links import link_to
from pageworker_supervisor.artifacts.store import ArtifactStore
from pageworker_supervisor.config.settings import Settings, WorkerSettings
from pageworker_supervisor.contract.job import JobRef

SECRET = "0123456789abcdef" * 4
PUBLIC = "https://jobs.example"


def settings_in(url: str, folder: Path) -> Settings:
    more = {
        "artifacts": {"link_secret": "links"},
        "api": {"bind": "127.0.0.1:0", "public_url": PUBLIC},
        "secrets": {"backend": "files", "files": {"folder": folder / "secrets"}},
    }
    given = msgspec.convert(more, Settings)
    return structs.replace(
        settings_for(url, given.api),
        worker=WorkerSettings(data_dir=folder),
        artifacts=given.artifacts,
        secrets=given.secrets,
    )


async def test_a_link_opens_its_artifact_and_no_other(live_redis: RedisServer, tmp_path: Path) -> None:
    secret = tmp_path / "secrets" / "_fleet" / "links"
    secret.parent.mkdir(parents=True)
    secret.touch(0o600)
    secret.write_text(SECRET)
    store = ArtifactStore.open(None, tmp_path)
    keys = []
    for data in (b"<script>alert(1)</script>", b"other"):
        url = (await store.put(JobRef("acme", "17"), 1, "html", "text/html", data)).url
        keys.append(url.partition("/artifacts/")[2])
    (tmp_path / "artifacts" / keys[1]).unlink()
    expires = int(time.time()) + 60
    mine, gone, over = (
        link_to("", key, end, SECRET.encode())
        for key, end in ((keys[0], expires), (keys[1], expires), (keys[0], expires - 120))
    )
    async with serving(settings_in(live_redis.url, tmp_path)) as api:
        answer = await api.client.get(mine)
        assert (answer.status_code, answer.content) == (200, b"<script>alert(1)</script>")
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["content-disposition"] == "attachment"
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert answer.headers["cache-control"] == "private, no-store"
        assert (await api.client.head(mine)).headers["content-length"] == "25"
        for link, refused in (
            (over, "403 link_invalid"),
            (mine[:-1] + ("0" if mine[-1] != "0" else "1"), "403 link_invalid"),
            (mine.replace(keys[0], keys[1]), "403 link_invalid"),
            (mine.partition("?")[0], "403 link_invalid"),
            (f"{mine}&x=1", "400 invalid_request"),
            (gone, "404 not_found"),
            ("/v1/artifacts/acme/..%2f..%2fsecrets/x/y", "404 not_found"),
        ):
            problem = await api.client.get(link)
            assert f"{problem.status_code} {problem.json()['code']}" == refused, link
        assert (await api.client.post(mine)).status_code == 405
        secret.unlink()
        away = await api.client.get(mine)
        assert (away.status_code, away.json()["code"]) == (503, "store_unavailable")
        assert "links" not in away.text


async def test_without_the_setting_there_are_no_links(live_redis: RedisServer, tmp_path: Path) -> None:
    plain = structs.replace(settings_for(live_redis.url), worker=WorkerSettings(data_dir=tmp_path))
    async with serving(plain) as api:
        assert (await api.client.get("/v1/artifacts/acme/2026-11-28/17/1-a-0123456789ab.png")).status_code == 404
