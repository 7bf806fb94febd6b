"""Files that jobs bring along: upload, look, delete."""

from contextlib import ExitStack

from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.admin.operator_api import json_response
from pageworker_supervisor.api.answers import FileAnswer, file_answer
from pageworker_supervisor.api.endpoint import TENANT, Endpoint, QueryField
from pageworker_supervisor.api.file_storage import TenantStorage
from pageworker_supervisor.api.file_upload import receive, stored_file, upload_head
from pageworker_supervisor.api.grant import READ, WRITE, ApiGrant, tenant_of
from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.tenant_quota import TenantQuota
from pageworker_supervisor.config.file_settings import FileSettings
from pageworker_supervisor.contract.job_files import FILE_NAME
from pageworker_supervisor.files.errors import FileMissing, FileStoreAway
from pageworker_supervisor.files.store import LEAST_BYTES, FileStore

MOST_AT_ONCE = 32
"""Uploads. One tenant has half of them at most."""
AGAIN_SECONDS = 2.0
NAME = QueryField(
    "name",
    "Name of the file, as a form gets it.",
    {"type": "string", "pattern": FILE_NAME.replace(r"\Z", "$")},
    required=True,
)
SHA256 = QueryField("sha256", "Digest of the body, in hex.", {"type": "string", "pattern": "^[0-9a-f]{64}$"})


class FileEndpoint:
    """The handlers, over the store."""

    def __init__(self, store: FileStore, settings: FileSettings) -> None:
        self._store = store
        self._max_bytes = settings.max_bytes
        self._keep_seconds = settings.keep_hours * 3600
        self._storage = TenantStorage(store.used_bytes, settings.tenant_bytes)
        self._open = TenantQuota(MOST_AT_ONCE)

    def table(self) -> tuple[Endpoint, ...]:
        """The operations."""
        problems = ("body_timeout", "body_too_large", "media_type", "file_hash_mismatch", "file_empty", "storage_full")
        one, there = "/v1/files/{file_id}", ("not_found", "store_unavailable")
        return (
            Endpoint(
                *("POST", "/v1/files", self.upload, WRITE, "Upload a file for jobs", {201: (FileAnswer,)}),
                query=(TENANT, NAME, SHA256),
                takes_file=True,
                problems=(*problems, *there),
            ),
            Endpoint(
                *("GET", one, self.show, READ, "Show an uploaded file", {200: (FileAnswer,)}),
                query=(TENANT,),
                problems=there,
            ),
            Endpoint(
                *("DELETE", one, self.delete, WRITE, "Delete an uploaded file", {200: (FileAnswer,)}),
                query=(TENANT,),
                problems=there,
            ),
        )

    async def upload(self, request: Request, grant: ApiGrant) -> Response:
        """`POST /v1/files`."""
        values = check_names(request.query_params.multi_items(), (TENANT.name, NAME.name, SHA256.name))
        tenant_id = tenant_of(grant, values.get(TENANT.name))
        head = upload_head(values, request.headers, self._max_bytes)
        size = max(LEAST_BYTES, head.announced_bytes or self._max_bytes)
        with ExitStack() as held:
            if not self._open.take(tenant_id):
                raise ApiProblem("overloaded", "Too many files are uploaded now", retry_after=AGAIN_SECONDS)
            held.callback(self._open.give_back, tenant_id)
            try:
                async with self._storage.reserved(tenant_id, size):
                    spool = held.enter_context(self._store.spool())
                    await receive(request, spool, self._max_bytes)
                    file = stored_file(head, tenant_id, await spool.ended(), spool.bytes, self._keep_seconds)
                    await self._store.put(file, spool)
            except (FileStoreAway, OSError) as away:
                raise store_away(away) from away
            self._storage.changed(tenant_id, max(LEAST_BYTES, file.bytes))
        return json_response(file_answer(file), 201)

    async def show(self, request: Request, grant: ApiGrant) -> Response:
        """`GET /v1/files/{file_id}`."""
        return json_response(await self._found(*self._named(request, grant)))

    async def delete(self, request: Request, grant: ApiGrant) -> Response:
        """`DELETE /v1/files/{file_id}`. A job that names it and has not fetched it is rejected."""
        tenant_id, file_id = self._named(request, grant)
        answer = await self._found(tenant_id, file_id)
        try:
            await self._store.delete(tenant_id, file_id)
        except FileMissing:
            raise no_file() from None
        except FileStoreAway as away:
            raise store_away(away) from away
        self._storage.changed(tenant_id, -max(LEAST_BYTES, answer.bytes))
        return json_response(answer)

    def _named(self, request: Request, grant: ApiGrant) -> tuple[str, str]:
        values = check_names(request.query_params.multi_items(), (TENANT.name,))
        return tenant_of(grant, values.get(TENANT.name)), request.path_params["file_id"]

    async def _found(self, tenant_id: str, untrusted_file_id: str) -> FileAnswer:
        try:
            return file_answer(await self._store.describe(tenant_id, untrusted_file_id))
        except FileMissing:
            raise no_file() from None
        except FileStoreAway as away:
            raise store_away(away) from away


def no_file() -> ApiProblem:
    """The problem of a file that is unknown, has expired, or belongs to another tenant."""
    return ApiProblem("not_found", "There is no such file")


def store_away(away: Exception) -> ApiProblem:
    """The problem of a store that cannot be used now."""
    reason = str(away) if isinstance(away, FileStoreAway) else "The disk of the API cannot be used"
    return ApiProblem("store_unavailable", reason, retry_after=AGAIN_SECONDS)
