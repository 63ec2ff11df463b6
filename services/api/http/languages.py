"""The languages of problems: English, and Portuguese for who prefers it (RFC 9110, section 12.5.4). Pure."""

from __future__ import annotations

from typing import Final

from services.api.http.preferences import weights

ENGLISH: Final = "en"
PORTUGUESE: Final = "pt-BR"

PORTUGUESE_TITLES: Final[dict[str, str]] = {
    "body_too_large": "O corpo da requisição é grande demais",
    "case_being_deleted": "Este processo está sendo excluído",
    "case_too_large": "A resposta da fonte sobre este processo é grande demais",
    "case_unreadable": "A resposta da fonte sobre este processo não pode ser lida",
    "dead_letter_not_found": "Não há essa mensagem entre as falhas definitivas",
    "deletion_not_found": "Não há essa exclusão",
    "delivery_not_found": "Entrega não encontrada",
    "document_gone": "O documento não está mais no armazenamento de objetos",
    "document_not_available": "O documento ainda não está disponível",
    "document_not_found": "O processo não tem esse documento",
    "endpoint_not_found": "Endereço de webhook não encontrado",
    "insufficient_scope": "A chave de API não tem o escopo necessário",
    "internal_error": "Erro interno",
    "invalid_cursor": "Não é um cursor desta lista",
    "invalid_endpoint": "O endereço de webhook não é válido",
    "invalid_process_number": "Não é um número CNJ válido",
    "invalid_reference": "A referência não é válida",
    "invalid_webhook_url": "A URL do webhook não é permitida",
    "job_finished": "A tarefa já terminou",
    "job_not_found": "Tarefa não encontrada",
    "job_shared": "Outros clientes esperam por esta tarefa",
    "malformed_request": "A requisição HTTP não é válida",
    "method_not_allowed": "Método não permitido",
    "no_access": "A fonte não dá acesso a este processo",
    "no_preview": "Este documento não pode ser exibido no navegador",
    "not_found": "Não encontrado",
    "not_replayable": "Esta mensagem não pode ser enviada de novo",
    "not_your_job": "A tarefa foi iniciada por outro cliente",
    "process_not_found": "A fonte não conhece este processo",
    "process_unknown": "Este processo nunca foi pedido",
    "range_not_satisfiable": "O intervalo pedido está fora do documento",
    "rate_limited": "Requisições demais",
    "request_head_too_large": "Os cabeçalhos da requisição são grandes demais",
    "request_timeout": "A requisição demorou demais para chegar",
    "sealing_key_missing": "Esta instalação não pode guardar cabeçalhos",
    "secrets_unreadable": "Um segredo guardado não pode ser lido",
    "service_unavailable": "Temporariamente indisponível",
    "source_unavailable": "A fonte não pode ser lida agora",
    "too_many_active_jobs": "Tarefas ativas demais",
    "too_many_connections": "Conexões demais",
    "too_many_endpoints": "Endereços de webhook demais",
    "too_many_parameters": "Parâmetros demais na consulta",
    "too_many_streams": "Fluxos de eventos demais",
    "too_many_tokens": "Tokens de fluxo demais",
    "too_many_waits": "Esperas longas demais ao mesmo tempo",
    "unauthorized": "É preciso uma chave de API válida",
    "unknown_parameter": "Parâmetro desconhecido na consulta",
    "unstorable": "O banco de dados não consegue guardar isto",
    "unsupported_media_type": "O corpo da requisição não é JSON",
    "uri_too_long": "O endereço da requisição é longo demais",
    "validation_failed": "A requisição não é válida",
}
"""The title of each code in Portuguese; the English one stands at its class, docs/reference/error-codes.md has both."""


def preferred(accept_language: str) -> str:
    """The language to answer in: English where Portuguese is not wanted more."""
    wanted = {ENGLISH: 0.0, PORTUGUESE: 0.0}
    for tag, weight in weights(accept_language).items():
        language = {"en": ENGLISH, "pt": PORTUGUESE}.get(tag.partition("-")[0])
        if language is not None:
            wanted[language] = max(wanted[language], weight)
    return PORTUGUESE if wanted[PORTUGUESE] > wanted[ENGLISH] else ENGLISH
