"""Long lists of a case in rows of a hundred, their totals on the case, and the documents' order from an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As in shared/domain/views.py and shared/db/case_lists.py when this was written.
_LISTS = (("movements", 200), ("parties", 500))
_CHUNK = 100


def upgrade() -> None:
    op.add_column("processes", sa.Column("movements_total", sa.Integer()), schema="catalog")
    op.add_column("processes", sa.Column("parties_total", sa.Integer()), schema="catalog")
    op.add_column("processes", sa.Column("left_out", postgresql.JSONB()), schema="catalog")
    op.create_table(
        "case_lists",
        sa.Column("process_number", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("first", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("items", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["process_number"],
            ["catalog.processes.process_number"],
            name="fk_case_lists_process_number_processes",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("process_number", "kind", "first", name="pk_case_lists"),
        schema="catalog",
    )
    for role in ("autos_api", "autos_downloader"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON catalog.case_lists TO {role}")
    op.create_index(
        "ix_documents_position", "documents", ["process_number", "position", "document_id"], schema="catalog"
    )
    op.execute(
        "UPDATE catalog.processes SET movements_total = jsonb_array_length(movements),"
        " parties_total = jsonb_array_length(parties)"
    )
    for kind, most in _LISTS:
        # Movements are kept newest first, and numbered from the oldest.
        number = f"p.{kind}_total - i.place" if kind == "movements" else "i.place - 1"
        op.execute(
            f"""
            INSERT INTO catalog.case_lists (process_number, kind, first, size, items)
            SELECT process_number, '{kind}', min(number), sum(octet_length(item::text) + 1),
                   jsonb_agg(item ORDER BY number)
              FROM (SELECT p.process_number, i.item, {number} AS number
                      FROM catalog.processes p
                     CROSS JOIN LATERAL jsonb_array_elements(p.{kind}) WITH ORDINALITY AS i(item, place)
                     WHERE p.{kind}_total > {most}) AS numbered
             GROUP BY process_number, number / {_CHUNK}
            """  # noqa: S608 - names and numbers of our own
        )
        op.execute(
            f"UPDATE catalog.processes SET {kind} = jsonb_path_query_array({kind}, '$[0 to {most - 1}]')"  # noqa: S608
            f" WHERE {kind}_total > {most}"
        )


def downgrade() -> None:
    for kind, most in _LISTS:
        order = "DESC" if kind == "movements" else "ASC"
        op.execute(
            f"""
            UPDATE catalog.processes AS p SET {kind} = whole.items
              FROM (SELECT process_number, jsonb_agg(i.item ORDER BY first {order}, i.place {order}) AS items
                      FROM catalog.case_lists
                     CROSS JOIN LATERAL jsonb_array_elements(items) WITH ORDINALITY AS i(item, place)
                     WHERE kind = '{kind}' GROUP BY process_number) AS whole
             WHERE whole.process_number = p.process_number AND p.{kind}_total > {most}
            """  # noqa: S608
        )
    op.drop_index("ix_documents_position", table_name="documents", schema="catalog")
    op.drop_table("case_lists", schema="catalog")
    for name in ("left_out", "parties_total", "movements_total"):
        op.drop_column("processes", name, schema="catalog")
