"""The four services, each a process of its own: ``python -m services.api``, ``downloader``, ``status``, ``notifier``.

They talk over Kafka topics (docs/architecture.md has the drawing) and read each other's rows, never each other's code:
import-linter refuses an import from one to another.

The invariant: each writes its own schema of the database alone. What the source says of a case is the one exception
(shared/db/case_store.py).
"""
