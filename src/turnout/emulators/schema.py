"""A JSON value that conforms to a JSON schema, with a code word in its first suitable text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from turnout.emulators.chance import draw, pick

_MAX_DEPTH: Final = 8
_BOTTOMLESS: Final = 60
_MANY_VALUES: Final = 24
_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:26:53Z",
    "time": "09:26:53",
    "email": "signal@example.org",
    "uri": "https://example.org/turnout",
    "uuid": "3f0a1c52-7d41-4a7e-9a55-0d6f5f1f7c11",
    "ipv4": "192.0.2.7",
}
_TEXTS: Final = ("signal box", "café crème", "Größe M", "main line 🚆", "branch", "naïve\u2028plan")


def conforming(schema: Any, word: str, *purpose: object) -> Any:
    """An instance of `schema`; a top property "answer" that may be text holds `word`, else the first free text does."""
    return _Maker(schema, word, purpose).make()


class _Maker:
    def __init__(self, schema: Any, word: str, purpose: tuple[object, ...]) -> None:
        self._root = schema
        self._word: str | None = word
        self._purpose = purpose
        self._made = 0

    def make(self) -> Any:
        root = self._resolve(self._root)
        answer = root.get("properties", {}).get("answer")
        if answer is None or not self._is_free_text(self._resolve(answer)):
            return self._value(self._root, 0)
        word, self._word = self._word, None
        made = self._value(self._root, 0)
        self._word = word
        made["answer"] = self._value(answer, 1)
        return made

    def _resolve(self, schema: Any) -> Mapping[str, Any]:
        """The schema behind references, choices and combinations."""
        for _ in range(_MAX_DEPTH):
            if not isinstance(schema, Mapping):
                return {}
            if isinstance(schema.get("$ref"), str):
                schema = self._referred(schema["$ref"])
            elif choices := schema.get("anyOf") or schema.get("oneOf"):
                rest = {key: value for key, value in schema.items() if key not in ("anyOf", "oneOf")}
                schema = {**rest, **self._resolve(self._choice(choices))}
            elif parts := schema.get("allOf"):
                merged: dict[str, Any] = {key: value for key, value in schema.items() if key != "allOf"}
                for part in map(self._resolve, parts):
                    properties = {**merged.get("properties", {}), **part.get("properties", {})}
                    required = [*merged.get("required", []), *part.get("required", [])]
                    merged.update(part)
                    merged.update({"properties": properties, "required": required} if properties else {})
                schema = merged
            else:
                return schema
        return {}

    def _choice(self, choices: Any) -> Any:
        """The first choice at the top; deeper down a plain one, so that a schema that refers to itself ends."""
        plain = [choice for choice in choices if isinstance(choice, Mapping) and choice.get("type") == "null"]
        return plain[0] if plain and self._made > _MANY_VALUES else choices[0]

    def _referred(self, reference: str) -> Any:
        target = self._root
        for part in reference.removeprefix("#").strip("/").split("/"):
            if part:
                name = part.replace("~1", "/").replace("~0", "~")
                target = target.get(name, {}) if isinstance(target, Mapping) else {}
        return target

    def _value(self, schema: Any, depth: int) -> Any:
        self._made += 1
        schema = self._resolve(schema)
        if depth > _BOTTOMLESS:  # a schema that requires itself has no instance; anything ends it
            return None
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return pick(schema["enum"], "enum", self._made, *self._purpose)
        match _kind(schema):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "integer":
                return int(self._number(schema))
            case "number":
                return self._number(schema)
            case "boolean":
                return draw("boolean", self._made, *self._purpose) < 0.5
            case "null":
                return None
            case _:
                return self._text(schema)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        deep = depth >= _MAX_DEPTH // 2
        made = {name: self._value(part, depth + 1) for name, part in properties.items() if name in required or not deep}
        for name in required:
            if name not in made:
                made[name] = self._text({})
        if not properties and self._word is not None and schema.get("additionalProperties", True) is not False:
            made["answer"] = self._text({})
        return made

    def _array(self, schema: Mapping[str, Any], depth: int) -> list[Any]:
        fewest, most = schema.get("minItems", 0), schema.get("maxItems", 2)
        count = fewest if depth >= _MAX_DEPTH // 2 else max(fewest, min(2, most))
        first = schema.get("prefixItems", [])
        rest = schema.get("items", {"type": "string"})
        return [self._value(first[place] if place < len(first) else rest, depth + 1) for place in range(count)]

    def _number(self, schema: Mapping[str, Any]) -> float | int:
        step = schema.get("multipleOf", 1)
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        if low is None:
            low = 0 if high is None or high > 0 else high - 10 * step
        number = -(-low // step) * step
        if number == schema.get("exclusiveMinimum"):
            number += step
        room = 9 if high is None else max(0, int((high - number) // step) - ("exclusiveMaximum" in schema))
        value: float | int = number + step * int(draw("number", self._made, *self._purpose) * (min(9, room) + 1))
        return value if high is None or value <= high else (low + high) / 2

    def _text(self, schema: Mapping[str, Any]) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        word, self._word = self._word, None
        text = word or pick(_TEXTS, "text", self._made, *self._purpose)
        text = text.ljust(schema.get("minLength", 0), "-")
        return text[: schema.get("maxLength", len(text))]

    @staticmethod
    def _is_free_text(schema: Mapping[str, Any]) -> bool:
        return _kind(schema) == "string" and not {"const", "enum"} & schema.keys() and schema.get("format") is None


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema or "required" in schema or not schema:
        return "object" if schema else "string"
    if "items" in schema or "prefixItems" in schema:
        return "array"
    return "string"
