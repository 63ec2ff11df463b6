"""HTTP to PDPJ: addresses, requests, bodies and their failures.

``transport`` sends, ``pyreqwest_adapter`` is the one module that knows the library's private members
(docs/adr/0022-private-members-of-libraries.md), ``stream`` reads a document, ``received`` an answer about a case.
"""
