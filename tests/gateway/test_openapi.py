"""The document that the gateway gives of itself is true: its paths, its requests, its answers."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from jsonschema import Draft202012Validator
from tests.gateway.learned import note_drift, put_predictors, slower
from tests.gateway.plain import ask, chat
from tests.gateway.world import EMBEDDER, FAST, PLAIN, World, opened, until

from turnout.errors import RequestError
from turnout.gateway import app
from turnout.gateway.bodies import Fields
from turnout.gateway.embedding import embedding_texts
from turnout.gateway.ollama import requests as ollama
from turnout.gateway.openai import requests as openai
from turnout.gateway.openai.response_requests import response_request
from turnout.gateway.openapi.document import document
from turnout.predictor.fit import Fitted

DOCUMENT = document()
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]
NAMES = [f"{method.upper()} {path}" for path, method, _ in OPERATIONS]


def resolved(schema: Any) -> Any:
    """A schema that knows all the others."""
    return {"$ref": "#/document", "document": schema, "components": DOCUMENT["components"]}


def check(schema: Any, value: Any) -> None:
    Draft202012Validator(resolved(schema)).validate(value)


def examples() -> Iterator[tuple[str, str, Any]]:
    for path, method, operation in OPERATIONS:
        for name, example in _content(operation).get("examples", {}).items():
            yield path, f"{method} {path} {name}", deepcopy(example["value"])  # fuzzing changes the document's own


def _content(operation: Mapping[str, Any]) -> dict[str, Any]:
    return operation.get("requestBody", {}).get("content", {}).get("application/json", {})


def test_it_is_served_as_it_is(world: World) -> None:
    told = ask(f"{world.url}/openapi.json")
    assert told.json == DOCUMENT
    assert told.headers["Content-Type"] == "application/json"


def test_it_has_every_path_and_method_of_the_application_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[web.AbstractRouteDef] = []
    added = web.Application.add_routes
    monkeypatch.setattr(
        web.Application, "add_routes", lambda self, routes: (seen.extend(routes), added(self, routes))[1]
    )

    class Unlimited:
        max_body_mb = max_header_kb = None

    class Settings:
        keys_file, limits, cors_origins, allowed_hosts, host, metrics, dashboard = (
            None,
            Unlimited,
            (),
            (),
            "",
            True,
            True,
        )

    class Configuration:
        gateway = Settings

    app.make_app(None, Configuration, None)  # type: ignore[arg-type]
    routes = {(re.sub(r"\{(\w+)[^}]*\}", r"{\1}", route.path), route.method.lower()) for route in seen}  # type: ignore[attr-defined]
    assert {(path, method) for path, method, _ in OPERATIONS} == routes


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_every_reference_leads_somewhere() -> None:
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(DOCUMENT))):
        found: Any = DOCUMENT
        for part in reference.split("/"):
            found = found[part]


def test_every_schema_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
        for example in schema.get("examples", ()):
            check(schema, example)


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=NAMES)
def test_every_path_tells_what_can_go_wrong(path: str, method: str, operation: Mapping[str, Any]) -> None:
    told = operation["responses"]
    assert {"400", "401", "403", "408", "413", "421", "429", "431", "500"} <= set(told)
    for status, answer in told.items():
        assert answer["description"]
        if int(status) >= 400 and status != "503":
            shape = json.dumps(answer["content"]["application/json"]["schema"])
            assert ("OllamaError" in shape) == path.startswith("/api/")
    assert ("requestBody" in operation) == (method == "post" and "200" in told)


@pytest.mark.parametrize(("path", "name", "value"), list(examples()), ids=[name for _, name, _ in examples()])
def test_an_example_follows_its_schema_and_is_answered(world: World, path: str, name: str, value: Any) -> None:
    operation = DOCUMENT["paths"][path]["post"]
    check(_content(operation)["schema"], value)
    told = ask(world.url + path, value)
    assert told.status == 200 or path == "/turnout/feedback"
    media_type = told.headers["Content-Type"].partition(";")[0]
    content = operation["responses"][str(told.status)]["content"][media_type]["schema"]
    if media_type == "application/json":
        check(content, told.json)
    for name in operation["responses"]["200"].get("headers", ()):
        assert name in told.headers or name == "x-turnout-warning", name
    for line in told.text.splitlines() if media_type == "application/x-ndjson" else ():
        check(content["x-line-schema"], json.loads(line))
    for line in told.text.splitlines() if media_type == "text/event-stream" else ():
        if line.startswith("data: ") and line != "data: [DONE]":
            check(content["x-event-schema"], json.loads(line[6:]))


# The status

EVERYTHING_ON = """
performance:
  health: {interval_s: 3600, max_age_s: 7200}
  cache: {semantic: {enabled: true, embedding: EMBEDDER}}
history: {enabled: true}
""".replace("EMBEDDER", f"'{EMBEDDER}'")


@pytest.fixture
def learned_world(tmp_path: Path, small_fitted: Fitted) -> Iterator[World]:
    """A gateway with everything that a status can tell of."""
    put_predictors(tmp_path, small_fitted.predictor, (FAST, PLAIN))
    note_drift(tmp_path, slower(FAST))
    with opened(tmp_path, EVERYTHING_ON) as world:
        yield world


def told_fields(schema: Mapping[str, Any], value: Any, at: str = "") -> Iterator[str]:
    """Where each field of a value is; entries of lists, and of names that nobody knows before, are all the same."""
    schema = plain_schema(schema)
    if isinstance(value, list) or "additionalProperties" in schema:
        entry = schema.get("items") or schema.get("additionalProperties", {})
        for each in value.values() if isinstance(value, dict) else value:
            yield from told_fields(entry, each, f"{at}[]")
    elif isinstance(value, dict):
        for name, each in value.items():
            yield f"{at}.{name}"
            yield from told_fields(schema.get("properties", {}).get(name, {}), each, f"{at}.{name}")


def described_fields(schema: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Where each field of a schema is, in the same words."""
    schema = plain_schema(schema)
    for name, entry in schema.get("properties", {}).items():
        yield f"{at}.{name}"
        yield from described_fields(entry, f"{at}.{name}")
    for way in {"items", "additionalProperties"} & schema.keys():
        yield from described_fields(schema[way], f"{at}[]")


def plain_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference leads to, and what something is where it is not null."""
    while True:
        if "$ref" in schema:
            schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        elif "anyOf" in schema:
            (schema,) = [each for each in schema["anyOf"] if each != {"type": "null"}]
        else:
            return schema


def test_every_field_of_the_status_is_described_and_no_other(learned_world: World) -> None:
    assert chat(learned_world.url).status == 200
    until(lambda: None not in status_of(learned_world).values())
    told, schema = status_of(learned_world), {"$ref": "#/components/schemas/Status"}
    check(schema, told)
    assert set(told_fields(schema, told)) == set(described_fields(schema))


def test_a_status_that_knows_little_follows_its_schema(world: World) -> None:
    told = status_of(world)
    assert told["predictor"] is told["challenger"] is told["drift"] is None
    check({"$ref": "#/components/schemas/Status"}, told)


def status_of(world: World) -> Any:
    return ask(f"{world.url}/turnout/status").json


# Schemas against the readers

READERS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "ChatRequest": ("/v1/chat/completions", openai.chat_request),
    "TextRequest": ("/v1/completions", openai.text_request),
    "ResponseRequest": ("/v1/responses", response_request),
    "EmbeddingRequest": ("/v1/embeddings", lambda body: embedding_texts(body, "input")),
    "OllamaChatRequest": ("/api/chat", ollama.chat_request),
    "OllamaGenerateRequest": ("/api/generate", ollama.generate_request),
    "OllamaEmbedRequest": ("/api/embed", lambda body: embedding_texts(body, "input")),
    "OllamaOlderEmbedRequest": ("/api/embeddings", lambda body: embedding_texts(body, "prompt")),
}
IN_THE_HANDLER = {"encoding_format", "dimensions", "user"}
"""Fields of embeddings that are read after the texts."""


def first_example(name: str) -> dict[str, Any]:
    operation = DOCUMENT["paths"][READERS[name][0]]["post"]
    return copy.deepcopy(next(iter(_content(operation)["examples"].values()))["value"])  # type: ignore[no-any-return]


def properties(name: str) -> dict[str, Any]:
    return DOCUMENT["components"]["schemas"][name]["properties"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", READERS)
def test_what_a_reader_reads_is_in_its_schema(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    value = Fields.value

    def noted(self: Fields, field: str) -> Any:
        if not self._path:
            read.add(field)
        return value(self, field)

    monkeypatch.setattr(Fields, "value", noted)
    READERS[name][1](first_example(name))
    assert read <= set(properties(name))


@pytest.mark.parametrize("name", ["ChatRequest", "TextRequest", "ResponseRequest"])
def test_what_is_in_a_schema_is_no_news_to_its_reader(name: str) -> None:
    for field, schema in properties(name).items():
        if field not in first_example(name) and schema.get("description", "").startswith("Left out"):
            warnings = READERS[name][1](first_example(name) | {field: "x"}).warnings
            assert warnings and not any("unknown" in each for each in warnings), field


def values(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Values at and beyond the bounds of a simple schema."""
    for bound, step in (("minimum", -1), ("maximum", 1)):
        if bound in schema:
            yield schema[bound]
            yield schema[bound] + step
    yield from (*schema.get("enum", ()), "no such word")
    yield from (None, True, False, "text", 1.5, -1, 0, 1, [], {}, [1], [""], ["a"] * 17, {"a": 1})


LENIENT = {"suffix", "template", "context"}
"""Fields of Ollama's that are passed over whenever they are empty, whatever of."""


@pytest.mark.parametrize("name", READERS)
def test_schema_and_reader_agree_on_every_simple_field(name: str) -> None:
    """What a schema allows is taken, what it forbids is refused; but for names, which only the snapshot knows."""
    disagreed = []
    for field, schema in properties(name).items():
        if field in ("model", "name", *(IN_THE_HANDLER if "Embed" in name else ())):
            continue
        for value in values(schema):
            body = {**first_example(name), field: value}
            if field == "top_logprobs":
                body["logprobs"] = True
            allowed = Draft202012Validator(resolved({"$ref": f"#/components/schemas/{name}"})).is_valid(body)
            try:
                READERS[name][1](body)
                taken = True
            except RequestError:
                taken = False
            # null says nothing where something is needed; required tools come together with tool_choice
            needs_tools = field == "tool_choice" and value == "required"
            if allowed != taken and not needs_tools and not (taken and field in LENIENT and not value):
                disagreed.append((field, value, allowed, taken))
    assert not disagreed


def test_the_document_is_packed() -> None:
    names = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '"turnout.gateway.openapi"' in names


def test_whoever_changes_the_document_changes_a_copy() -> None:
    mine = document()
    mine["paths"]["/v1/chat/completions"]["post"]["responses"].clear()
    mine["components"]["schemas"]["Error"].clear()
    assert document() == DOCUMENT
