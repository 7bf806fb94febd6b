"""Chromium's arguments. They are the host's alone: one of them can start any program.

Chromium honours only the last `--disable-features`, and Playwright passes one of its own, so ours repeats it.
RenderDocument costs a new frame for each navigation: without it a warm page of the full browser does 1.3 times as much.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import playwright

from pageworker_runner.errors import StartError

DISABLE = "--disable-features="
DISABLED_FEATURES = (
    "RenderDocument",
    # Both talk to Google's servers on their own.
    "AutofillServerCommunication",
    "CertificateTransparencyComponentUpdater",
    "InterestFeedContentSuggestions",
    "SegmentationPlatform",
    "Translate",
)
QUIET = (
    # Playwright's list has background networking, component updates, default apps, sync and metrics off already.
    # Components that are installed on demand come from here, updates switched off or not.
    "--component-updater=url-source=about:blank,disable-pings",
    "--disable-client-side-phishing-detection",
    "--disable-domain-reliability",
    "--disable-quic",
    "--no-pings",
    # Names are resolved by the gateway, or not at all.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    # UDP would go around the proxy. The full browser and the headless shell know it by different names.
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
)
BUNDLE = Path(playwright.__file__).parent / "driver/package/lib/coreBundle.js"
LIST = re.compile(rb"disabledFeatures = \[(.*?)\]", re.DOTALL)
COMMENT = re.compile(r"//[^\n]*")


def playwright_disables() -> tuple[str, ...]:
    """The features that the installed Playwright turns off. Reads its driver: 15 ms. Raises StartError."""
    found = LIST.search(BUNDLE.read_bytes())
    names = re.findall(r'"(\w+)"', COMMENT.sub("", found[1].decode())) if found else []
    if not names:
        raise StartError("Playwright's own list of disabled features is not where it was")
    return tuple(names)


def arguments(playwright_features: Iterable[str]) -> list[str]:
    """All of Chromium's arguments, with one list of disabled features at the end: Playwright's, then ours."""
    features = dict.fromkeys((*playwright_features, *DISABLED_FEATURES))
    return [*QUIET, DISABLE + ",".join(features)]
