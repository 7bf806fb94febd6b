"""The OpenAPI document of the API, made of its table of operations and of the types of its bodies. Pure."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from pageworker_supervisor.api.endpoint import Endpoint
from pageworker_supervisor.api.job_texts import MOST_JOBS
from pageworker_supervisor.api.problem import MEDIA_TYPE, PROBLEMS, ProblemDocument
from pageworker_supervisor.contract.job import JOB_ID, Job
from pageworker_supervisor.contract.job_files import FILE_ID
from pageworker_supervisor.contract.result import Result
from pageworker_supervisor.contract.schema import portable, without_raw_defaults

COMMON = ("invalid_request", "token_missing", "token_invalid", "scope_missing", "rate_limited", "internal_error")
AWAY = ("redis_unavailable", "overloaded")
"""Problems that every operation has."""
PATH_FIELDS: Mapping[str, Mapping[str, object]] = {
    "number": {"type": "integer", "minimum": 0, "maximum": 99_999},
    "module": {"type": "string", "maxLength": 200},
    "subscription_id": {"type": "string", "pattern": "^sub_[0-9a-f]{16}$"},
    "file_id": {"type": "string", "pattern": FILE_ID.replace(r"\Z", "$")},
    "job_id": {"type": "string", "pattern": JOB_ID.replace(r"\Z", "$")},
    "batch_id": {"type": "string", "pattern": JOB_ID.replace(r"\Z", "$")},
}
EVENTS = "text/event-stream"
JSON = "application/json"
FILE = {"*/*": {"schema": {"type": "string", "format": "binary"}}}


def openapi_document(table: Sequence[Endpoint], version: str) -> bytes:
    """The document as JSON (OpenAPI 3.1). `version`: of pageworker."""
    types = {type_ for endpoint in table for types in endpoint.answers.values() for type_ in types}
    types |= {endpoint.takes for endpoint in table if endpoint.takes is not None}
    structs = [*sorted(types, key=lambda type_: type_.__name__), ProblemDocument, Job]
    writable = [without_raw_defaults(struct) if struct in (Job, Result) else struct for struct in structs]
    _, schemas = msgspec.json.schema_components(writable, ref_template="#/components/schemas/{name}")
    # The tenant is that of the token.
    job = dict(schemas["Job"])
    schemas["Job"] = {**job, "required": [name for name in job["required"] if name != "tenant_id"]}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in table:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    document = {
        "openapi": "3.1.0",
        "info": {"title": "pageworker", "version": version, "description": "Jobs of one tenant per token."},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": portable(schemas),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "pw_…, an access token"}},
        },
    }
    return msgspec.json.encode(document)


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    scopes = ", ".join(sorted(endpoint.scopes))
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "description": f"Scopes: {scopes}. The token needs one of them.",
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": PATH_FIELDS[name]}
                for name in re.findall(r"\{([a-z_]+)\}", endpoint.path)
            ),
            *(
                {
                    "name": field.name,
                    "in": "query",
                    "description": field.meaning,
                    "schema": field.schema,
                    **({"required": True} if field.required else {}),
                }
                for field in endpoint.query
            ),
        ],
        "responses": {**_answers(endpoint), **_problems(endpoint)},
    }
    if endpoint.takes is not None:
        schema = {"$ref": f"#/components/schemas/{endpoint.takes.__name__}"}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    if endpoint.takes_file:
        operation["requestBody"] = {"required": True, "content": FILE}
    if endpoint.takes_jobs:
        job = {"$ref": "#/components/schemas/Job"}
        # Each element has an outcome of its own, so one that is no job does not make the list wrong.
        element = {"anyOf": [job, {"description": "Anything else is rejected in its place."}]}
        listed = {
            "type": "object",
            "required": ["jobs"],
            "additionalProperties": False,
            "properties": {"jobs": {"type": "array", "minItems": 1, "maxItems": MOST_JOBS, "items": element}},
        }
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": {"oneOf": [job, listed]}}}}
    if endpoint.takes is not None:
        operation["requestBody"] = {"required": True, "content": _content((endpoint.takes,))}
    return operation


def _operation_id(endpoint: Endpoint) -> str:
    """`getJobsJobIdResult`."""
    words = re.findall(r"[a-z]+", endpoint.path.removeprefix("/v1"))
    return endpoint.method.lower() + "".join(word.capitalize() for word in words)


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    answers: dict[str, Any] = {
        str(status): {"description": endpoint.summary, "content": FILE if endpoint.downloads else _content(types)}
        for status, types in endpoint.answers.items()
    }
    for media_type in endpoint.media_types:
        answers["200"]["content"][media_type] = {"schema": {"type": "string"}}
    return answers


def _content(types: Sequence[type[Struct]]) -> dict[str, Any]:
    if not types:
        return {EVENTS: {"schema": {"type": "string"}}}
    refs = [{"$ref": f"#/components/schemas/{type_.__name__}"} for type_ in types]
    return {JSON: {"schema": refs[0] if len(refs) == 1 else {"oneOf": refs}}}


def _problems(endpoint: Endpoint) -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for code in dict.fromkeys((*COMMON, *endpoint.problems, *AWAY)):
        codes.setdefault(PROBLEMS[code][0], []).append(code)
    schema = {"$ref": "#/components/schemas/ProblemDocument"}
    return {
        str(status): {"description": ", ".join(names), "content": {MEDIA_TYPE: {"schema": schema}}}
        for status, names in sorted(codes.items())
    }
