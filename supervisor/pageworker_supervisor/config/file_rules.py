"""Rules of `[files]`, and of links to artifacts in a folder. Pure."""

from collections.abc import Iterator

from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.config.value_checks import RuleFinding, url_findings
from pageworker_supervisor.contract.callback_url import CallbackTarget, GlobInvalid, UrlGlob

STORE_SCHEMES = ("file", "s3", "gs", "az")


def file_findings(settings: Settings) -> Iterator[RuleFinding]:
    """The store's address and the globs of URLs that workers fetch."""
    if settings.files.url is not None:
        yield from url_findings(("files", "url"), settings.files.url, STORE_SCHEMES)
    for glob in settings.files.allowed_urls:
        try:
            UrlGlob.parse(glob)
        except GlobInvalid as error:
            yield ("files", "allowed_urls"), glob, "URL globs, e.g. https://store.example/inbox/*", str(error)


def link_findings(settings: Settings) -> Iterator[RuleFinding]:
    """What links to artifacts in a folder need."""
    artifacts, public_url = settings.artifacts, settings.api.public_url
    if public_url is not None:
        target = CallbackTarget.parse(public_url)
        if target is None or "?" in public_url or "#" in public_url:
            yield (
                ("api", "public_url"),
                public_url,
                "a URL such as https://jobs.example",
                "without user, query and `..`",
            )
    if artifacts.link_secret is None:
        return
    at = ("artifacts", "link_secret")
    if artifacts.url is not None and not artifacts.url.startswith("file:"):
        yield at, "an object store", "artifacts in a folder", "an object store signs its links itself"
    if artifacts.links == "plain":
        yield at, '`links` is "plain"', "no `links`", ""
    if public_url is None:
        yield at, "no api.public_url", "`api.public_url` to be set too", "links begin with it"
    if settings.secrets.backend is None:
        hint = "it says where secrets are stored (docs/secrets.md)"
        yield at, "no secrets.backend", "`secrets.backend` to be set too", hint
