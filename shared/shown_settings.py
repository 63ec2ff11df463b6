"""The settings of a process as its first log line shows them: those that are not the default, without any secret.

What may hold a secret or a person's address is shown as set (``***``), never by its value: secret texts, JSON of
headers or of the broker, the user in a URL, and an address that alerts are posted to (chat systems put a key in it).
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from shared.settings import AutosSettings
from shared.telemetry import redact

HIDDEN: Final = "***"
_PRIVATE: Final = re.compile(
    r"(^|_)(secret|password|passwords|token|key|keys|headers|username|smtp_to|smtp_from)($|_id$)"
)
_ADDRESSES_WITH_KEYS: Final = frozenset({"alert_webhook_url"})


def variable(name: str) -> str:
    """The environment variable of a setting, but for those that have another name by contract."""
    return name.upper() if name.startswith("aws_") else f"AUTOS_{name.upper()}"


def shown(settings: AutosSettings) -> dict[str, Any]:
    """By environment variable, what was set to something else than the default."""
    fields = type(settings).model_fields
    found = {name: getattr(settings, name) for name in sorted(settings.model_fields_set) if name in fields}
    return {
        variable(name): _shown(name, value)
        for name, value in found.items()
        if value is not None
        and (fields[name].is_required() or value != fields[name].get_default(call_default_factory=True))
    }


def _shown(name: str, value: Any) -> Any:
    if isinstance(value, SecretStr) or _PRIVATE.search(name):
        return HIDDEN
    if isinstance(value, dict):
        return dict.fromkeys(sorted(map(str, value)), HIDDEN)
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [redact(str(one)) for one in value]
    text = str(value)
    return _address(name, text) if "://" in text else redact(text)


def _address(name: str, text: str) -> str:
    """A URL without user, password, query and fragment; of one whose path is a key, without that too."""
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    path = "/" + HIDDEN if name in _ADDRESSES_WITH_KEYS else parts.path
    return f"{parts.scheme}://{host}{path}"
