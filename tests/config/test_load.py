"""Typical mistakes of operators: all are reported at once, each with its line."""

import json
from pathlib import Path
from typing import Any

import pytest

from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.redact import fingerprint
from pageworker_supervisor.config.settings import Settings


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str) -> Path:
        path = tmp_path / "pageworker.toml"
        path.write_text(text)
        return path

    return write


def problems(path: Path | None, **environ: str) -> dict[str, ConfigProblem]:
    with pytest.raises(ConfigInvalid) as caught:
        load(path, environ)
    return {problem.key: problem for problem in caught.value.problems}


def test_no_file_at_all_works() -> None:
    assert load(None, {"HOME": "/root", "PATH": "/bin"}) == Settings()


def test_a_file_and_the_environment_over_it(write: Any, tmp_path: Path) -> None:
    path = write('[redis]\nurl = "redis://a"\nshards = 2\n[tenants.acme]\nweight = 2\n')
    settings = load(
        path,
        {
            "PAGEWORKER_REDIS__URL": "redis://b",
            "PAGEWORKER_REDIS__PORT": "0",
            "PAGEWORKER_TENANTS__ACME__BURST": "7",
            "PAGEWORKER_EGRESS__PORTS": "[80, 8080]",
            "PAGEWORKER_EGRESS__HOSTS": '{"shop.example" = "127.0.0.1:80"}',
            "PAGEWORKER_DOMAINS": '{"*.slow.example": {"concurrency": 2}}',
            "PAGEWORKER_ARTIFACTS__ON_FAILURE": "false",
            "PAGEWORKER_WORKER__DATA_DIR": str(tmp_path),
            "PAGEWORKER_WORKER__ID": "",
        },
    )
    assert (settings.redis.url, settings.redis.shards, settings.redis.port) == ("redis://b", 2, 0)
    assert (settings.tenants["acme"].weight, settings.tenants["acme"].burst) == (2.0, 7)
    assert settings.egress.ports == (80, 8080)
    assert settings.egress.hosts == {"shop.example": "127.0.0.1:80"}
    assert settings.domains["*.slow.example"].concurrency == 2
    assert settings.artifacts.on_failure is False
    assert settings.worker.data_dir == tmp_path
    assert settings.worker.id


def test_every_mistake_is_listed_with_line_and_hint(write: Any) -> None:
    path = write(
        """# a comment
[redis]
prt = 4
url = "redsi://u:geheim@host"

[pol]
runners = 3

[pool]
runners = 0
pages = "four"
url = "x"

[tenants.acme]
callback_allow = [
  "n8n.example/*",
]
wieght = 3
egress = "a"
callback_secret_file = "/nope"

[tenants."Bad Name"]

[http]
bind = "x"
"""
    )
    found = problems(
        path,
        PAGEWORKER_POOL__PAGES="99",
        PAGEWORKER_REDIS_URL="x",
        PAGEWORKER_EGRESS__PORTS="[80, 99999]",
        PAGEWORKER_EGRESS__HOSTS="{a",
        PAGEWORKER_LOG__LEVEL="inf",
    )
    expected = {
        "redis.prt": (f"{path}:3", "`redis.port`"),
        "redis.url": (f"{path}:4", "redis://"),
        "pol": (f"{path}:6", "`pool`"),
        "pool.runners": (f"{path}:10", "1 to 64"),
        "pool.url": (f"{path}:12", "`redis.url`"),
        "tenants.acme.callback_allow": (f"{path}:15", "http:// or https://"),
        "tenants.acme.wieght": (f"{path}:18", "`tenants.acme.weight`"),
        "tenants.acme.egress": (f"{path}:19", '["a"]'),
        "tenants.acme.callback_secret_file": (f"{path}:20", "No such file"),
        "tenants.Bad Name": (f"{path}:22", "a-z0-9-"),
        "http.bind": (f"{path}:25", "host:port"),
        "redis_url": ("PAGEWORKER_REDIS_URL", "PAGEWORKER_REDIS__URL"),
        "egress.ports": ("PAGEWORKER_EGRESS__PORTS", "1 to 65535"),
        "egress.hosts": ("PAGEWORKER_EGRESS__HOSTS", "JSON"),
        "log.level": ("PAGEWORKER_LOG__LEVEL", "debug, info, warning, error"),
        "pool.pages": ("PAGEWORKER_POOL__PAGES", "1 to 64"),
    }
    assert set(found) == set(expected)
    for key, (source, words) in expected.items():
        assert found[key].source == source, key
        assert words in found[key].render(), key


def test_there_are_more_user_ids_than_runners(write: Any) -> None:
    told = problems(write("[pool]\nrunners = 64\n[sandbox]\nuids = 40\n"))
    assert told["sandbox.uids"].expected == "at least 72: pool.runners and 8 more"


@pytest.mark.parametrize("host", ["http://a.example", "a.example:80", "*", "*.", "a b", ""])
def test_hosts_that_are_answered_are_names(write: Any, host: str) -> None:
    told = problems(write(f'[http]\nallowed_hosts = ["ok.example", "*.svc.example", "{host}"]\n'))
    assert told["http.allowed_hosts"].found == host


def test_lists_of_hosts_end_where_the_gateways_policy_does(write: Any) -> None:
    hosts = [f"{number}.example" for number in range(2049)]
    fixed = json.dumps(dict.fromkeys(hosts, "127.0.0.1"))
    found = problems(write(f"[tenants.acme]\negress = {json.dumps(hosts)}\n"), PAGEWORKER_EGRESS__HOSTS=fixed)
    assert {key: problem.expected for key, problem in found.items()} == {
        "tenants.acme.egress": "at most 2048",
        "egress.hosts": "at most 2048",
    }


def test_a_mistake_in_the_file_is_listed_even_if_a_variable_overrides_it(write: Any) -> None:
    found = problems(write('[pool]\npages = "four"\n'), PAGEWORKER_POOL__PAGES="4")
    assert found["pool.pages"].source.endswith(":2")


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = [1,\nb = 2\n", 2), ("\n\nx = \n", 3), ('[redis]\nurl = "a\n', 2), ("[a]\n[a]\n", 2), ("x = [1,\n", 1)],
)
def test_a_syntax_error_has_its_line_and_the_rest_is_checked_all_the_same(write: Any, text: str, line: int) -> None:
    path = write(text)
    found = problems(path, PAGEWORKER_POOL__PAGES="0")
    assert found[""].source == f"{path}:{line}"
    assert found["pool.pages"].source == "PAGEWORKER_POOL__PAGES"


def test_a_syntax_error_does_not_show_the_value(write: Any) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(write("[redis]\nurl = redis://:geheim@host\n"), {})
    assert "geheim" not in caught.value.render()


def test_passwords_are_in_no_message_and_no_repr(write: Any) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        load(
            write('[redis]\nurl = ["redis://:geheim@host"]\n[artifacts]\nurl = "s4://k:geheim@b/?sig=geheim"\n'),
            {"PAGEWORKER_REDIS__INGRESS_URL": "http://geheim@host", "PAGEWORKER_EGRESS__PORTS": "rediss://:geheim@h"},
        )
    assert len(caught.value.problems) == 4
    assert "geheim" not in caught.value.render()
    assert "geheim" not in repr(caught.value)
    settings = load(None, {"PAGEWORKER_REDIS__URL": "rediss://me:geheim@host:1/0"})
    assert settings.redis.url == "rediss://me:geheim@host:1/0"
    for text in (repr(settings), str(settings), f"{settings.redis}"):
        assert "geheim" not in text
        assert "me:(hidden)@host" in text


def test_files_that_are_named_must_be_of_use(write: Any, tmp_path: Path) -> None:
    short = tmp_path / "short"
    short.write_text("abc\n")
    found = problems(
        write(
            f"""[redis]
url = "rediss://h"
ca_file = "{short}"
[browser]
executable = "{tmp_path}/none"
[sandbox]
python = "{short}"
[worker]
data_dir = "{short}"
[modules]
trusted_keys = ["{tmp_path}/none.pub", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]
[tenants.acme]
callback_secret_file = "{short}"
[tenants.b]
callback_allow = ["https://n8n.example"]
"""
        )
    )
    words = {
        "redis.ca_file": "no certificate",
        "browser.executable": "no such file",
        "sandbox.python": "not executable",
        "worker.data_dir": "a file",
        "modules.trusted_keys": "No such file",
        "tenants.acme.callback_secret_file": "3 bytes",
        "tenants.b.callback_allow": "callback_secret_file",
    }
    assert {key: words[key] in found[key].found + found[key].expected for key in found} == dict.fromkeys(words, True)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    assert "No such file" in problems(tmp_path / "none.toml")[""].found
    assert "directory" in problems(tmp_path)[""].found
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"a = 1\n\xff")
    assert "offset 6" in problems(binary)[""].found


def test_variables_that_kubernetes_puts_there_are_no_settings() -> None:
    environ = {
        "PAGEWORKER_SERVICE_HOST": "10.0.0.1",
        "PAGEWORKER_SERVICE_PORT_HTTP": "9470",
        "PAGEWORKER_PORT": "tcp://10.0.0.1:9470",
        "PAGEWORKER_PORT_9470_TCP_ADDR": "10.0.0.1",
        "PAGEWORKER_REDIS_PORT": "tcp://10.0.0.7:6379",
    }
    assert load(None, environ) == Settings()


def test_the_environment_names_the_file_if_no_option_does(write: Any, tmp_path: Path) -> None:
    named = write("[pool]\npages = 7\n")
    other = tmp_path / "other.toml"
    other.write_text("[pool]\npages = 3\n")
    assert load(None, {"PAGEWORKER_CONFIG": str(named)}).pool.pages == 7
    assert load(other, {"PAGEWORKER_CONFIG": str(named)}).pool.pages == 3
    assert load(None, {"PAGEWORKER_CONFIG": ""}) == Settings()
    assert "No such file" in problems(None, PAGEWORKER_CONFIG=str(tmp_path / "none.toml"))[""].found


def test_relative_paths_in_the_file_count_from_its_folder(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "release.pub").write_text("x")
    (tmp_path / "secret").write_text("0123456789abcdef")
    key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
    path = write(
        f"""[worker]
data_dir = "data"
[modules]
registry = "registry"
trusted_keys = ["release.pub", "{key}", "{tmp_path}/release.pub"]
[tenants.acme]
callback_secret_file = "secret"
callback_allow = ["https://n8n.example/*"]
"""
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for folder, named in (
        (elsewhere, path),
        (tmp_path, Path("pageworker.toml")),
        (elsewhere, Path("../pageworker.toml")),
    ):
        monkeypatch.chdir(folder)
        settings = load(named, {})
        found = (settings.worker.data_dir, settings.modules.registry, settings.tenants["acme"].callback_secret_file)
        assert [Path(str(one)).resolve() for one in found] == [
            tmp_path / name for name in ("data", "registry", "secret")
        ]
        assert settings.modules.trusted_keys[1:] == (key, f"{tmp_path}/release.pub")
        assert Path(settings.modules.trusted_keys[0]).resolve() == tmp_path / "release.pub"


def test_relative_paths_in_the_environment_count_from_the_working_directory(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere" / "registry").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert load(write(""), {"PAGEWORKER_MODULES__REGISTRY": "registry"}).modules.registry == str(
        tmp_path / "elsewhere" / "registry"
    )


def test_a_url_and_a_home_folder_are_no_relative_paths(write: Any, tmp_path: Path) -> None:
    environ = {"PAGEWORKER_MODULES__REGISTRY": ""}
    assert load(write('[modules]\nregistry = "s3://bucket/x"\n'), environ).modules.registry == "s3://bucket/x"
    assert load(write('[worker]\ndata_dir = "~/x"\n'), {}).worker.data_dir == Path.home() / "x"


@pytest.mark.parametrize("form", ["{}", "file://{}", "none"])
def test_a_registry_folder_that_does_not_exist_is_an_error(write: Any, tmp_path: Path, form: str) -> None:
    registry = form.format(tmp_path / "none")
    assert load(write(f'[modules]\nregistry = "{registry}"\n'), {}, new_registry=True).modules.registry is not None
    (problem,) = problems(write(f'[modules]\nregistry = "{registry}"\n')).values()
    assert problem.source.endswith(":2")
    assert problem.found == f"{tmp_path / 'none'}: no such folder"
    assert f"mkdir -p {tmp_path / 'none'}" in problem.hint
    (tmp_path / "none").write_text("")
    with pytest.raises(ConfigInvalid, match="not a folder"):
        load(write(f'[modules]\nregistry = "{registry}"\n'), {}, new_registry=True)
    (problem,) = problems(write(f'[modules]\nregistry = "{registry}"\n')).values()
    assert problem.found == f"{tmp_path / 'none'}: not a folder"


def test_unknown_variables_get_a_hint() -> None:
    found = problems(None, PAGEWORKER_POOL__RUNERS="3", PAGEWORKER_REDIS__URL__X="1", PAGEWORKER_PAGES="3")
    assert "`pool.runners`" in found["pool.runers"].hint
    assert found["redis.url.x"].expected == "the name of a setting"
    assert "`pool.pages`" in found["pages"].hint


def test_the_fingerprint_follows_the_settings_and_not_the_password() -> None:
    def of(**environ: str) -> str:
        return fingerprint(load(None, {"PAGEWORKER_WORKER__ID": "w", **environ}))

    assert of() == of()
    assert of() != of(PAGEWORKER_POOL__PAGES="3")
    assert of(PAGEWORKER_REDIS__URL="redis://:a@h") == of(PAGEWORKER_REDIS__URL="redis://:b@h")


def test_settings_that_do_not_work_yet_are_refused_by_name(write: Any) -> None:
    name = "status_page.thumbnails"
    found = problems(write("[status_page]\nthumbnails = true\n"))
    assert found[name].expected == "not supported yet"
    assert "screenshots" in found[name].hint
    assert problems(None, PAGEWORKER_STATUS_PAGE__THUMBNAILS="true")[name].expected == "not supported yet"


def test_a_worker_has_at_most_sixteen_tags(write: Any) -> None:
    assert load(None, {"PAGEWORKER_WORKER__TAGS": '["eu", "large"]'}).worker.tags == ("eu", "large")
    tags = [f"t{number}" for number in range(17)]
    assert "worker.tags" in problems(write(f"[worker]\ntags = {tags}\n"))
    assert "worker.tags" in problems(None, PAGEWORKER_WORKER__TAGS='["a b"]')


@pytest.mark.parametrize("value", ["9" * 4400, "[" * 2000, "1e" + "9" * 4400 + "x"])
def test_a_value_that_python_cannot_read_is_a_mistake_in_the_file(write: Any, value: str) -> None:
    path = write(f"[pool]\nrunners = {value}\n")
    (problem,) = problems(path).values()
    assert problem.source.startswith(str(path))
    assert len(str(problem)) < 1000


def test_a_long_hexadecimal_number_is_a_mistake_of_its_setting(write: Any) -> None:
    found = problems(write(f"[pool]\nrunners = 0x{'f' * 4400}\n"))
    assert found["pool.runners"].found == "a value that is too large to show"
