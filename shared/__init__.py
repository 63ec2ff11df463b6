"""What more than one service needs. Imports nothing from above it: no service, no source, no tool.

``domain`` (rules without I/O) and ``errors`` come first; ``db``, ``kafka``, ``http`` and ``storage`` are the four ways
out of a process, ``events`` what travels over Kafka; ``outbox``, ``webhooks`` and ``alerts`` stand on those, and
``service`` is how a process begins and ends. The layers are a contract in pyproject.toml, which a new module joins.
"""
