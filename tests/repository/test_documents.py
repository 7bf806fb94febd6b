"""What the documents name exists: commands, options, settings, metrics, files, tests, links."""

import ast
import contextlib
import io
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import cyclopts
import msgspec
import pytest

from pageworker_sandbox.signing.manifest import RULES
from pageworker_sandbox.signing.trust_file import TABLES as TRUST_TABLES
from pageworker_supervisor.cli.app import app, run
from pageworker_supervisor.config.check import decode_path
from pageworker_supervisor.config.settings import Settings
from pageworker_supervisor.contract.errors import ErrorType
from pageworker_supervisor.contract.job import Job, parse_job
from pageworker_supervisor.contract.result import (
    ArtifactRecord,
    AttemptRecord,
    Blocker,
    Result,
    ResultError,
    ResultTiming,
    Status,
)
from pageworker_supervisor.contract.type_names import describe
from pageworker_supervisor.runners.limit_breach import LimitName
from pageworker_supervisor.telemetry.api_metrics import api_metrics_table
from pageworker_supervisor.telemetry.fleet_metrics import fleet_metrics_table
from pageworker_supervisor.telemetry.reference import metrics_table
from repository.documents import (
    CURRENT,
    DOCUMENTS,
    anchors,
    banned_words,
    blocks,
    command_lines,
    ids,
    inline_code,
    links,
)
from repository.sources import ROOT, ZONES, tracked, tree

OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
WORD = re.compile(r"[a-z][a-z-]*")

# ---- commands ----


def subcommands(command: cyclopts.App) -> list[str]:
    """Names of the commands directly below this one."""
    return [name for name in command if not name.startswith("-")]


def command_paths(command: cyclopts.App = app, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and group of commands, as the words that call it."""
    yield path
    for name in subcommands(command):
        yield from command_paths(command[name], (*path, name))


@cache
def options_of(path: tuple[str, ...]) -> frozenset[str]:
    """The options that `workerctl … --help` names. Fails where the command does not run."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert run([*path, "--help"]) == 0
    return frozenset(OPTION.findall(printed.getvalue())) | {"--help", "--version"}


def named_command(words: list[str]) -> tuple[str, ...]:
    """The command that a line of a document calls. Raises KeyError if a group has no such command."""
    command, path = app, tuple[str, ...]()
    for word in words:
        if not subcommands(command) or not WORD.fullmatch(word):
            break
        command, path = command[word], (*path, word)
    return path


@pytest.mark.parametrize("path", sorted(command_paths()), ids=" ".join)
def test_each_command_has_help(path: tuple[str, ...]) -> None:
    assert options_of(path)


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_commands_and_their_options_exist(file: Path) -> None:
    wrong = []
    for words in command_lines(file.read_text(), "workerctl"):
        try:
            known = options_of(named_command(words))
        except KeyError:
            wrong.append(" ".join(words))
        else:
            wrong += [" ".join(words) for option in OPTION.findall(" ".join(words)) if option not in known]
    assert wrong == []


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_make_targets_exist(file: Path) -> None:
    targets = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[0] for words in command_lines(file.read_text(), "make") if words and WORD.fullmatch(words[0])}
    assert sorted(named - targets) == []


# ---- settings ----


def sections() -> dict[str, type[msgspec.Struct]]:
    """The Struct of each TOML table. `tenants` and `domains` hold one per name."""
    found = {}
    for field in msgspec.structs.fields(Settings):
        types = [field.type, *get_args(field.type)]
        (found[field.name],) = [part for part in types if isinstance(part, type) and issubclass(part, msgspec.Struct)]
    return found


SETTING = re.compile(rf"(?<![\w.])({'|'.join(sections())})\.([a-z_]+)(?= |=|$)")
VARIABLE = re.compile(r"\bPAGEWORKER_(?!SECTION__)([A-Z]+)__([A-Z_]+)\b")


def settings_in(text: str) -> set[tuple[str, str]]:
    """`(section, name)` of each setting that the text names, in a code span or as an environment variable."""
    found = set(SETTING.findall("\n".join(inline_code(text))))
    return found | {(section.lower(), name.lower()) for section, name in VARIABLE.findall(text)}


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_settings_exist(file: Path) -> None:
    known = {(name, field) for name, struct in sections().items() for field in struct.__struct_fields__}
    known |= {("redis", "conf")}  # redis.conf, the file of Redis itself
    assert sorted(settings_in(file.read_text()) - known) == []


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_toml_of_the_documents_is_accepted(file: Path) -> None:
    """A block is a part of a worker's configuration, of a manifest or of a trust file."""
    for block in blocks(file.read_text(), "toml"):
        table = tomllib.loads(block)
        if set(table) <= set(sections()):
            msgspec.convert(table, Settings, dec_hook=decode_path)
        elif set(table) <= set(TRUST_TABLES):
            for name, entries in table.items():
                assert all(entry[key] and TRUST_TABLES[name][key][0](entry[key]) for entry in entries for key in entry)
        else:
            assert set(table) <= set(RULES), block


def test_every_setting_is_read_somewhere() -> None:
    """A setting that no code reads is accepted and without effect.

    Those of `[checks]` are read by their names; tests/self_checks/test_reference.py looks for a check of each.
    """
    read: set[str] = set()
    for file in tracked(*(f"{zone}/*.py" for zone in ZONES)):
        if file.name != "settings.py":
            read |= {node.attr for node in ast.walk(tree(file)) if isinstance(node, ast.Attribute)}
    structs = [struct for name, struct in sections().items() if name != "checks"]
    names = {name for struct in structs for name in struct.__struct_fields__}
    assert sorted(names - read) == []


# ---- metrics ----

METRIC = re.compile(r"\bpageworker_(?!supervisor|sandbox|runner|profiles|author|demo|har|modules)[a-z_]+")


def metrics() -> set[str]:
    """The name of every metric, as a scrape shows it."""
    return set(re.findall(r"\| `(pageworker_\w+)` \|", metrics_table() + fleet_metrics_table() + api_metrics_table()))


def series() -> set[str]:
    """The names of the series of every histogram, as queries use them."""
    histograms = re.findall(r"\| `(pageworker_\w+)` \| histogram", metrics_table())
    return {f"{name}_{part}" for name in histograms for part in ("bucket", "count", "sum")}


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_metrics_exist(file: Path) -> None:
    assert sorted(set(METRIC.findall(file.read_text())) - metrics() - series()) == []


def test_every_metric_is_looked_at_by_a_test() -> None:
    text = "\n".join(file.read_text() for file in tracked("tests/*.py", "tests/**/*.py"))
    seen = {name for name in metrics() if name in text or f'"{name.removesuffix("_total")}"' in text}
    assert sorted(metrics() - seen) == []


# ---- files, modules, tests ----


def named_files(text: str) -> Iterator[str]:
    """Paths of code spans that are meant to be files or folders of the repository."""
    for span in inline_code(text):
        path = span.strip().removesuffix("/")
        if re.fullmatch(r"[\w.-]+(/[\w.-]+)+\.(py|lua|acl|md|json)", path) and not path.startswith(("./", "../")):
            yield path


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_files_exist(file: Path) -> None:
    """A path may begin at the root, or at any folder: `wire/message_rules.py`."""
    all_files = [f"/{path.relative_to(ROOT)}" for path in tracked()]
    missing = [path for path in named_files(file.read_text()) if not any(one.endswith(f"/{path}") for one in all_files)]
    assert missing == []


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_python_modules_exist(file: Path) -> None:
    named = set(re.findall(r"python -m (pageworker[\w.]*|bench)", file.read_text()))
    assert [name for name in named if find_spec(name) is None] == []


@cache
def names_of_tests() -> frozenset[str]:
    """Names of all tests and test files."""
    found: set[str] = set()
    for file in tracked("tests/*.py", "tests/**/*.py"):
        found |= {file.stem, *re.findall(r"def (test_\w+)", file.read_text())}
    return frozenset(found)


@pytest.mark.parametrize("file", CURRENT, ids=ids)
def test_named_tests_exist(file: Path) -> None:
    named = {span for span in inline_code(file.read_text()) if re.fullmatch(r"test_\w+", span)}
    assert sorted(named - names_of_tests()) == []


# ---- links ----


@pytest.mark.parametrize("file", DOCUMENTS, ids=ids)
def test_links_resolve(file: Path) -> None:
    broken = []
    for path, part in links(file.read_text()):
        target = (file.parent / path).resolve() if path else file
        if not target.is_relative_to(ROOT) or not target.exists():
            broken.append(path)
        elif part and part not in (anchors(target.read_text()) if target.suffix == ".md" else ()):
            broken.append(f"{path}#{part}")
    assert broken == []


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        file = waiting.pop()
        if file in reached:
            continue
        reached.add(file)
        targets = [(file.parent / path).resolve() for path, _ in links(file.read_text()) if path]
        waiting += [target for target in targets if target.suffix == ".md" and target.exists()]
        waiting += [target / "README.md" for target in targets if (target / "README.md").exists()]
    assert [ids(file) for file in DOCUMENTS if file not in reached] == []


# ---- glossary ----

GLOSSARY = ROOT / "docs" / "glossary.md"
ZONE_OF = {
    "S": "supervisor/pageworker_supervisor",
    "R": "runner/pageworker_runner",
    "X": "sandbox/pageworker_sandbox",
    "P": "profiles/pageworker_profiles",
}


def glossary_rows() -> list[list[str]]:
    """Term, meaning, place in the code."""
    lines = [line for line in GLOSSARY.read_text().splitlines() if line.startswith("| ") and line.count("|") == 4]
    return [[part.strip() for part in line.strip("|").split("|")] for line in lines if "| meaning |" not in line]


@pytest.mark.parametrize("row", glossary_rows(), ids=lambda row: row[0])
def test_a_term_of_the_glossary_is_in_the_code(row: list[str]) -> None:
    term, meaning, place = row
    assert term
    assert meaning.endswith(".")
    paths = re.findall(r"\b([SRXP])/([\w/.]+)", place)
    for zone, path in paths:
        assert (ROOT / ZONE_OF[zone] / path).exists(), path
    for name in re.findall(r"`([A-Z]\w+)(?:\.(\w+))?`", place):
        sources = [ROOT / ZONE_OF[zone] / path for zone, path in paths] or tracked("supervisor/*.py", "runner/*.py")
        assert any(all(re.search(rf"\b{part}\b", file.read_text()) for part in name if part) for file in sources), name


def test_no_term_of_the_glossary_is_defined_twice() -> None:
    terms = [term.strip() for row in glossary_rows() for term in row[0].split(",")]
    assert sorted({term for term in terms if terms.count(term) > 1}) == []


def test_the_glossary_lists_banned_words() -> None:
    words = banned_words(GLOSSARY.read_text())
    assert len(words) > 20
    assert "exclusive" in words.values()


# ---- jobs ----


def test_the_page_of_jobs_explains_every_field_status_and_error_type() -> None:
    page = (ROOT / "docs" / "jobs.md").read_text()
    structs = (Job, Result, ResultError, Blocker, ArtifactRecord, AttemptRecord, ResultTiming)
    named = [field.name for struct in structs for field in msgspec.structs.fields(struct)]
    named += [*get_args(Status), *get_args(ErrorType), *get_args(LimitName)]
    assert [name for name in named if f"`{name}`" not in page] == []


JOBS = (ROOT / "docs" / "jobs.md").read_text()
REQUIRED = {"job_id": "17", "tenant_id": "acme", "endpoint_module": "shop.product"}


def job_rows(heading: str) -> list[list[str]]:
    """The rows of the table below a heading of the page of jobs."""
    table = JOBS.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [[part.strip() for part in line.strip("|").split(" | ")] for line in lines]


FIELDS = {row[0].strip("`"): row[1:] for row in job_rows("Fields of a job")}


def test_the_page_of_jobs_has_every_field_and_no_other() -> None:
    assert sorted(FIELDS) == sorted(Job.__struct_fields__)


@pytest.mark.parametrize("field", msgspec.structs.fields(Job), ids=lambda field: field.name)
def test_the_page_of_jobs_has_type_default_and_example_of_each_field(field: msgspec.structs.FieldInfo) -> None:
    type_, default, example, meaning = FIELDS[field.name]
    assert type_ == describe(field.type).partition(", e.g.")[0]
    if field.required:
        assert default == "required"
    elif field.default is None:
        assert default, "what happens without the field"
    else:
        text = bytes(field.default) if isinstance(field.default, msgspec.Raw) else msgspec.json.encode(field.default)
        assert default == f"`{text.decode()}`"
    assert meaning.endswith(".")
    value = json.loads(example.strip("`"))
    parsed = parse_job(json.dumps({**REQUIRED, field.name: value}).encode())
    assert getattr(parsed, field.name) != field.default, "the example shows another value than the default"


def test_the_example_of_a_whole_job_is_a_valid_job() -> None:
    (block,) = blocks(JOBS, "json")
    assert parse_job(block.encode()).payload_object()


# ---- architecture ----


def test_the_architecture_shows_the_layers_of_the_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [found["layers"] for found in contracts if found.get("containers") == ["pageworker_supervisor"]]
    text = (ROOT / "docs" / "architecture.md").read_text()
    (block,) = [body for body in blocks(text) if body.startswith("supervisor/pageworker_supervisor\n")]
    drawn = block.partition("runner/pageworker_runner")[0]
    lines = []
    for layer in layers:
        names = re.split(r" [:|] ", layer)
        found = [re.search(rf"^  (?:.* )?{name}\b", drawn, re.MULTILINE) for name in names]
        assert all(found), layer
        lines.append(min(drawn.count("\n", 0, match.start()) for match in found if match))
    assert lines == sorted(lines)


# ---- decisions ----

DECISIONS = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))


@pytest.mark.parametrize("file", DECISIONS, ids=lambda file: file.stem)
def test_a_decision_has_the_templates_form_and_is_in_the_index(file: Path) -> None:
    text = file.read_text()
    title = re.match(r"# (\d+)\. (.+)\n\nStatus: (accepted|proposed|replaced by .+)\n\n## Context\n", text)
    assert title is not None
    assert "\n## Decision\n" in text
    assert "\n## Consequences\n" in text
    number = int(file.name[:4])
    assert int(title[1]) == number
    index = (file.parent / "README.md").read_text()
    assert f"| [{number}]({file.name}) | {title[2]} | {title[3]} |" in index
