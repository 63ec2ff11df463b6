"""AUTOS_KAFKA_CONFIG as Faust's credentials, or one clear line."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from faust.auth import SASLCredentials, SSLCredentials

from services.status.faust_stream.credentials import UnsupportedKafkaConfig, credentials


@pytest.mark.parametrize(
    "config", [{}, {"security.protocol": "PLAINTEXT"}, {"linger.ms": 5, "fetch.min.bytes": 1, "client.id": "x"}]
)
def test_a_plain_connection_needs_none(config: dict[str, Any]) -> None:
    assert credentials(config) is None


@pytest.mark.parametrize(
    ("mechanism", "kept"), [("PLAIN", "PLAIN"), ("scram-sha-256", "SCRAM-SHA-256"), ("SCRAM-SHA-512", "SCRAM-SHA-512")]
)
def test_a_user_and_password(mechanism: str, kept: str) -> None:
    made = credentials(
        {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": mechanism,
            "sasl.username": "u",
            "sasl.password": "p",
        }
    )
    assert isinstance(made, SASLCredentials)
    assert (made.username, made.password, made.mechanism.value) == ("u", "p", kept)
    assert made.protocol.value == "SASL_PLAINTEXT"
    assert "p" not in repr(made).removeprefix("<SASLCredentials: username=u>")


def test_tls_checks_the_broker_unless_told_not_to() -> None:
    made = credentials({"security.protocol": "ssl"})
    assert isinstance(made, SSLCredentials)
    assert made.context.verify_mode is ssl.CERT_REQUIRED
    assert made.context.check_hostname
    lax = credentials({"security.protocol": "ssl", "ssl.endpoint.identification.algorithm": "none"})
    assert isinstance(lax, SSLCredentials)
    assert not lax.context.check_hostname
    assert lax.context.verify_mode is ssl.CERT_REQUIRED


def test_both_together() -> None:
    made = credentials({"security.protocol": "sasl_ssl", "sasl.username": "u", "sasl.password": "p"})
    assert isinstance(made, SASLCredentials)
    assert made.protocol.value == "SASL_SSL"
    assert made.ssl_context is not None


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"security.protocol": "sasl_ssl", "sasl.mechanism": "GSSAPI"}, "sasl.mechanism"),
        ({"security.protocol": "carrier-pigeon"}, "security.protocol"),
        ({"sasl.oauthbearer.method": "oidc"}, "sasl.oauthbearer.method"),
        ({"ssl.keystore.location": "/x"}, "ssl.keystore.location"),
        ({"security.protocol": "ssl", "ssl.ca.location": "/nowhere/ca.pem"}, "ssl"),
        ({"security.protocol": "ssl", "ssl.ca.pem": "not a certificate"}, "ssl"),
    ],
)
def test_what_cannot_be_followed_is_named(config: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedKafkaConfig, match=said):
        credentials(config)
