"""The pepper that an API key was hashed with, and what its hash with another pepper is made of.

Webhook secrets and tokens stay in their columns: what is encrypted says so by itself (shared/secrets/keys.py). Nothing
is encrypted here: the release before reads no such text, so an operator does it when every service is of this one.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("pepper_id", "sealed_digest"):
        op.add_column("api_keys", sa.Column(name, sa.Text()), schema="catalog")


def downgrade() -> None:
    for name in ("sealed_digest", "pepper_id"):
        op.drop_column("api_keys", name, schema="catalog")
