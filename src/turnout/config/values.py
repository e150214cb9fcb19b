"""What every section shares: strict types with ranges, checks on creation, values that nobody can change.

A range is written once, in the type of a field. Creating a section checks it; pydantic, where it reads a file, checks
the same range at the field's own place; the JSON schema shows it. None of this imports pydantic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    NoReturn,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from turnout.errors import ConfigurationError


class SettingError(ConfigurationError):
    """A value that does not fit the others; `field` is the one to look at."""

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        super().__init__(message)


class FrozenMapping(dict[str, Any]):
    """A dict that refuses every change; it compares, copies and pickles like a dict."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a configuration does not change; load another one")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenMapping, (dict(self),)


def freeze(value: Any) -> Any:
    """The same value with mappings that cannot change and tuples for lists, all the way down."""
    if isinstance(value, Mapping):
        return FrozenMapping({key: freeze(entry) for key, entry in value.items()})
    if isinstance(value, list | tuple):
        return tuple(freeze(entry) for entry in value)
    return value


@dataclass(frozen=True, slots=True)
class Strict:
    """Metadata of a type: no conversion ("5" is not 5, 1 is not true), and the range that numbers keep to."""

    above: float | None = None
    least: float | None = None
    most: float | None = None
    infinite: bool = False

    def problem(self, value: object) -> str:
        """What is wrong with a value, or nothing."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return ""
        try:
            finite = math.isfinite(value)
        except OverflowError:  # a whole number that no float can hold
            return "must be a finite number"
        if not finite and (math.isnan(value) or not self.infinite):
            return "must be a finite number"
        low = self.above is not None and value <= self.above
        low = low or (self.least is not None and value < self.least)
        return f"must be {self.words}" if low or (self.most is not None and value > self.most) else ""

    @property
    def words(self) -> str:
        """The range as a person says it."""
        if self.least is not None and self.most is not None:
            return f"from {self.least:g} to {self.most:g}"
        parts = [f"above {self.above:g}"] if self.above is not None else []
        parts += [f"at least {self.least:g}"] if self.least is not None else []
        parts += [f"at most {self.most:g}"] if self.most is not None else []
        return " and ".join(parts)

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Called by pydantic."""
        schema = handler(source) | {"strict": True}
        if schema["type"] == "float":
            schema["allow_inf_nan"] = self.infinite
        bounds = {"gt": self.above, "ge": self.least, "le": self.most}
        return schema | {name: bound for name, bound in bounds.items() if bound is not None}


Text: TypeAlias = Annotated[str, Strict()]
Flag: TypeAlias = Annotated[bool, Strict()]
Share: TypeAlias = Annotated[float, Strict(least=0, most=1)]
Positive: TypeAlias = Annotated[float, Strict(above=0)]
NotNegative: TypeAlias = Annotated[float, Strict(least=0)]
Percent: TypeAlias = Annotated[float, Strict(above=0, most=100)]
Count: TypeAlias = Annotated[int, Strict(least=1)]
Natural: TypeAlias = Annotated[int, Strict(least=0)]


@dataclass(frozen=True, slots=True)
class OneOrMany:
    """Metadata of a tuple of texts: one text stands for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Called by pydantic."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            lambda value: (value,) if isinstance(value, str) else value, handler(source)
        )

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Called by pydantic."""
        return {"anyOf": [{"type": "string"}, handler(schema)]}


Names: TypeAlias = Annotated[tuple[Text, ...], OneOrMany()]


@dataclass(frozen=True, slots=True)
class OffIsAWord:
    """Metadata of choices with "off" among them: YAML reads an unquoted one as false."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Called by pydantic."""
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(
            lambda value: "off" if value is False else value, handler(source)
        )


@dataclass(frozen=True, slots=True)
class OneOf:
    """Metadata of a union: one message in place of one for each member."""

    words: str

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Called by pydantic."""
        return handler(source) | {"custom_error_type": "one_of", "custom_error_message": f"expected {self.words}"}


class Section:
    """Base of every section. Creation checks ranges and choices, then what `check` adds, and freezes mappings.

    Raises:
        ConfigurationError: a value is out of range or not among the choices; the message quotes it.
    """

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    def __post_init__(self) -> None:
        owner: Any = type(self)
        for name, bounds in _bounds(owner):
            value = getattr(self, name)
            if problem := bounds.problem(value):
                raise SettingError(name, f"{name} is {value!r}; it {problem}")
            if isinstance(value, list | Mapping) and not isinstance(value, FrozenMapping):
                object.__setattr__(self, name, freeze(value))
        self.check()

    def check(self) -> None:
        """What must hold between fields. Raises SettingError."""


def hints(owner: Any) -> Mapping[str, Any]:
    """The types of a section's fields, metadata included, in order."""
    return _hints(owner)


@cache
def _hints(owner: Any) -> Mapping[str, Any]:
    resolved = get_type_hints(owner, include_extras=True)
    return {entry.name: resolved[entry.name] for entry in fields(owner)}


def members(hint: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Each type that a hint allows, with the metadata that applies to it."""
    if get_origin(hint) is Annotated:
        inner, *metadata = get_args(hint)
        for member, own in members(inner):
            yield member, (*own, *metadata)
    elif get_origin(hint) in (Union, UnionType):
        for part in get_args(hint):
            yield from members(part)
    else:
        yield hint, ()


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What creation checks of one field: ranges of numbers, and the choices where nothing else is allowed."""

    ranges: tuple[Strict, ...]
    choices: tuple[Any, ...]
    text_too: bool
    other_too: bool

    def problem(self, value: object) -> str:
        """What is wrong with a value, or nothing."""
        if value is not None:
            for entry in self.ranges:
                if told := entry.problem(value):
                    return told
        other = self.text_too if isinstance(value, str) else self.other_too
        if self.choices and not other and value not in self.choices:
            return f"must be one of {', '.join(map(str, self.choices))}"
        return ""


@cache
def _bounds(owner: Any) -> tuple[tuple[str, _Bounds], ...]:
    found = []
    for name, hint in hints(owner).items():
        kinds = tuple(members(hint))
        others = [member for member, _ in kinds if get_origin(member) is not Literal]
        bounds = _Bounds(
            ranges=tuple(
                entry for member, all_ in kinds if member in (int, float) for entry in all_ if isinstance(entry, Strict)
            ),
            choices=tuple(
                choice for member, _ in kinds if get_origin(member) is Literal for choice in get_args(member)
            ),
            text_too=str in others,
            other_too=bool(others),
        )
        found.append((name, bounds))
    return tuple(found)
