"""The addresses of the source that these tests read."""

from __future__ import annotations


def case_path(number: str) -> str:
    return f"/portal/api/v2/processos/{number}"


def document_path(number: str, document_id: str) -> str:
    return f"{case_path(number)}/documentos/{document_id}/binario"


def lake_path(number: str, rest: str = "") -> str:
    return f"/datalake/processo-api/api/v1/processos/{number}{rest}"
