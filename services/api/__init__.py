"""The api: what clients call. It takes requests for cases, shows what is known, and writes its events to an outbox.

Begin at ``app`` (routes, middleware) and ``assembly`` (the parts of one application, one of each type). A room for each
noun (``processes``, ``jobs``, ``documents``, ``deliveries``, ``endpoints``, ``webhooks``, ``feed``) has ``routes``,
``service``, ``repository`` and ``schemas``; ``access`` says who asks and what a key may do, ``http`` is everything
beneath the routes, ``openapi`` the document. The contract is docs/reference/http-api.md.

The invariant: the service of a request begins and ends its transaction, no answer mixes two states of a case, and no
client sees more of a case than shared/domain/secrecy.py allows.
"""
