"""What an error of the database means, by its SQLSTATE, by its kind when the driver has none, and for whoever waits."""

from __future__ import annotations

import psycopg2
import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from shared.db.errors import DatabaseAway, DatabaseConflict, DatabaseRefused, ErrorKind, as_ours, kind_of, of_sqlstate
from shared.errors import InfrastructureAway, PoisonRecord

AWAY, CONFLICT, PERMANENT = ErrorKind.AWAY, ErrorKind.CONFLICT, ErrorKind.PERMANENT


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        *((code, AWAY) for code in ("08006", "08P01", "28P01", "53100", "53200", "53300")),
        *((code, AWAY) for code in ("57014", "57P01", "57P02", "57P03", "57P05", "58030", "25006", "25P03")),
        *((code, AWAY) for code in ("42P01", "42501", "42703", "3F000", "3D000")),
        *((code, CONFLICT) for code in ("40001", "40P01", "40003", "55P03", "55006")),
        *((code, PERMANENT) for code in ("22003", "22008", "22021", "22P02", "22P05", "23502", "23505", "23514")),
        *(
            (code, PERMANENT)
            for code in ("53400", "54000", "54001", "54011", "42601", "42804", "0A000", "25P02", "XX000")
        ),
        *((code, PERMANENT) for code in ("25P02", "XX000", "P0001", "21000", "99999")),
    ],
)
def test_a_code_has_one_meaning(code: str, verdict: ErrorKind) -> None:
    assert of_sqlstate(code) is verdict


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        (psycopg2.OperationalError("could not connect"), AWAY),
        (psycopg2.InterfaceError("connection already closed"), AWAY),
        (psycopg2.DatabaseError("error with status PGRES_TUPLES_OK and no message from the libpq"), AWAY),
        (psycopg2.ProgrammingError("can't adapt type 'object'"), PERMANENT),
        (PoolTimeout("30 s"), AWAY),
        (DBAPIError("SELECT", None, psycopg2.DataError("x"), connection_invalidated=True), AWAY),
        (ValueError("A string literal cannot contain NUL (0x00) characters."), PERMANENT),
        (ValueError("anything else"), None),
        (KeyError("job"), None),
    ],
)
def test_without_a_code_the_driver_says_it(error: Exception, verdict: ErrorKind | None) -> None:
    assert kind_of(error) is verdict


def test_a_lone_surrogate_is_refused_before_the_server_sees_it() -> None:
    with pytest.raises(UnicodeEncodeError) as refused:
        "\ud800".encode()
    ours = as_ours(refused.value)
    assert isinstance(ours, DatabaseRefused)
    assert ours.sqlstate == "22021"


def test_what_is_away_is_held_and_what_is_refused_ends_its_record() -> None:
    assert issubclass(DatabaseAway, InfrastructureAway)
    assert issubclass(DatabaseConflict, InfrastructureAway)
    assert issubclass(DatabaseRefused, PoisonRecord)
    assert DatabaseRefused("54000").reason == "unstorable"
