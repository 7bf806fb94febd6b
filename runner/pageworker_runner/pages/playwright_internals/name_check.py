"""Whether the installed Playwright has every private part that pageworker uses."""

from types import SimpleNamespace

from playwright._impl import client_helper, element_handle, frame, network
from playwright._impl._async_base import mapping
from playwright._impl.artifact import Artifact
from playwright._impl.download import Download as ImplDownload
from playwright._impl.locator import Locator as ImplLocator
from playwright._impl.network import Request as ImplRequest
from playwright._repo_version import version
from playwright.async_api import BrowserContext, expect
from playwright.async_api import Error as BrowserError

from pageworker_runner.errors import StartError
from pageworker_runner.pages.playwright_internals.private_names import PRIVATE_NAMES


def check(context: BrowserContext) -> None:
    """Look for every name in PRIVATE_NAMES. Raises StartError."""
    if missing := missing_names(context):
        raise StartError(
            f"browser: Playwright {version} lacks private parts that pageworker uses: "
            f"{', '.join(missing)}. Install the version that requirements/run.txt names"
        )


def missing_names(context: BrowserContext) -> list[str]:
    """`Page._routes` for each name that this context and its first page do not have."""
    page = context.pages[0]
    impl = getattr(context, "_impl_obj", None)
    impl_page = getattr(page, "_impl_obj", None)
    browser = getattr(impl, "_browser", None)
    browser_type = getattr(browser, "_browser_type", None)
    owners = {
        "Page of the API": page,
        "BrowserContext of the API": context,
        "BrowserContext": impl,
        "Browser": browser,
        "BrowserType": browser_type,
        "Playwright": getattr(browser_type, "_playwright", None),
        "Page": impl_page,
        "Frame": getattr(page.main_frame, "_impl_obj", None),
        "Locator": SimpleNamespace(**dict.fromkeys(ImplLocator.__init__.__code__.co_names)),
        "APIRequestContext": getattr(impl, "request", None),
        "Artifact": Artifact,
        # None exists yet. The constructor sets the attribute.
        "Download": SimpleNamespace(**dict.fromkeys(ImplDownload.__init__.__code__.co_names)),
        "Request": SimpleNamespace(**dict.fromkeys(ImplRequest.__init__.__code__.co_names)),
        "Tracing": getattr(impl, "tracing", None),
        "TracingChannel": getattr(getattr(impl, "tracing", None), "_channel", None),
        "Channel": getattr(getattr(impl, "request", None), "_channel", None),
        "Connection": getattr(impl, "_connection", None),
        "TimeoutSettings": getattr(impl, "_timeout_settings", None),
        "ImplToApiMapping": mapping,
        "Error": BrowserError(""),
        "expect": expect,
        "client_helper": client_helper,
        "element_handle": element_handle,
        "frame": frame,
        "network": network,
    }
    return [
        f"{owner}.{name}"
        for owner, names in PRIVATE_NAMES.items()
        for name in names
        if not hasattr(owners[owner], name)
    ]
