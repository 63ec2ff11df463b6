from __future__ import annotations

import subprocess
import sys

HEAVY = "sqlalchemy", "confluent_kafka", "boto3", "alembic", "uvicorn", "fastapi", "jgo", "psycopg2"


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, autos.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=150)
    assert done.stdout.strip() == "[]"


def test_every_command_of_the_contract_is_there() -> None:
    from typer.main import get_command

    from autos.main import app

    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    assert {
        "up",
        "down",
        "ps",
        "demo",
        "fetch",
        "status",
        "deliveries",
        "redeliver",
        "keys",
        "topics",
        "doctor",
    } <= commands
