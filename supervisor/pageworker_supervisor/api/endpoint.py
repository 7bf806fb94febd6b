"""One operation of the API: method, path, who may call it, and what it takes and answers."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from pageworker_supervisor.api.grant import ApiGrant

Handler = Callable[[Request, ApiGrant], Awaitable[Response]]


@dataclass(frozen=True)
class QueryField:
    """A field of the query. `schema`: its JSON Schema."""

    name: str
    meaning: str
    schema: Mapping[str, object]
    required: bool = False


@dataclass(frozen=True)
class Endpoint:
    """One operation. `answers`: the types that the body may have, by status; none: server-sent events, or a file if it
    `downloads`. `takes`: the type of its body, if that holds no jobs. `media_types`: which the body of a 200 may have
    beside JSON, as text. `problems`: codes beside those that every operation has.
    """

    method: str
    path: str
    handler: Handler
    scopes: frozenset[str]
    summary: str
    answers: Mapping[int, tuple[type[Struct], ...]]
    query: tuple[QueryField, ...] = ()
    takes: type[Struct] | None = None
    takes_jobs: bool = False
    takes_file: bool = False
    downloads: bool = False
    media_types: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


TENANT = QueryField(
    "tenant_id",
    "The tenant. Only for tokens of the fleet's operator, which need it.",
    {"type": "string", "pattern": "^[a-z0-9-]{1,63}$"},
)
