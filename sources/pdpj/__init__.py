"""PDPJ, the source of the cases: a client that a hostile answer, an outage or a refused log-in cannot hurt.

Read ``client`` (the two APIs as sources), ``http_source`` (one request: token, gate, what its answer means),
``answers`` (the table of failures as a pure function). ``auth/`` has the tokens, ``wire/`` the bytes, ``parse/`` turns
JSON into the fields of a case. What was seen of the real services, and what is our choice, is in
docs/reference/pdpj.md.
"""
