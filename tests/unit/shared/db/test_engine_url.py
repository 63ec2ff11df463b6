"""Addresses of more than one server, as libpq writes them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.engine import create_engine

from shared.db.engine import engine_url


def connect_arguments(url: str) -> dict[str, Any]:
    engine = create_engine(engine_url(url))
    _, arguments = engine.dialect.create_connect_args(engine.url)
    return dict(arguments)


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2"])
def test_one_server_is_itself(scheme: str) -> None:
    assert connect_arguments(f"{scheme}://autos_api:p%40ss@db:5433/autos?sslmode=require") == {
        "host": "db",
        "port": 5433,
        "user": "autos_api",
        "password": "p@ss",
        "dbname": "autos",
        "sslmode": "require",
    }


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2"])
def test_several_servers_are_told_to_libpq_in_their_order(scheme: str) -> None:
    url = f"{scheme}://autos_api:p%40ss@one:5432,two,three:6000/autos?target_session_attrs=read-write"
    found = connect_arguments(url)
    assert (found["host"], found["port"]) == ("one,two,three", "5432,5432,6000")
    assert (found["user"], found["password"], found["dbname"]) == ("autos_api", "p@ss", "autos")
    assert found["target_session_attrs"] == "read-write"


def test_a_comma_elsewhere_is_no_second_server() -> None:
    found = connect_arguments("postgresql://autos_api:a,b@db:5432/autos?options=-csearch_path%3Da,b")
    assert (found["host"], found["password"], found["options"]) == ("db", "a,b", "-csearch_path=a,b")
