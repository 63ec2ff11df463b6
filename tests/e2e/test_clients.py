"""Clients made of the OpenAPI document in Python, TypeScript and Go fetch a case from the live API; a linter reads it.

The generators stand in ``.venv/clients`` (requirements/clients; `make test` installs them, pinned with hashes). What is
not there is skipped with its name: Node and Go are not needed for anything else.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from shared.domain.cnj import ProcessNumber
from tests.product import Product
from tools.postman.generate import openapi_document

TOOLS: Final = Path(sys.prefix) / "clients"
PROGRAMS: Final = Path(__file__).parent / "clients"
PACKAGES: Final = Path(__file__).parents[2] / "requirements" / "clients"

_PYTHON: Final = """
import json, os
from autos_client import AuthenticatedClient
from autos_client.api.processes import get_process, get_status, list_documents
from autos_client.models import DocumentView, Problem, ProcessView, StatusView

number = os.environ["PROCESS_NUMBER"]
api = AuthenticatedClient(os.environ["AUTOS_API_URL"], os.environ["AUTOS_API_KEY"], timeout=60)
view = get_process.sync(number, client=api)
assert isinstance(view, ProcessView), view
status, tag = None, ""
while status is None or status.completed_at is None:
    answer = get_status.sync_detailed(number, client=api, wait=20, if_none_match=tag)
    tag = answer.headers["etag"]
    if answer.status_code == 200:
        status = answer.parsed
        assert isinstance(status, StatusView), status
page = list_documents.sync(number, client=api, limit=2)
[first, _] = page.documents
assert isinstance(first, DocumentView)
wrong = get_status.sync("1", client=api)
assert isinstance(wrong, Problem), wrong
print(json.dumps({
    "number": view.process_number, "completed": status.completed_documents, "total": page.total,
    "first": first.name, "link": first.download_url is not None, "problem": wrong.code,
}))
"""


def tool(name: str) -> str:
    """The path of a tool. Skips where it is not there."""
    path = TOOLS / name
    if not path.exists():
        pytest.skip(f"needs {name} in {TOOLS} (requirements/clients, which `make test` installs where Node or Go is)")
    return str(path)


def node_tool(name: str) -> str:
    if shutil.which("node") is None:
        pytest.skip("needs Node")
    return tool(f"node_modules/.bin/{name}")


def run(*command: str, cwd: Path, **environment: str) -> str:
    """What a program prints. Fails with what it says when it fails."""
    ended = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=150, check=False
    )
    assert ended.returncode == 0, f"{command[0]}: {ended.stderr[-3000:]}{ended.stdout[-3000:]}"
    return ended.stdout


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("openapi") / "openapi.json"
    path.write_text(json.dumps(openapi_document()))
    return path


def reads_a_case(product: Product, number: ProcessNumber, run_client: Callable[[dict[str, str]], str]) -> None:
    """The client reads the case to its end, a page of it, and an error."""
    product.simulator.put_case(number, documents=3, size=2_000)
    key = {"AUTOS_API_URL": product.api_url, "AUTOS_API_KEY": product.api_key, "PROCESS_NUMBER": str(number)}
    read: dict[str, Any] = json.loads(run_client(key))
    name = product.client.get(f"/processes/{number}/documents").json()["documents"][0]["name"]
    expected = {"completed": 3, "total": 3, "link": True, "problem": "invalid_process_number"}
    assert read == {"number": str(number), "first": name, **expected}


def test_the_linter_finds_nothing(document: Path) -> None:
    redocly = node_tool("redocly")
    (document.parent / "redocly.yaml").write_text("extends: [recommended-strict]\n")
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    run(redocly, "lint", "openapi.json", cwd=document.parent, **quiet)


def test_a_python_client(
    document: Path, product: Product, process_number: Callable[[], ProcessNumber], tmp_path: Path
) -> None:
    python, generator = tool("python/bin/python"), tool("python/bin/openapi-python-client")
    # The generator knows bytes as application/octet-stream alone.
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"content_type_overrides": {"application/zip": "application/octet-stream"}}))
    said = run(
        *(generator, "generate", "--path", str(document), "--output-path", str(tmp_path / "autos_client")),
        *("--meta", "none", "--config", str(config)),
        cwd=tmp_path,
    )
    assert "WARNING parsing" not in said
    (tmp_path / "main.py").write_text(_PYTHON)
    reads_a_case(product, process_number(), lambda key: run(python, "main.py", cwd=tmp_path, **key))


def test_a_typescript_client(
    document: Path, product: Product, process_number: Callable[[], ProcessNumber], tmp_path: Path
) -> None:
    generator, compiler = node_tool("openapi-typescript"), node_tool("tsc")
    (tmp_path / "node_modules").symlink_to(TOOLS / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    run(generator, str(document), "--output", "schema.d.ts", cwd=tmp_path)
    shutil.copy(PROGRAMS / "main.ts", tmp_path)
    options = ("--strict", "--skipLibCheck", "--target", "es2022", "--lib", "es2022,dom")
    run(compiler, *options, "--module", "nodenext", "main.ts", cwd=tmp_path)
    reads_a_case(product, process_number(), lambda key: run("node", "main.js", cwd=tmp_path, **key))


def test_a_go_client(
    document: Path, product: Product, process_number: Callable[[], ProcessNumber], tmp_path: Path
) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    generator = tool("oapi-codegen")
    for name in ("go.mod", "go.sum"):
        shutil.copy(PACKAGES / name, tmp_path)
    shutil.copy(PROGRAMS / "main.go", tmp_path)
    run(
        generator,
        "-generate",
        "types,client,skip-prune",
        "-package",
        "main",
        "-o",
        "client.go",
        str(document),
        cwd=tmp_path,
    )
    run("go", "build", "-o", "client", ".", cwd=tmp_path, GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local")
    reads_a_case(product, process_number(), lambda key: run(str(tmp_path / "client"), cwd=tmp_path, **key))
