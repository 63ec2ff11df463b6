"""Apache Kafka as one process: broker and KRaft controller, quick to start, loopback only."""

from __future__ import annotations

import socket
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from autos.local.artifacts import ArtifactError, kafka_jars
from autos.local.java import NoJava, find_java
from autos.local.kafka_classes import options_for
from autos.local.ports_and_secrets import PortsAndSecrets
from autos.local.server import Command, StartError, run

# For the start: the first compiler tier alone and a collector without threads of its own.
_JVM: Final = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.net.preferIPv4Stack=true",
    "-Djava.awt.headless=true",
)

# The group.consumer.* values let a killed consumer's partitions move on after 6 s instead of 45
# (docs/adr/0004-consumer-runtime.md). metadata.max.idle.interval.ms: no record every half second that nothing has
# happened (KIP-835); it is for those who watch a quorum of several, and a third of what an idle broker costs.
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={log_dir}
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
metadata.max.idle.interval.ms=0
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=10
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=6000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=1000
group.consumer.heartbeat.interval.ms=2000
log.retention.check.interval.ms=300000
log.cleaner.dedupe.buffer.size=33554432
num.network.threads=2
num.io.threads=4
"""

_LOGGING: Final = """\
status = ERROR
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = WARN
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = INFO
"""


class Kafka:
    """The broker of one data directory."""

    name = "kafka"

    def __init__(self, data_dir: Path, saved: PortsAndSecrets, java_options: tuple[str, ...] | None = None) -> None:
        """``java_options``: further options of the broker; without them it uses the archive of its classes."""
        self._dir = data_dir / "kafka"
        self._log = data_dir / "logs" / "kafka.log"
        self._saved = saved
        self._java_options = java_options
        self._port = 0
        self._argv: tuple[str, ...] = ()

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    def prepare(self) -> None:
        """Fetch the jars, write the configuration, format the storage the first time. Raises StartError."""
        ports = self._saved.ports(("kafka", "kafka_controller"))
        self._port = ports["kafka"]
        try:
            jars = kafka_jars()
            java = find_java()
        except (ArtifactError, NoJava) as error:
            raise StartError(str(error)) from error
        self._dir.mkdir(parents=True, exist_ok=True)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        log_dir = self._dir / "data"
        properties = self._dir / "server.properties"
        properties.write_text(
            _PROPERTIES.format(
                port=self._port,
                controller_port=ports["kafka_controller"],
                # A properties file reads a backslash as an escape.
                log_dir=str(log_dir.resolve()).replace("\\", "\\\\"),
            )
        )
        logging = self._dir / "log4j2.properties"
        logging.write_text(_LOGGING)
        # In a file (java's @argfiles), so that a list of processes stays readable.
        arguments_file = self._dir / "java.args"
        options = (
            *_JVM,
            _quoted(f"-Dlog4j2.configurationFile={logging.resolve()}"),
            f"-classpath {_quoted(':'.join(str(jar.resolve()) for jar in jars))}",
        )
        arguments_file.write_text("\n".join(options) + "\n")
        java_command = (str(java), f"@{arguments_file.resolve()}")
        archive = options_for(java) if self._java_options is None else ()
        if not (log_dir / "meta.properties").exists():
            cluster_id = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
            # An id that begins with a dash would be read as an option.
            cluster_id = "A" + cluster_id[1:]
            arguments = ("kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", str(properties))
            run(Command((*java_command, *archive, *arguments), self._log))
        self._argv = (*java_command, *(self._java_options or archive), "kafka.Kafka", str(properties))

    def command(self) -> Command:
        return Command(self._argv, self._log)

    def cleaned(self) -> None:
        """It leaves nothing outside of the data directory."""

    def is_ready(self) -> bool:
        """Whether it accepts connections and knows itself as a live broker."""
        try:
            with socket.create_connection(("127.0.0.1", self._port), 0.5):
                pass
        except OSError:
            return False
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0, "socket.timeout.ms": 1000})
        try:
            return len(admin.list_topics(timeout=1).brokers) == 1
        except KafkaException:
            return False


def _quoted(argument: str) -> str:
    """As java reads it in an argument file: a path may have spaces."""
    return '"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"'
