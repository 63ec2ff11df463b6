"""Workers tell when a firewall before the source forbids everything, and when the source last answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

SEEN = "seen_at, forbidden_since, answered_at"


def upgrade() -> None:
    for name in ("forbidden_since", "answered_at"):
        op.add_column("workers", sa.Column(name, sa.DateTime(timezone=True)), schema="source")
    op.execute(f"GRANT SELECT ({SEEN}) ON source.workers TO autos_api")


def downgrade() -> None:
    op.execute("REVOKE SELECT (seen_at) ON source.workers FROM autos_api")
    for name in ("answered_at", "forbidden_since"):
        op.drop_column("workers", name, schema="source")
