"""docs/reference/settings.md from the settings classes. Pure, but for reading their source."""

from __future__ import annotations

import inspect
import ipaddress
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from ops.provision import ProvisionSettings
from services.api.settings import ApiSettings
from services.downloader.settings import DownloaderSettings
from services.notifier.settings import NotifierSettings
from services.status.settings import StatusSettings
from shared.settings import AutosSettings, Rate
from tools.fields import documented
from tools.reference.markdown import prose, table

PROGRAMS: Final[dict[str, type[AutosSettings]]] = {
    "api": ApiSettings,
    "downloader": DownloaderSettings,
    "status": StatusSettings,
    "notifier": NotifierSettings,
    "provision": ProvisionSettings,
}
_PREFIX: Final = "AUTOS_"
_INTRODUCTION: Final = """\
# Settings

Made by `python -m tools.reference` from the settings classes; `make check` refuses a difference.

Every setting is an environment variable, or a line of a file `.env` in the working directory; the environment wins,
and an empty value counts as none. Each is read once, at the start. A wrong or missing one ends the start with exit
status 2 and one line that names it. `autos up` passes every AUTOS_ variable of its environment on to the services.

A duration in a list is written in seconds or as `500ms`, `30s`, `2m`, `6h`, `1d`. A list is separated by commas.
"Read by" names the services, and `provision` (`python -m ops.provision`); a default of its own stands behind the name.
"""
_TITLES: Final = {
    "Autos": "Every service",
    "Pdpj": "PDPJ",
    "Source": "Sources",
    "PublicUrl": "Public address",
    "WebhookGuard": "Webhook addresses",
    "WebhookSigning": "Signatures of webhooks",
    "Storage": "Object store",
    "Database": "Database",
    "Alert": "Alerts",
    "Api": "The api alone",
    "Downloader": "The downloader alone",
    "Status": "The status service alone",
    "Notifier": "The notifier alone",
    "Provision": "Provisioning alone",
}
_COMMANDS: Final = (
    (
        "AUTOS_API_URL, AUTOS_API_KEY",
        "the `autos` command",
        "Where the API is, and the key; by default those of the running stack.",
    ),
    ("AUTOS_KEYS_DATABASE_URL", "`autos keys`", "PostgreSQL as the role autos_keys; by default AUTOS_DATABASE_URL."),
    (
        "AUTOS_S3_SECRETS",
        "`autos storage policies`",
        "JSON, a secret for each identity, for `--seaweedfs` (docs/how-to/secure.md).",
    ),
    (
        "AUTOS_PASSWORD_API, AUTOS_PASSWORD_DOWNLOADER, AUTOS_PASSWORD_STATUS, AUTOS_PASSWORD_NOTIFIER, "
        "AUTOS_PASSWORD_OPS, AUTOS_PASSWORD_PROVISION",
        "deploy/compose/secure.yml",
        "A service's password at broker, database and object store; `deploy/compose/secrets` makes them.",
    ),
    ("AUTOS_CACHE_DIR", "the embedded stack", "Where Kafka's jars are kept; by default `~/.cache/autos`."),
    (
        "AUTOS_MAVEN_MIRROR",
        "the embedded stack",
        "A mirror of the Maven repository that Kafka's jars are fetched from.",
    ),
    (
        "JAVA_HOME",
        "the embedded stack",
        "A Java of version 17 or newer for Kafka; by default one that comes with the packages.",
    ),
    (
        "AUTOS_VERSION, AUTOS_S3_PORT, AUTOS_PDPJ_PORT, AUTOS_RECEIVER_PORT",
        "docker-compose.yml",
        "The images' tag (`local`); the host's ports of the store (8333), the simulator (8090), the receiver (9000).",
    ),
    (
        "AUTOS_DEMO_API_KEY",
        "docker-compose.yml",
        "The API key of the profile `demo`; `deploy/compose.demo.env` has one.",
    ),
    (
        "OTEL_EXPORTER_OTLP_ENDPOINT and others",
        "the four services",
        "A collector of traces; OpenTelemetry's own variables ([traces](../how-to/traces.md)).",
    ),
    ("AUTOS_STAND_INS", "`make images`", "`yes` makes stand-ins for the upstream images without trying to pull them."),
    ("AUTOS_TEST_STACK", "the tests", "`docker` takes containers in place of the embedded servers."),
    ("AUTOS_UPGRADE_FROM", "`make upgrade-test`", "The commit of the version of before (the last release)."),
    ("AUTOS_UPGRADE_ORDERS", "`make test-containers`", "In how many of the 24 orders services are upgraded (1)."),
    ("AUTOS_CHAOS_SEED", "`make chaos`", "Repeats a run: which failures come in which order."),
    ("AUTOS_BENCH_PEER_CHUNK", "`make bench`", "How many documents a task of the peer fetches (4)."),
)


class UndescribedSetting(ValueError):
    """A setting has no description: neither ``Field(description=…)`` nor a docstring below it."""


def _own(model: type[BaseModel]) -> list[str]:
    """The names that a class itself annotates."""
    return list(inspect.get_annotations(model))


def description(model: type[BaseModel], name: str) -> str:
    """What a setting means, from the class that says most about it. Raises UndescribedSetting."""
    if said := model.model_fields[name].description:
        return said
    for base in model.__mro__:
        if issubclass(base, BaseModel) and name in _own(base) and (below := documented(base).get(name)):
            return below
    raise UndescribedSetting(f"{model.__name__}.{name} has no description")


def owner(model: type[BaseModel], name: str) -> type[BaseModel]:
    """The most general class that has the setting."""
    return [base for base in model.__mro__ if issubclass(base, BaseModel) and name in _own(base)][-1]


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable; where there are two, the first one wins."""
    alias = field.validation_alias
    if isinstance(alias, AliasChoices):
        return ", ".join(str(choice) for choice in alias.choices)
    return alias if isinstance(alias, str) else f"{_PREFIX}{name.upper()}"


def kind(field: FieldInfo) -> str:
    """The type in words, with its bounds."""
    words = _kind(field.annotation)
    bounds = {type(one).__name__: one for one in field.metadata}
    pattern = next((one.pattern for one in field.metadata if getattr(one, "pattern", None)), None)
    if pattern is not None:
        choices = re.fullmatch(r"\^\((\w+(?:\|\w+)+)\)\$", pattern)
        return (
            "one of " + ", ".join(f"`{one}`" for one in choices[1].split("|")) if choices else f"text like `{pattern}`"
        )
    low = [f"{_number(getattr(bounds[name], key))}" for name, key in (("Ge", "ge"), ("Gt", "gt")) if name in bounds]
    high = [f"{_number(bounds['Le'].le)}"] if "Le" in bounds else []
    if low and high:
        return f"{words}, {'more than ' if 'Gt' in bounds else ''}{low[0]} to {high[0]}"
    if low:
        return f"{words}, {'more than' if 'Gt' in bounds else 'at least'} {low[0]}"
    return words


_WORDS: Final[Mapping[Any, str]] = {
    bool: "`true` or `false`",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    SecretStr: "secret text",
    Rate: "rate, such as `60/minute`",
}


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return _kind(next(one for one in get_args(annotation) if one is not type(None)))
    if get_origin(annotation) is tuple:
        inner = get_args(annotation)[0]
        if inner is float:
            return "list of durations"
        return "list of networks" if ipaddress.IPv4Network in get_args(inner) else "list of words"
    if get_origin(annotation) is dict:
        return "JSON object"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return "one of " + ", ".join(f"`{one.value}`" for one in annotation)
    return _WORDS[annotation]


def default(field: FieldInfo) -> str:
    """The default as it would be written; empty for what is unset by default."""
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return ""
    value = field.default
    if value is None or value == ():
        return ""
    if isinstance(value, tuple):
        return ",".join(_number(one) if isinstance(one, float) else str(one) for one in value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Rate):
        return f"{value.limit}/{ {1.0: 'second', 60.0: 'minute', 3600.0: 'hour', 86400.0: 'day'}[value.period] }"
    if isinstance(value, int | float):
        return _number(value)
    return str(value.value if isinstance(value, StrEnum) else value)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def defaults(name: str, models: Mapping[str, type[AutosSettings]]) -> str:
    """The default, and those of services that have another."""
    common = default(owner(next(iter(models.values())), name).model_fields[name])
    own = {service: default(model.model_fields[name]) for service, model in models.items()}
    others = [f"{service} {value}" for service, value in own.items() if value != common]
    return "; ".join([common, *others] if len(others) < len(own) else others)


def sections(services: Mapping[str, type[AutosSettings]]) -> Iterator[tuple[type[BaseModel], list[str]]]:
    """Each class with the names of its own settings, the most general class first."""
    found: dict[type[BaseModel], list[str]] = {}
    for model in services.values():
        for base in reversed(model.__mro__):
            if issubclass(base, AutosSettings):
                names = [name for name in _own(base) if name in model.model_fields]
                found.setdefault(base, [name for name in names if owner(model, name) is base])
    yield from ((base, names) for base, names in found.items() if names)


def _rows(
    base: type[BaseModel], names: Sequence[str], services: Mapping[str, type[AutosSettings]]
) -> Iterator[list[str]]:
    readers = {service: model for service, model in services.items() if issubclass(model, base)}
    who = "all" if len(readers) == len(services) else ", ".join(readers)
    for name in names:
        field = base.model_fields[name]
        yield [variable(name, field), kind(field), defaults(name, readers), who, description(base, name)]


def page(services: Mapping[str, type[AutosSettings]] = PROGRAMS) -> str:
    """The whole page. Raises UndescribedSetting."""
    parts = [_INTRODUCTION]
    for base, names in sections(services):
        name = base.__name__.removesuffix("Settings")
        title = _TITLES.get(name, re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
        parts.append(f"## {title}\n\n{prose(base.__doc__ or '')}\n")
        parts.append(table(("Setting", "Type", "Default", "Read by", "Meaning"), _rows(base, names, services)))
    parts.append("## Not of these programs\n\nRead by commands, by the stack and by the tests.\n")
    parts.append(table(("Variable", "Read by", "Meaning"), _COMMANDS))
    return "\n".join(parts)
