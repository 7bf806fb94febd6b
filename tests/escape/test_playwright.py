"""Attacks through Playwright's API from confined module code: it may start programs, the kernel chooses which.

What it can start is the driver's own node and the browser, again and with any argument. So native code under
layer 1 is within a module's reach; what that is worth is in test_conquered_browser.
"""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio
from pw_wall import cells
from pw_wall.cells import Inside, Refused

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
NODE = "/opt/pageworker/site/playwright/driver/node"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("playwright") / "profile"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def confined(folder: Path) -> AsyncIterator[Inside]:
    async with cells.cell(cells.host(cells.HEADLESS), cells.spec(folder)) as inside:
        await inside.browse(cells.HEADLESS)
        yield inside


@pytest.mark.parametrize("program", ["/usr/bin/python3.11", "/bin/sh", "/lib64/ld-linux-x86-64.so.2", "/profile/x"])
async def test_no_other_program_is_started(confined: Inside, folder: Path, program: str) -> None:
    start = """
await playwright.chromium.launch(
    executable_path=program, ignore_default_args=True, timeout=5000,
    args=["-c", "open('/profile/proof', 'w')"],
)
"""
    with pytest.raises(Refused) as caught:
        await confined.run(start, program=program)
    assert any(
        word in str(caught.value) for word in ("EACCES", "doesn't exist", "ENOENT", "exitCode=127", "has been closed")
    )
    assert not (folder / "proof").exists()


@pytest.mark.parametrize("flag", ["--renderer-cmd-prefix", "--gpu-launcher", "--utility-cmd-prefix"])
async def test_no_flag_of_the_browser_starts_another_program(confined: Inside, folder: Path, flag: str) -> None:
    start = """
browser_ = await playwright.chromium.launch(
    executable_path=browser, timeout=10000, chromium_sandbox=True,
    args=[flag + "=/usr/bin/python3.11 -c open('/profile/proof','w')"],
)
try:
    await (await browser_.new_page(no_viewport=True)).goto("about:blank", timeout=3000)
finally:
    await browser_.close()
"""
    with suppress(Refused):  # whether the browser comes up without that process is its own affair
        await confined.run(start, flag=flag, browser=str(cells.HEADLESS))
    assert not (folder / "proof").exists()


async def test_what_node_can_do_is_what_the_cell_permits(confined: Inside, folder: Path) -> None:
    script = """
const fs = require('fs'), net = require('net'), child = require('child_process');
const attempt = act => { try { act(); return 'done' } catch (e) { return e.code || String(e) } };
const found = {
  passwd: attempt(() => fs.readFileSync('/etc/passwd')),
  shadow: attempt(() => fs.readFileSync('/proc/1/root/etc/shadow')),
  root: attempt(() => fs.writeFileSync('/x', '')),
  shell: attempt(() => { const r = child.spawnSync('/bin/sh'); if (r.error) throw r.error }),
  python: attempt(() => { const r = child.spawnSync('/usr/bin/python3.11'); if (r.error) throw r.error }),
  supervisor: attempt(() => process.kill(SUPERVISOR, 9)),
  environment: Object.keys(process.env).filter(k => !['HOME', 'LANG', 'PWD', '_'].includes(k)).join(),
};
net.connect(80, '169.254.169.254').on('error', e => {
  found.metadata = e.code; fs.writeFileSync('/profile/found.json', JSON.stringify(found)); process.exit(1);
});
"""
    start = """
await playwright.chromium.launch(
    executable_path=node, ignore_default_args=True, timeout=10000, args=["-e", script])
"""
    with pytest.raises(Refused):
        await confined.run(start, node=NODE, script=script.replace("SUPERVISOR", "999999"))
    found = json.loads((folder / "found.json").read_text())
    environment = found.pop("environment")
    assert found == {
        "passwd": "ENOENT",
        "shadow": found["shadow"],
        "root": "EROFS",
        "shell": "ENOENT",
        "python": "EACCES",
        "supervisor": "ESRCH",
        "metadata": "ENETUNREACH",
    }
    assert found["shadow"] in ("EACCES", "ENOENT", "EPERM")
    assert "SECRET" not in environment


async def test_a_download_can_not_be_executed(confined: Inside, folder: Path) -> None:
    start = """
async with page.expect_download() as waiting:
    await page.set_content("<a download=x href='data:application/x-elf;base64,f0VMRg=='>x</a>")
    await page.click("a")
path = await (await waiting.value).path()
await playwright.chromium.launch(executable_path=str(path), ignore_default_args=True, timeout=5000)
"""
    with pytest.raises(Refused):
        await confined.run(start)
