"""By pages, and through Playwright's API: what a browser opens, fetches, reads, writes and starts."""

from typing import Any

from pw_escape import mechanisms as m
from pw_escape.attack import Attack, AttackPlace, StartedBy

BLOCKED, NOT_FOUND = "ERR_BLOCKED_BY_ADMINISTRATOR", "ERR_FILE_NOT_FOUND"
PYTHON = "'-I', '-S', '-c', 'open(\"PROOF\", \"w\")'"


def _local(url: str) -> Attack:
    """Full Chromium obeys the policy."""
    return Attack(f"open {url}", f"await opened({url!r})", BLOCKED, m.POLICY, place=AttackPlace.PAGE)


def _shell(name: str, code: str, refused: str, by: str, *overlaps: str, **options: Any) -> Attack:
    """The headless shell has no policy: what is not there can not be opened."""
    return Attack(name, code, refused, by, overlaps, place=AttackPlace.SHELL, **options)


LOCAL = (
    *map(
        _local,
        (
            "file:///etc/hosts",
            "file:///profile",
            "file:///proc/self/status",
            "file:///dev/",
            "view-source:file:///etc/hosts",
            "chrome://version",
            "chrome://policy",
            "chrome://flags",
            "devtools://devtools/bundled/inspector.html",
        ),
    ),
    Attack(
        "open passwd in the browser",
        "await opened('file:///etc/passwd')",
        BLOCKED,
        m.POLICY,
        also=((m.ROOT, NOT_FOUND),),
        place=AttackPlace.PAGE,
    ),
    _local("file:///usr/share/"),
    _shell("passwd by the shell", "await opened('file:///etc/passwd')", NOT_FOUND, m.ROOT),
    _shell(
        "the other tenant's folder by the shell",
        "await opened('file://' + HOST['neighbour'] + '/Cookies')",
        NOT_FOUND,
        m.ROOT,
        modes=(StartedBy.USER,),
    ),
    _shell(
        "the supervisor's secret by the shell",
        "await opened('file://' + HOST['secret'])",
        NOT_FOUND,
        m.ROOT,
        modes=(StartedBy.USER,),
    ),
)
REQUESTS = tuple(
    Attack(
        f"{name} by a page",
        f"await opened({url})",
        "ERR_PROXY_CONNECTION_FAILED",
        m.PROXY,
        also=((m.NET_NS, away),),
        place=AttackPlace.SHELL,
    )
    for name, url, away in (
        ("the cloud's metadata", "f\"http://{HOST['metadata']}/latest/\"", "ERR_ADDRESS_UNREACHABLE"),
        ("the host's loopback", "f\"http://127.0.0.1:{HOST['tcp']}/\"", "ERR_CONNECTION_REFUSED"),
        ("the host's IPv6 loopback", "f\"http://[::1]:{HOST['tcp6']}/\"", "ERR_CONNECTION_REFUSED"),
        ("the host's loopback by name", "f\"http://localhost:{HOST['tcp']}/\"", "ERR_CONNECTION_REFUSED"),
        ("a neighbouring network", "f\"http://{HOST['private']}/\"", "ERR_ADDRESS_UNREACHABLE"),
    )
)
API = (
    Attack(
        "the cloud's metadata by Playwright's requests",
        "await (await context.request.get(f\"http://{HOST['metadata']}/latest/\", timeout=4000)).text()",
        "ECONNREFUSED",
        m.PROXY,
        also=((m.NET_NS, "ENETUNREACH"),),
        place=AttackPlace.SHELL,
    ),
    _shell(
        "upload passwd",
        "page_ = await context.new_page()\nawait page_.set_content('<input type=file>')\n"
        "await page_.set_input_files('input', '/etc/passwd')\n"
        "if not await page_.evaluate('document.querySelector(`input`).files[0].text()'): raise Missed('empty')",
        "ENOENT",
        m.ROOT,
    ),
    _shell("start the interpreter", f"await started(PYTHON, {PYTHON}, ignore_default_args=True)", "EACCES", m.LAYER_1),
    _shell(
        "start a shell",
        "await started(HOST['shell'], '-c', ': > PROOF', ignore_default_args=True)",
        "ENOENT",
        m.ROOT,
        m.LAYER_1,
    ),
    _shell(
        "start a shell of the host",
        "await started(HOST['shell'], '-c', ': > PROOF', ignore_default_args=True)",
        "ENOENT",
        m.LAYER_1,
        m.ROOT,
        alone="EACCES",
    ),
    *(
        Attack(
            f"start the interpreter by {flag}",
            f'await started(BROWSER, f\'{flag}={{PYTHON}} -I -S -c open("PROOF","w")\', chromium_sandbox=True)',
            "Missed",
            m.LAYER_1,
            place=place,
        )
        for flag, place in (
            ("--renderer-cmd-prefix", AttackPlace.SHELL),
            ("--utility-cmd-prefix", AttackPlace.SHELL),
        )
    ),
    _shell(
        "start a download",
        "page_ = await context.new_page()\nimport base64\n"
        "data = base64.b64encode(open('/opt/pageworker/code/pw_shared/maker', 'rb').read()).decode()\n"
        "async with page_.expect_download() as waiting:\n"
        "    await page_.set_content(f\"<a download=x href='data:application/x-elf;base64,{data}'>x</a>\")\n"
        "    await page_.click('a')\n"
        "path = await (await waiting.value).path()\nos.chmod(path, 0o755)\n"
        "await started(str(path), 'PROOF', ignore_default_args=True)",
        "EACCES",
        m.NOEXEC_SCRATCH,
        m.LAYER_1,
    ),
    _shell(
        "save a download over code",
        "page_ = await context.new_page()\nasync with page_.expect_download() as waiting:\n"
        "    await page_.set_content(\"<a download=x href='data:text/plain,x'>x</a>\")\n    await page_.click('a')\n"
        "await (await waiting.value).save_as('/opt/pageworker/code/pw_shared/saved')",
        "EROFS",
        m.READ_ONLY_BINDS,
    ),
)
ATTACKS = (*LOCAL, *REQUESTS, *API)
