"""Alembic migrations of all schemas, with the roles and grants that hold the boundaries between services."""
