"""PostgreSQL as the services use it: the tables of every schema, transactions, errors, and SQL that two services share.

``engine`` is the one place where a transaction begins and ends; ``errors`` says what an error of the database means for
the work that met it. ``catalog``, ``progress``, ``delivery`` and ``source`` declare the tables (the migrations that
make them are in ops/migrations); SQL stands next to its table. ``visibility`` is the rule of secrecy in SQL: whatever
shows a case, a job or a document uses it.

The invariant: one service writes each schema, but for what a source says of a case (``case_store``), which api and
downloader both store (docs/adr/0002-a-schema-and-a-role-for-each-service.md). Inner code takes a connection and never
commits.
"""
