"""The options of a browser context, as the runner gets them. `page_rules.py` has the checks of every value."""

import re
from typing import Any, Literal

import msgspec
from msgspec import Struct

BlockedType = Literal["image", "media", "font"]
"""A kind of request, by what the page wants it for: `fetch()` of an image is none of them."""

HIDDEN = "(hidden)"
PEM = re.compile(r"-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----")


class Viewport(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """CSS pixels."""

    width: int
    height: int


class Geolocation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Degrees; `accuracy` in meters."""

    latitude: float
    longitude: float
    accuracy: float = 0


class HttpCredentials(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """For HTTP authentication. Without `origin` (`https://host`) any host that the module reaches can ask for them."""

    username: str
    password: str
    origin: str | None = None

    def __repr__(self) -> str:
        return HIDDEN


class PageOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """Checked options of a browser context. None: the browser's default."""

    viewport: Viewport | None = None
    user_agent: str | None = None
    locale: str | None = None
    timezone_id: str | None = None
    device_scale_factor: float | None = None
    is_mobile: bool | None = None
    has_touch: bool | None = None
    java_script_enabled: bool | None = None
    http_credentials: HttpCredentials | None = None
    ignore_https_errors: bool | None = None
    ca: str | None = None
    """PEM of the certificates that the context trusts besides the public ones. In module.toml also a file's name."""
    geolocation: Geolocation | None = None
    permissions: tuple[str, ...] | None = None
    color_scheme: Literal["light", "dark", "no-preference"] | None = None
    reduced_motion: Literal["reduce", "no-preference"] | None = None
    forced_colors: Literal["active", "none"] | None = None
    contrast: Literal["more", "no-preference"] | None = None
    extra_http_headers: dict[str, str] | None = None
    service_workers: Literal["allow", "block"] | None = None
    block: tuple[BlockedType, ...] | None = None
    """Types of requests that the browser does not send."""
    block_hosts: tuple[str, ...] | None = None
    """Hosts or globs of hosts to which the browser sends no request, in the form of `hostname.policy_host_glob`."""

    def __repr__(self) -> str:
        """Names alone: a value may be a secret."""
        return f"PageOptions({', '.join(self.given())})"

    def given(self) -> dict[str, Any]:
        """The options that are set, as they are here."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name)) is not None}

    def over(self, base: "PageOptions") -> "PageOptions":
        """These options, and those of `base` that are not set here."""
        return msgspec.structs.replace(base, **self.given())


def pem_blocks(text: str) -> list[str]:
    """The certificates of a PEM text."""
    return PEM.findall(text.replace("\r\n", "\n"))
