"""The state of the system, for operators alone."""

from __future__ import annotations

from sqlalchemy import Engine, insert, text

from shared.db.progress import dead_letters
from tests.integration.api.scripted import MakeApp, MakeKey, client_of
from tests.integration.api.test_http import assert_problem


async def test_an_operator_sees_what_waits_where_and_what_was_given_up(
    make_app: MakeApp, new_key: MakeKey, owner: Engine
) -> None:
    app = make_app()
    with owner.begin() as connection:
        poison = {"topic": "document.events", "partition": 99, "offset": 1, "reason": "test", "headers": {}}
        connection.execute(insert(dead_letters).values(poison))
    try:
        async with client_of(app, new_key()) as api:
            view = (await api.get("/system")).json()
            assert {queue["name"] for queue in view["queues"]} >= {"outbox_catalog", "jobs_to_plan", "deliveries_due"}
            counts = {one["topic"]: one["count"] for one in view["dead_letters"]}
            assert counts["progress.dead_letters"] >= 1 and "document.dead" in counts
            assert {lag["topic"] for lag in view["lags"]} >= {"process.requested", "document.events"}
            # Burdens nobody who asks again at once.
            assert (await api.get("/system")).json()["at"] == view["at"]
    finally:
        with owner.begin() as connection:
            connection.execute(text("DELETE FROM progress.dead_letters WHERE reason = 'test' AND partition = 99"))


async def test_everybody_else_is_refused(make_app: MakeApp, new_key: MakeKey) -> None:
    async with client_of(make_app(), new_key(scopes=("read", "download", "webhooks", "sealed"))) as api:
        assert_problem(await api.get("/system"), 403, "insufficient_scope")
