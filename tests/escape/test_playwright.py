"""Attacks through Playwright's API from confined module code. Module code may start programs; the kernel limits which.

It can start the driver's node and the browser again, with any arguments. So a module can run native code under layer 1.
The attacks of a conquered browser show what such code can do. Attacks that try to start other programs, with their
controls, are in pw_escape/attacks/pages.py.
"""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from pw_sandbox import sandboxes
from pw_sandbox.sandboxes import AgentSandbox, RaisedInside

pytestmark = [pytest.mark.sandbox, pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]
NODE = "/opt/pageworker/site/playwright/driver/node"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("playwright") / "profile"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def confined(folder: Path) -> AsyncIterator[AgentSandbox]:
    async with sandboxes.sandbox(sandboxes.host(sandboxes.HEADLESS), sandboxes.spec(folder)) as inside:
        await inside.browse(sandboxes.HEADLESS)
        yield inside


async def test_node_can_do_what_the_sandbox_permits_and_no_more(confined: AgentSandbox, folder: Path) -> None:
    script = """
const fs = require('fs'), net = require('net'), child = require('child_process');
const attempt = act => { try { act(); return 'done' } catch (e) { return e.code || String(e) } };
const found = {
  passwd: attempt(() => fs.readFileSync('/etc/passwd')),
  shadow: attempt(() => fs.readFileSync('/proc/1/root/etc/shadow')),
  root: attempt(() => fs.writeFileSync('/x', '')),
  shell: attempt(() => { const r = child.spawnSync('/bin/sh'); if (r.error) throw r.error }),
  python: attempt(() => { const r = child.spawnSync('PYTHON'); if (r.error) throw r.error }),
  supervisor: attempt(() => process.kill(SUPERVISOR, 9)),
  environment: Object.keys(process.env).filter(k => !['HOME', 'LANG', 'PWD', '_'].includes(k)).join(),
};
net.connect(80, '169.254.169.254').on('error', e => {
  found.metadata = e.code; fs.writeFileSync('/profile/found.json', JSON.stringify(found)); process.exit(1);
});
"""
    python = str(sandboxes.host(sandboxes.HEADLESS).python)
    start = """
await playwright.chromium.launch(
    executable_path=node, ignore_default_args=True, timeout=10000, args=["-e", script])
"""
    with pytest.raises(RaisedInside):
        await confined.run(start, node=NODE, script=script.replace("SUPERVISOR", "999999").replace("PYTHON", python))
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
