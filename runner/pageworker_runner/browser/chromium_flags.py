"""Chromium's command line. Only the host chooses it: an argument can make Chromium start any program.

Chromium honours only the last `--disable-features`. Playwright passes one, so ours repeats Playwright's list.
"""

from collections.abc import Iterable

DISABLE = "--disable-features="
DISABLED_FEATURES = (
    # Not RenderDocument, whatever it costs: without it no page that still loads has a screenshot.
    # These connect to Google's servers on their own.
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "InterestFeedContentSuggestions",
    "SegmentationPlatform",
    "Translate",
)
ARGUMENTS = (
    # Playwright switches off background networking, component updates, default apps, sync and metrics. Components that
    # are installed on demand come from this URL even then.
    "--component-updater=url-source=about:blank,disable-pings",
    "--disable-client-side-phishing-detection",
    "--disable-domain-reliability",
    "--disable-quic",
    # At its start, the full browser asks Google which accounts are signed in. Chromium never connects to this port.
    "--gaia-url=http://127.0.0.1:1",
    "--no-pings",
    # Only the egress gateway resolves names.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    # UDP would bypass the proxy. The full browser and the headless shell have different names for this.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)


def arguments(playwright_features: Iterable[str], locale: str | None = None) -> list[str]:
    """All arguments, with one list of disabled features at the end: Playwright's, then ours.

    `locale` is a checked option. Playwright sets it for pages; here it is set for the workers that pages share, too.
    """
    features = dict.fromkeys((*playwright_features, *DISABLED_FEATURES))
    language = () if locale is None else (f"--lang={locale}", f"--accept-lang={locale}")
    return [*ARGUMENTS, *language, DISABLE + ",".join(features)]
