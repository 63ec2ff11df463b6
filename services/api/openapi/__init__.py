"""The OpenAPI document: what the framework gathers, and what makes good clients of it.

``document`` puts it together; ``fields`` has a description and an example of each field, ``examples`` fills them in,
``links`` says which answer leads to which operation, ``stream`` describes the events of a case.

The invariant: what the document says is what is answered; tests/integration/api/test_contract.py compares the two.
"""
