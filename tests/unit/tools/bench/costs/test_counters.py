"""What is read out of logs, metrics and /proc."""

from __future__ import annotations

import struct

from tools.bench.costs import broker, database, store, syscalls, threads

STAT = "4711 (kafka-poll (x)) S 1 1 1 0 -1 64 9 0 0 0 25 5 0 0 20 0 9 0 100 0 0"
STATUS = "Name:\tx\nvoluntary_ctxt_switches:\t12\nnonvoluntary_ctxt_switches:\t3\n"


def test_a_threads_name_may_hold_brackets() -> None:
    name, used = threads.cpu_ms(STAT)
    assert name == "kafka-poll (x)"
    assert used > 0
    assert threads.switches(STATUS) == (12, 3)


def test_threads_of_one_pool_count_together() -> None:
    assert {threads.kind(name) for name in ("database_0", "database_11")} == {"database"}
    assert threads.kind("rdk:broker1") == "rdk:broker"
    assert threads.summed({"CPU of thread 1": 1.0, "CPU of thread 2": 2.0}) == {"CPU": 3.0}


def test_processes_of_postgresql_are_told_apart_by_role() -> None:
    assert threads.postgres_kind("postgres: autos_api autos 127.0.0.1(4711) idle") == "autos_api"
    assert threads.postgres_kind("postgres: walwriter ") == "walwriter"
    assert threads.postgres_kind("/x/bin/postgres -D /data") == "postmaster"


def test_requests_to_the_broker_are_counted_by_kind_and_topic() -> None:
    head = '[1] DEBUG Completed request:{"isForwarded":false,"requestHeader":{'
    lines = [
        head + '"clientId":"autos-downloader","requestApiKeyName":"PRODUCE"}}',
        head
        + '"clientId":"autos-api","requestApiKeyName":"PRODUCE"},"request":{"topicData":[{"name":"process.requested"',
        head + '"clientId":"autos-api","requestApiKeyName":"FETCH"}}',
        head + '"clientId":"1","requestApiKeyName":"BROKER_HEARTBEAT"}}',
        "something else",
    ]
    found = broker.requests(lines)
    assert found["Kafka requests"] == 3
    assert found["Kafka requests: PRODUCE"] == 2
    assert found["Kafka requests: PRODUCE to process.requested"] == 1


def test_the_level_of_a_logger_is_asked_for_in_the_brokers_format() -> None:
    request = broker.level_request("a.logger", "DEBUG")
    assert struct.unpack_from(">hhi", request) == (44, 0, 1)
    assert b"\x00\x08a.logger\x00\x00\x05DEBUG\x00" in request


def test_statements_are_counted_by_role_and_the_owners_are_left_out() -> None:
    found = database.statements(
        [
            "counted autos_api LOG:  execute p1: INSERT INTO catalog.jobs",
            "counted autos_api LOG:  statement: BEGIN",
            "counted autos_api LOG:  statement: COMMIT",
            "counted autos_status LOG:  execute <unnamed>: select 1",
            "counted postgres LOG:  statement: SELECT 1",
            "\tthe second line of a statement",
            "counted autos_api LOG:  execute <unnamed>: ",
            "\t UPDATE catalog.rate_limits",
            "\t SET tat = 1",
            "counted autos_api LOG:  statement: SELECT seq",
            "\tFROM catalog.outbox",
            "counted autos_api LOG:  statement: EXECUTE mark_catalog_outbox ('2026-11-29', ARRAY[1])",
        ]
    )
    assert found["SQL statements"] == 3
    assert found["SQL statements of autos_api"] == 2
    assert found["SQL statements of relays"] == 2
    assert found["SQL BEGIN, COMMIT, ROLLBACK"] == 2
    assert found["SQL COMMIT of autos_api"] == 1


def test_requests_to_the_store_are_counted_by_kind() -> None:
    text = (
        'SeaweedFS_s3_request_total{bucket="autos",code="200",type="PUT"} 12\n'
        'SeaweedFS_s3_request_total{bucket="autos",code="404",type="HEAD"} 3\n'
    )
    assert store.counters(text) == {"S3 requests": 15.0, "S3 requests: PUT": 12.0, "S3 requests: HEAD": 3.0}


def test_what_perf_could_not_count_is_none() -> None:
    assert syscalls.counted("47826,,raw_syscalls:sys_enter,1,100.00,,\n") == 47826
    assert syscalls.counted("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n") is None
    assert syscalls.counted("") is None
