"""The routes of the status page: headers, sign-in, errors for people."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pageworker_supervisor.api.problem import ApiProblem
from pageworker_supervisor.api.query import check_names
from pageworker_supervisor.api.status_page import sign_in_views
from pageworker_supervisor.api.status_page.layout import MENU, REFRESH_SECONDS, PageView, PageVisitor, document
from pageworker_supervisor.api.status_page.markup import Address, address
from pageworker_supervisor.api.status_page.pages import Fields, PageReader, StatusPages
from pageworker_supervisor.api.status_page.visitors import (
    COOKIE,
    LONGEST_FORM,
    SignInRefused,
    Visitors,
    comes_from_this_page,
)
from pageworker_supervisor.telemetry import log

FIELDS = ("tenant_id", "job_id", "number", "id", "state", "status", "cursor", "after", "refresh")
FORM_SECONDS = 10.0
PAGE_SECONDS = 15.0
"""For all that a page reads."""
STARTING_SECONDS = 2.0
POLICY: Final = "; ".join(
    (
        *("default-src 'none'", "style-src 'self'", "img-src 'self'", "form-action 'self'"),
        *("base-uri 'none'", "frame-ancestors 'none'"),
        # There is no script. Should one get in, it could not turn a text into a script either.
        *("require-trusted-types-for 'script'", "trusted-types 'none'"),
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: the form would be sent with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
COOKIE_FORM = "Path=/; Secure; HttpOnly; SameSite=Strict"
"""Secure: browsers keep it over HTTPS, and over HTTP from loopback."""
STYLES = files(__package__).joinpath("status.css").read_bytes()
ICON = files(__package__).joinpath("status.svg").read_bytes()


class StatusSite:
    """The routes."""

    def __init__(self, pages: StatusPages, visitors: Visitors) -> None:
        self._pages = pages
        self._visitors = visitors

    def routes(self) -> list[Route]:
        """All of them, for the application of the API."""
        pages = [Route(path, self._page(reader), methods=["GET"]) for path, reader in self._pages.table().items()]
        return [
            *pages,
            Route("/artifact", self._artifact, methods=["GET"]),
            Route("/image", self._image, methods=["GET"]),
            Route("/sign-in", self._sign_in_form, methods=["GET"]),
            Route("/sign-in", self._sign_in, methods=["POST"]),
            Route("/signed-in", self._signed_in, methods=["GET"]),
            Route("/sign-out", self._sign_out, methods=["POST"]),
            *asset_routes(),
        ]

    def _page(self, reader: PageReader) -> Callable[[Request], Awaitable[Response]]:
        async def read(request: Request, visitor: PageVisitor, fields: Fields) -> Response:
            view = await reader(visitor, fields)
            response = html_response(view, visitor)
            if view.live and fields.get("refresh"):
                response.headers["Refresh"] = str(REFRESH_SECONDS)
            return response

        return self._for_visitors(read)

    def _for_visitors(
        self, handler: Callable[[Request, PageVisitor, Fields], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            async def answer() -> Response:
                visitor = await self._visitors.visitor(request)
                if visitor is None:
                    return _redirect("/sign-in")
                try:
                    fields = check_names(request.query_params.multi_items(), FIELDS)
                    return await handler(request, visitor, fields)
                except ApiProblem as problem:
                    return problem_response(problem, visitor)

            return await _answered(request, answer)

        return handle

    async def _artifact(self, request: Request) -> Response:
        async def read(request: Request, visitor: PageVisitor, fields: Fields) -> Response:
            return await self._pages.artifact(visitor, fields, head=request.method == "HEAD")

        return await self._for_visitors(read)(request)

    async def _image(self, request: Request) -> Response:
        async def read(request: Request, visitor: PageVisitor, fields: Fields) -> Response:
            return await self._pages.image(visitor, fields)

        return await self._for_visitors(read)(request)

    async def _sign_in_form(self, _: Request) -> Response:
        return html_response(sign_in_views.form(), None)

    async def _sign_in(self, request: Request) -> Response:
        async def answer() -> Response:
            if not comes_from_this_page(request.headers):
                return html_response(sign_in_views.form(sign_in_views.FOREIGN), None, 403)
            try:
                session = await self._visitors.sign_in(request, await _form(request))
            except SignInRefused as refused:
                return html_response(sign_in_views.form(str(refused)), None, 403)
            response = _redirect("/signed-in")
            response.headers["Set-Cookie"] = f"{COOKIE}={session}; {COOKIE_FORM}"
            return response

        return await _answered(request, answer)

    async def _signed_in(self, request: Request) -> Response:
        """Where sign-in leads to: a browser that has kept no cookie is told so."""
        if COOKIE in request.cookies:
            return _redirect("/")
        return html_response(sign_in_views.form(sign_in_views.NO_COOKIE), None, 403)

    async def _sign_out(self, request: Request) -> Response:
        if not comes_from_this_page(request.headers):
            return html_response(sign_in_views.form(sign_in_views.FOREIGN), None, 403)
        response = _redirect("/sign-in")
        response.headers["Set-Cookie"] = f"{COOKIE}=; {COOKIE_FORM}; Max-Age=0"
        return response


def asset_routes() -> list[Route]:
    """Style sheet and icon. They are public, and change with the version alone."""

    def asset(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
        headers = {**HEADERS, "Cache-Control": "public, max-age=86400"}

        async def send(_: Request) -> Response:
            return Response(content, headers=headers, media_type=media_type)

        return send

    return [
        Route("/status.css", asset(STYLES, "text/css"), methods=["GET"]),
        Route("/status.svg", asset(ICON, "image/svg+xml"), methods=["GET"]),
    ]


def starting_routes(trouble: Callable[[], str]) -> list[Route]:
    """What is answered before the API knows the settings of the fleet."""

    async def refuse(_: Request) -> Response:
        detail = trouble() or "The API is starting"
        return problem_response(ApiProblem("redis_unavailable", detail, retry_after=STARTING_SECONDS), None)

    paths = [path for entry in MENU for path in (entry.path, *entry.also)]
    return [*(Route(path, refuse, methods=["GET"]) for path in (*paths, "/sign-in")), *asset_routes()]


def html_response(view: PageView, visitor: PageVisitor | None, status: int = 200) -> Response:
    """A page with the headers that all pages have."""
    text = document(view, visitor, _asset("/status.css", STYLES), _asset("/status.svg", ICON))
    return Response(text, status, HEADERS, media_type="text/html")


def problem_response(problem: ApiProblem, visitor: PageVisitor | None) -> Response:
    """A problem as a page."""
    response = html_response(sign_in_views.problem(problem.document), visitor, problem.document.status)
    response.headers.update(problem.headers)
    return response


async def _answered(request: Request, handler: Callable[[], Awaitable[Response]]) -> Response:
    try:
        async with asyncio.timeout(PAGE_SECONDS):
            return await handler()
    except ApiProblem as problem:
        return problem_response(problem, None)
    except TimeoutError:
        detail = f"Redis did not answer within {PAGE_SECONDS:g} s"
        return problem_response(ApiProblem("redis_unavailable", detail, retry_after=STARTING_SECONDS), None)
    except Exception as error:  # noqa: BLE001 - the visitor gets a page for a bug, too
        log.opt(exception=error).error("a page of the status page failed", path=request.url.path)
        return problem_response(ApiProblem("internal_error", "The log of pageworker-api has the reason"), None)


async def _form(request: Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(FORM_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > LONGEST_FORM:
                    raise SignInRefused("The form is too long.")
    except TimeoutError:
        raise ApiProblem("body_timeout", f"The form did not arrive within {FORM_SECONDS:g} s") from None
    except ClientDisconnect:
        raise SignInRefused("The connection was closed before the form was complete.") from None
    return body


def _redirect(path: str) -> Response:
    return RedirectResponse(path, 303, HEADERS)


def _asset(path: str, content: bytes) -> Address:
    return address(path, v=hashlib.sha256(content).hexdigest()[:12])
