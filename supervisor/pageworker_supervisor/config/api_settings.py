"""The section `[api]`: the HTTP API of the process `pageworker-api`."""

from typing import Annotated

from msgspec import Meta

from pageworker_supervisor.config.section import Section

API_BIND = r"^(\[[0-9a-fA-F:]+\]|[0-9A-Za-z.-]+):\d{1,5}\Z"
"""As that of `http.bind`."""


class ApiSettings(Section, frozen=True):
    """The HTTP API (docs/api.md): settings of `pageworker-api`. Workers read `with_worker` and `public_url`."""

    bind: Annotated[str, Meta(pattern=API_BIND)] | None = None
    """Address and port of the API, e.g. `127.0.0.1:9480`. Default: there is no API, and `pageworker-api` does not
    start."""
    with_worker: bool = False
    """Whether the worker starts `pageworker-api` when it is up, starts it again if it ends, and stops it: for a single
    machine. The API then runs as the worker's user. Needs `bind`."""
    metrics_bind: Annotated[str, Meta(pattern=API_BIND)] | None = None
    """Address and port of `/metrics`, which has no password, e.g. `127.0.0.1:9481`. Default: there are no metrics."""
    access_log: bool = True
    """Whether each request has a line in the log: token id, tenant, operation, status and time."""
    public_url: Annotated[str, Meta(max_length=200)] | None = None
    """Address at which receivers of results reach the API, e.g. `https://jobs.example`. Links to artifacts
    begin with it (`artifacts.link_secret`)."""
    connections: Annotated[int, Meta(ge=16, le=100_000)] = 4096
    """Open connections. Above it, the one that has waited longest for a request is closed."""
    requests_per_second: Annotated[float, Meta(gt=0, le=1_000_000)] = 50.0
    """Requests per second and token. Further ones get a 429 before they reach Redis. A request with many jobs counts as
    one."""
    burst: Annotated[int, Meta(ge=1, le=1_000_000)] = 200
    """Requests of a token that may come at once before `requests_per_second` slows them down."""
    max_body_bytes: Annotated[int, Meta(ge=512 * 1024, le=64 * 1024 * 1024)] = 8 * 1024 * 1024
    """Bytes of one request body. A larger one gets a 413."""
    max_wait_seconds: Annotated[float, Meta(gt=0, le=600)] = 60.0
    """Longest `wait` of a request for a result, in seconds."""
