"""What each service may do at the broker, from shared/events/flow.py: as ACLs, as commands, and applied.

A broker with an authorizer that denies by default (Kafka's StandardAuthorizer) then lets each service write the topics
that it writes, read those that it reads, in its own consumer groups and with its own transactional ids, and no more.
Operations and resources are Kafka's ("Authorization and ACLs" in its documentation): a producer's idempotence needs no
right of its own since Kafka 3.0, a transaction needs WRITE on the id and READ on the group whose offsets it commits.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from confluent_kafka import KafkaException
from confluent_kafka import admin as _typed

from shared.errors import InfrastructureAway
from shared.events.flow import DEAD_LETTER_READER, FLOW, PUBLIC, READERS, SERVICES, TRANSACTIONS
from shared.events.topics import DEAD_TOPICS, DOCUMENT_REQUESTED, PROCESS_REQUESTED, WEBHOOK_SUBSCRIBED
from shared.kafka.config import common_config

OPERATOR: Final = "ops"
"""Who runs the command `autos`: looks at everything, sends what is asked for again, and changes no topic."""
WATCHER: Final = "keda"
"""What scales by lag (docs/how-to/kubernetes.md): looks how far the groups are, and reads nothing."""
PRINCIPALS: Final = (*SERVICES, OPERATOR, WATCHER)
_AGAIN: Final = (DOCUMENT_REQUESTED, PROCESS_REQUESTED, WEBHOOK_SUBSCRIBED)
"""What `autos dead replay` and `autos repair` write."""

# The stubs of the module export half of it.
_admin: Any = _typed
_TIMEOUT_SECONDS: Final = 15.0
_SCRAM_ITERATIONS: Final = 8_192
"""Kafka takes 4,096 to 16,384."""


@dataclass(frozen=True, order=True)
class Right:
    """One ACL that allows: ``principal`` without ``User:``, the rest in the words of kafka-acls."""

    principal: str
    resource: str
    """``topic``, ``group`` or ``transactional-id``."""
    name: str
    pattern: str
    """``literal``, or ``prefixed``: every name that begins so."""
    operation: str


def principal(service: str) -> str:
    """The user that a service logs in as."""
    return f"autos-{service}"


def rights(group_prefix: str = "autos", readers: Sequence[str] = ()) -> tuple[Right, ...]:
    """Everything that is allowed, sorted. ``readers`` are users of other systems, who may read the public topics.

    ``group_prefix`` is AUTOS_KAFKA_GROUP_PREFIX. A reader has the groups that begin with its own name and a dot.
    """
    found = {*_of_the_operator(group_prefix), *_of_who_watches(principal(WATCHER), group_prefix)}
    for service in SERVICES:
        found |= set(_of_a_service(service, group_prefix))
    for reader in readers:
        found |= {Right(reader, "topic", topic, "literal", "READ") for topic in PUBLIC}
        found.add(Right(reader, "group", f"{reader}.", "prefixed", "READ"))
    return tuple(sorted(found))


def _of_a_service(service: str, group_prefix: str) -> Iterator[Right]:
    user = principal(service)
    for topic, (writers, _) in FLOW.items():
        if service in writers:
            yield Right(user, "topic", topic, "literal", "WRITE")
    for group, topics in READERS.get(service, {}).items():
        yield Right(user, "group", f"{group_prefix}.{group}", "literal", "READ")
        for topic in topics:
            yield Right(user, "topic", topic, "literal", "READ")
    for beginning in TRANSACTIONS.get(service, ()):
        yield Right(user, "transactional-id", f"{beginning}.", "prefixed", "WRITE")
    if service == DEAD_LETTER_READER:
        for topic in DEAD_TOPICS:
            yield Right(user, "topic", topic, "literal", "READ")
        # What waits where is shown by the same service.
        yield from _of_who_watches(user, group_prefix)


def _of_the_operator(group_prefix: str) -> Iterator[Right]:
    user = principal(OPERATOR)
    for topic in FLOW:
        yield Right(user, "topic", topic, "literal", "READ")
    for topic in _AGAIN:
        yield Right(user, "topic", topic, "literal", "WRITE")
    # To see how far a group is; READ, which commits and joins, it has not.
    yield Right(user, "group", f"{group_prefix}.", "prefixed", "DESCRIBE")


def _of_who_watches(user: str, group_prefix: str) -> Iterator[Right]:
    for groups in READERS.values():
        for group, topics in groups.items():
            yield Right(user, "group", f"{group_prefix}.{group}", "literal", "DESCRIBE")
            for topic in topics:
                yield Right(user, "topic", topic, "literal", "DESCRIBE")


def as_json(found: Iterable[Right]) -> str:
    """The rights as a JSON array of objects, for other tools."""
    return json.dumps([asdict(one) for one in found], indent=2)


def as_commands(found: Iterable[Right], bootstrap_servers: str) -> Iterator[str]:
    """A kafka-acls.sh command for each principal and resource."""
    together: dict[tuple[str, str, str, str], list[str]] = {}
    for one in found:
        together.setdefault((one.principal, one.resource, one.name, one.pattern), []).append(one.operation)
    for (user, resource, name, pattern), operations in together.items():
        words = ["kafka-acls.sh", "--bootstrap-server", bootstrap_servers, "--add", "--allow-principal", f"User:{user}"]
        for operation in operations:
            words += ["--operation", operation.capitalize()]
        words += [f"--{resource}", name, "--resource-pattern-type", pattern]
        yield shlex.join(words)


class BrokerAccess:
    """The broker's users and ACLs. Blocks; each request has 15 seconds.

    Its methods raise InfrastructureAway, or KafkaException when the broker refuses.
    """

    def __init__(self, bootstrap_servers: str, config: Mapping[str, Any] | None = None) -> None:
        self._client = _admin.AdminClient(common_config(bootstrap_servers, config))

    def apply(self, wanted: Iterable[Right]) -> tuple[list[Right], list[Right]]:
        """Make the rights of the users named in ``wanted`` exactly these; what was added, and what was taken away.

        Other users' rights stay.
        """
        rights_wanted = set(wanted)
        there = {one for user in {one.principal for one in rights_wanted} for one in self.of(user)}
        added, removed = sorted(rights_wanted - there), sorted(there - rights_wanted)
        if added:
            _wait(self._client.create_acls([_binding(one) for one in added], request_timeout=_TIMEOUT_SECONDS))
        if removed:
            _wait(self._client.delete_acls([_filter(one) for one in removed], request_timeout=_TIMEOUT_SECONDS))
        return added, removed

    def of(self, user: str) -> set[Right]:
        """What a user is allowed by name."""
        every: tuple[Any, ...] = (_admin.ResourceType.ANY, None, _admin.ResourcePatternType.ANY, f"User:{user}", None)
        wanted = _admin.AclBindingFilter(*every, _admin.AclOperation.ANY, _admin.AclPermissionType.ALLOW)
        try:
            found = self._client.describe_acls(wanted, request_timeout=_TIMEOUT_SECONDS).result(_TIMEOUT_SECONDS)
        except (KafkaException, TimeoutError) as error:
            raise _ours(error) from error
        return {
            Right(
                user,
                one.restype.name.lower().replace("_", "-"),
                one.name,
                one.resource_pattern_type.name.lower(),
                one.operation.name,
            )
            for one in found
        }

    def set_passwords(self, passwords: Mapping[str, str]) -> None:
        """Give users (their names, without ``User:``) a SCRAM-SHA-512 password; a new user is made."""
        how = _admin.ScramCredentialInfo(_admin.ScramMechanism.SCRAM_SHA_512, _SCRAM_ITERATIONS)
        changes = [
            _admin.UserScramCredentialUpsertion(user, how, secret.encode()) for user, secret in passwords.items()
        ]
        if changes:
            _wait(self._client.alter_user_scram_credentials(changes, request_timeout=_TIMEOUT_SECONDS))


def _binding(one: Right) -> Any:
    return _admin.AclBinding(*_parts(one))


def _filter(one: Right) -> Any:
    return _admin.AclBindingFilter(*_parts(one))


def _parts(one: Right) -> tuple[Any, ...]:
    return (
        _admin.ResourceType[one.resource.upper().replace("-", "_")],
        one.name,
        _admin.ResourcePatternType[one.pattern.upper()],
        f"User:{one.principal}",
        "*",
        _admin.AclOperation[one.operation],
        _admin.AclPermissionType.ALLOW,
    )


def _wait(futures: Mapping[Any, Any]) -> None:
    for future in futures.values():
        try:
            future.result(_TIMEOUT_SECONDS)
        except (KafkaException, TimeoutError) as error:
            raise _ours(error) from error


def _ours(error: Exception) -> Exception:
    if isinstance(error, KafkaException) and not error.args[0].retriable() and error.args[0].code() >= 0:
        return error
    return InfrastructureAway("kafka: no answer about users and rights")
