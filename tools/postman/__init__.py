"""The Postman collection in docs/postman: made from the API's OpenAPI document and from the flows written here.

``generate`` is the program (``--check`` compares). ``reference`` makes a request of every operation, ``flows`` and
``refusals`` are written by hand, ``items`` is Postman's format. Ids stay the same from run to run.
"""
