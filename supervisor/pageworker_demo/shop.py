"""A small shop: products, a login that lasts, a captcha, a page that fails and a slow page."""

import asyncio
import secrets
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from pageworker_demo import shop_data

MAX_FORM_BYTES = 4096
SESSION_SECONDS = 86_400
MAX_SLOW_SECONDS = 30.0


class Shop:
    """The site. `app` is the application to serve. `logins` counts the logins per member."""

    def __init__(self) -> None:
        self.logins: dict[str, int] = {}
        self._sessions: dict[str, str] = {}
        self.app = Starlette(
            routes=[
                Route("/", self._front),
                Route("/style.css", self._style),
                Route("/products/{sku}.svg", self._picture),
                Route("/products/{sku}", self._product),
                Route("/login", self._login_form),
                Route("/login", self._login, methods=["POST"]),
                Route("/account", self._account),
                Route("/guarded", self._guarded),
                Route("/captcha/frame", self._frame),
                Route("/broken", self._broken),
                Route("/slow", self._slow),
            ]
        )

    async def _front(self, _: Request) -> Response:
        return HTMLResponse(shop_data.front())

    async def _style(self, _: Request) -> Response:
        return Response(shop_data.STYLE, media_type="text/css")

    async def _product(self, request: Request) -> Response:
        product = shop_data.PRODUCTS.get(request.path_params["sku"])
        if product is None:
            return HTMLResponse(shop_data.page("Not found", "<h1>Not found</h1>"), 404)
        return HTMLResponse(shop_data.product_page(product))

    async def _picture(self, request: Request) -> Response:
        product = shop_data.PRODUCTS.get(request.path_params["sku"])
        if product is None:
            return Response(status_code=404)
        return Response(shop_data.picture(product), media_type="image/svg+xml")

    async def _login_form(self, _: Request) -> Response:
        return HTMLResponse(shop_data.login_page())

    async def _login(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_FORM_BYTES:
            return Response(status_code=413)
        form = parse_qs(body.decode("ascii", "replace"))
        member, password = form.get("user", [""])[0], form.get("password", [""])[0]
        known = shop_data.MEMBERS.get(member)
        if known is None or not secrets.compare_digest(known.encode(), password.encode()):
            return HTMLResponse(shop_data.login_page("Unknown name or wrong password."), 403)
        session = secrets.token_urlsafe(24)
        self._sessions[session] = member
        self.logins[member] = self.logins.get(member, 0) + 1
        answer = RedirectResponse("/account", 303)
        answer.set_cookie("session", session, max_age=SESSION_SECONDS, httponly=True, samesite="lax")
        return answer

    async def _account(self, request: Request) -> Response:
        member = self._sessions.get(request.cookies.get("session", ""))
        if member is None:
            return RedirectResponse("/login", 303)
        return HTMLResponse(shop_data.account_page(member, orders=len(member)))

    async def _guarded(self, _: Request) -> Response:
        return HTMLResponse(shop_data.guarded_page())

    async def _frame(self, _: Request) -> Response:
        return HTMLResponse(shop_data.captcha_frame())

    async def _broken(self, _: Request) -> Response:
        return HTMLResponse(shop_data.broken_page(), 503, {"Retry-After": "3600"})

    async def _slow(self, request: Request) -> Response:
        asked = request.query_params.get("seconds", "5")
        seconds = float(asked) if asked.replace(".", "", 1).isdigit() else 5.0
        try:
            async with asyncio.timeout(min(MAX_SLOW_SECONDS, seconds)):
                # A client that disconnects is not served any longer.
                while (await request.receive())["type"] != "http.disconnect":
                    continue
        except TimeoutError:
            return HTMLResponse(shop_data.page("Loaded", "<h1>Loaded</h1>"))
        return Response(status_code=499)
