"""How jobs ended, in SQL: as ``delivery.completions`` has it, with what a replayed dead letter corrected since.

For a webhook that is sent again and for an event that is read later. ``c`` is the completion, ``p`` the correction.
"""

from __future__ import annotations

from typing import Final

COLUMNS: Final = """
       c.job_id::text, c.process_number, COALESCE(p.status, c.status) AS status, c.total_documents,
       COALESCE(p.completed_documents, c.completed_documents) AS completed_documents,
       COALESCE(p.failed_documents, c.failed_documents) AS failed_documents,
       c.error_code, c.error_message, c.created_at, c.completed_at"""
"""The fields of :class:`shared.webhooks.facts.JobEnd`."""
JOIN: Final = """
  LEFT JOIN progress.jobs AS p ON p.job_id = c.job_id AND p.completed_documents > c.completed_documents
       AND p.completed_documents + p.failed_documents = c.completed_documents + c.failed_documents"""
