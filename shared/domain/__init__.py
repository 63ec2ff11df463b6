"""What a case is to every service: its number, its secrecy, its statuses, the views of it. Pure: no I/O, no clock.

``cnj`` is the number, ``case`` what a source says, ``secrecy`` who may see what (its SQL is shared/db/visibility.py),
``statuses`` every status by its one name, ``views`` what answers and webhooks show, ``api_keys`` what a key may do.
"""
