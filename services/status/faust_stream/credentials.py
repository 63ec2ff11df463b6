"""AUTOS_KAFKA_CONFIG, written as librdkafka properties, as the credentials of Faust's Kafka client.

Only what secures the connection has a counterpart there: ``security.protocol``, ``sasl.*`` (PLAIN, SCRAM) and
``ssl.*`` with files or PEM texts. Tuning properties of librdkafka are left to the clients that use librdkafka.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from faust.auth import Credentials, SASLCredentials, SSLCredentials

_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_PROTOCOLS: Final = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_KNOWN: Final = frozenset(
    {
        "security.protocol",
        "sasl.mechanism",
        "sasl.mechanisms",
        "sasl.username",
        "sasl.password",
        "ssl.ca.location",
        "ssl.ca.pem",
        "ssl.certificate.location",
        "ssl.certificate.pem",
        "ssl.key.location",
        "ssl.key.pem",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
        "enable.ssl.certificate.verification",
    }
)


class UnsupportedKafkaConfig(ValueError):
    """A security property of AUTOS_KAFKA_CONFIG that Faust's client cannot follow; the text names it."""


def credentials(config: Mapping[str, Any]) -> Credentials | None:
    """The credentials, None for a plain connection. Raises UnsupportedKafkaConfig."""
    for name in sorted(config):
        if name.startswith(("sasl.", "ssl.", "enable.ssl.", "oauthbearer.")) and name not in _KNOWN:
            raise UnsupportedKafkaConfig(f"AUTOS_KAFKA_CONFIG: the status service cannot follow {name}")
    protocol = str(config.get("security.protocol", "plaintext")).lower()
    if protocol not in _PROTOCOLS:
        raise UnsupportedKafkaConfig(f"AUTOS_KAFKA_CONFIG: security.protocol is one of {', '.join(_PROTOCOLS)}")
    context = _ssl_context(config) if protocol in ("ssl", "sasl_ssl") else None
    if protocol == "plaintext":
        return None
    if protocol == "ssl":
        return SSLCredentials(context)
    mechanism = str(config.get("sasl.mechanism", config.get("sasl.mechanisms", "PLAIN"))).upper()
    if mechanism not in _MECHANISMS:
        raise UnsupportedKafkaConfig(f"AUTOS_KAFKA_CONFIG: sasl.mechanism is one of {', '.join(_MECHANISMS)} here")
    return SASLCredentials(
        username=config.get("sasl.username"),
        password=config.get("sasl.password"),
        ssl_context=context,
        mechanism=mechanism,
    )


def _ssl_context(config: Mapping[str, Any]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(
            cafile=config.get("ssl.ca.location"), cadata=_pem(config.get("ssl.ca.pem"))
        )
        _load_key(context, config)
    except (OSError, ssl.SSLError) as error:
        raise UnsupportedKafkaConfig(f"AUTOS_KAFKA_CONFIG: ssl.*: {type(error).__name__}: {error.strerror}") from error
    if str(config.get("ssl.endpoint.identification.algorithm", "https")).lower() == "none":
        context.check_hostname = False
    if str(config.get("enable.ssl.certificate.verification", "true")).lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _load_key(context: ssl.SSLContext, config: Mapping[str, Any]) -> None:
    password = config.get("ssl.key.password")
    certificate, key = config.get("ssl.certificate.location"), config.get("ssl.key.location")
    if certificate:
        context.load_cert_chain(certificate, key, password)
        return
    chain = "\n".join(filter(None, (_pem(config.get("ssl.certificate.pem")), _pem(config.get("ssl.key.pem")))))
    if chain:
        # ssl reads keys from files only.
        with NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(chain)
            file.flush()
            context.load_cert_chain(Path(file.name), None, password)


def _pem(text: str | None) -> str | None:
    """librdkafka takes PEM texts with their line ends written as backslash n too."""
    return text.replace("\\n", "\n") if text else None
