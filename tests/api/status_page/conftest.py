"""A real API with its status page, and what signs a visitor in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from api.conftest import ServedApi, serving, settings_for
from msgspec import Struct, structs

from pageworker_supervisor.access.token_text import make_token
from pageworker_supervisor.api.status_page.visitors import COOKIE
from pageworker_supervisor.config.settings import ArtifactSettings, Settings, WorkerSettings
from pageworker_supervisor.config.status_page_settings import StatusPageSettings


def page_settings(url: str, folder: Path, page: StatusPageSettings | None = None) -> Settings:
    """Of an API whose artifacts are in the folder."""
    return structs.replace(
        settings_for(url),
        worker=WorkerSettings(data_dir=folder),
        artifacts=ArtifactSettings(url=(folder / "kept").as_uri()),
        status_page=page or StatusPageSettings(),
    )


class ServedPage(Struct, frozen=True):
    """A running API, and ways to sign in."""

    api: ServedApi

    @property
    def url(self) -> str:
        """The begin of its addresses."""
        return f"http://127.0.0.1:{self.api.port}"

    async def token(self, tenant_id: str | None, *scopes: str) -> str:
        """A new token, of the fleet for None. Also with scopes that only tokens of earlier versions have."""
        text, new = make_token()
        await self.api.queue.access_tokens.add(new.token_id, tenant_id, scopes or ("viewer",), new.digest, "", 0)
        return text

    async def sign_in(self, token: str, **headers: str) -> httpx.Response:
        """Send the form as its page does."""
        sent = {"Origin": self.url, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return await self.api.client.post("/sign-in", data={"token": token}, headers=sent)

    async def cookie(self, tenant_id: str | None, *scopes: str) -> dict[str, str]:
        """The header of a session. httpx would not send a secure cookie over HTTP by itself."""
        answer = await self.sign_in(await self.token(tenant_id, *scopes))
        assert answer.status_code == 303, answer.text
        self.api.client.cookies.clear()
        return {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@asynccontextmanager
async def status_page(settings: Settings) -> AsyncIterator[ServedPage]:
    """The page of an API with these settings."""
    async with serving(settings) as api:
        assert COOKIE.startswith("__Host-")
        yield ServedPage(api)
