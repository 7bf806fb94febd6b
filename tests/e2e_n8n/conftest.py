"""One n8n, Redis and worker for all tests of this folder: n8n takes half a minute to start."""

import json
import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from importlib.resources import files
from pathlib import Path

import pytest
from pw_daemon.place import HEADLESS_SHELL, SECRET, DaemonFolder, write_module
from pw_daemon.usual_modules import publish_usual
from pw_n8n import api
from pw_n8n.client import N8nClient
from pw_n8n.flows import FOLDER, node, shipped
from pw_n8n.node_flows import CREDENTIAL
from pw_n8n.queue_mode import QueueN8n
from pw_n8n.scan_site import HANDLER, MODULE, ScanSite
from pw_n8n.server import REPOSITORY, ROOT, N8n
from pw_n8n.system import TOKEN, Customer, RepairableShop, System, served_in_thread
from pw_servers import redis_server, s3
from pw_servers.ports import free_port

HERE = Path(__file__).parent
EVERY_RESULT = "pageworkerNode04"
"""Would start an execution for each job of all tests. test_trigger.py publishes it again."""
PATHS = ("webhook-waiting/*", "webhook/*")
"""Of n8n, that workers may call."""


@pytest.fixture(scope="session")
def installed() -> None:
    subprocess.run([str(HERE / "install.sh"), str(ROOT)], check=True)


def typed_in_the_readme(folder: Path = FOLDER) -> str:
    """The shell commands that import and publish the flows of a folder, as its README.md has them."""
    (block,) = [
        block
        for block in re.findall(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
        if "import:workflow" in block
    ]
    commands: str = block
    return commands


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--n8n-executions", type=int, default=16, help="executions that wait while n8n and others are killed"
    )
    parser.addoption("--n8n-kills", type=int, default=1, help="how often each process is killed meanwhile")


def node_tarball() -> Path | None:
    """What `make n8n-node` has written; None: nothing, or this version has no HTTP API."""
    found = sorted((REPOSITORY / "dist").glob("n8n-nodes-pageworker-*.tgz"), key=lambda file: file.stat().st_mtime)
    return found[-1] if found and api.INSTALLED else None


def credential_of_the_node(url: str, token: str) -> dict[str, object]:
    return {
        "id": CREDENTIAL,
        "name": "Pageworker API",
        "type": "pageworkerApi",
        "data": {"baseUrl": url, "token": token, "callbackSecret": SECRET.decode()},
    }


def credentials(redis_port: int, password: str) -> list[dict[str, object]]:
    address = {"host": "127.0.0.1", "port": redis_port, "database": 0, "ssl": False}
    header = {"name": "X-Worker-Token", "value": TOKEN}
    return [
        {
            # One that a user creates has an id of its own: n8n finds it by its name.
            "id": "createdByTheUser",
            "name": "pageworker Redis",
            "type": "redis",
            "data": {**address, "user": "n8n", "password": password},
        },
        {"id": "pageworkerHead01", "name": "pageworker header", "type": "httpHeaderAuth", "data": header},
        {
            "id": "pageworkerAlerts",
            "name": "pageworker alerts",
            "type": "httpHeaderAuth",
            "data": {"name": "Authorization", "value": f"Bearer {TOKEN}"},
        },
    ]


@pytest.fixture(scope="session")
def system(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    folder = tmp_path_factory.mktemp("n8n")
    # Runners are other users.
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)
    password = secrets.token_hex(16)
    acl_file = folder / "users.acl"
    shipped_users = files("pageworker_supervisor.redis_client").joinpath("pageworker.acl").read_text()
    acl_file.write_text(shipped_users.replace("off resetpass", f"on >{password}"))
    n8n = N8n(folder / "n8n", free_port(), free_port())
    queue_n8n = QueueN8n(folder / "n8n-queue", free_port(), free_port())
    for instance in (n8n, queue_n8n):
        instance.folder.mkdir()
    scan_module = write_module(folder, MODULE, HANDLER, egress=["scans.example"])
    key = publish_usual(folder / "registry", scan_module)
    shop, customer, scans = RepairableShop(), Customer(), ScanSite()
    with ExitStack() as stack:
        redis = stack.enter_context(redis_server(aof=True, acl_file=acl_file, port=free_port()))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {**s3.ENVIRONMENT, "AWS_ENDPOINT": stack.enter_context(s3.s3_server())}.items():
            patch.setenv(name, value)
        place = DaemonFolder(folder, redis, key)
        artifacts = {"url": f"s3://{s3.BUCKET}/jobs", "link_seconds": 600}
        uploads = {"url": f"s3://{s3.BUCKET}/files"}
        place.secret_file.write_bytes(SECRET)
        own = {
            "callback_allow": [f"{each.url}/{path}" for each in (n8n, queue_n8n) for path in PATHS],
            "callback_secret_file": str(place.secret_file),
        }
        shop_port, customer_port, scans_port = (
            stack.enter_context(served_in_thread(app)) for app in (shop, customer.app, scans.app)
        )
        worker_redis = {"url": f"redis://pageworker:{password}@127.0.0.1:{redis.port}/0"}
        tenants = {
            "acme": own,
            "guarded": {**own, "callback_headers": {"X-Worker-Token": TOKEN}},
            "mute": {"weight": 1.0},
        }
        worker = stack.enter_context(
            place.worker(
                redis=worker_redis,
                browser=HEADLESS_SHELL,
                pool={"runners": 3, "pages": 8},
                egress={
                    "hosts": {"shop.example": f"127.0.0.1:{shop_port}", "scans.example": f"127.0.0.1:{scans_port}"}
                },
                jobs={"max_retries": 0},
                artifacts=artifacts,
                files=uploads,
                tenants=tenants,
            )
        )
        all_credentials, http_api = credentials(redis.port, password), None
        if (tarball := node_tarball()) is not None:
            for instance in (n8n, queue_n8n):
                instance.install_node(tarball)
            port = free_port()
            bind = {"bind": f"127.0.0.1:{port}"}
            config = place.write_config(
                "api", redis=worker_redis, api=bind, tenants=tenants, artifacts=artifacts, files=uploads
            )
            http_api = api.ApiProcess(config, port)
            http_api.start()
            stack.callback(http_api.kill)
            all_credentials.append(credential_of_the_node(http_api.url, http_api.token("acme")))
        queue_n8n.redis_port = stack.enter_context(redis_server(port=free_port())).port
        (n8n.folder / "credentials.json").write_text(json.dumps(all_credentials))
        n8n.shell(f"n8n import:credentials --input={n8n.folder}/credentials.json")
        n8n.shell(typed_in_the_readme())
        if http_api is not None:
            n8n.shell(typed_in_the_readme(FOLDER / "node-flows"))
        n8n.start()
        stack.callback(n8n.stop)
        client = N8nClient(n8n)
        stack.callback(client.close)
        if http_api is not None:
            client.remove(EVERY_RESULT)
        blockers = shipped("blockers")
        whom = node(blockers, "Whom to tell")["parameters"]
        customer_url, scans_url = f"http://127.0.0.1:{customer_port}", f"http://127.0.0.1:{scans_port}"
        whom["jsonOutput"] = whom["jsonOutput"].replace("https://acme.example/pageworker", f"{customer_url}/notify")
        client.save(blockers)
        system = System(n8n, client, redis, worker, shop, customer, http_api, customer_url, scans, scans_url, queue_n8n)
        system.until_listening()
        yield system
