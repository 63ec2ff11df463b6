"""The courts' platforms that cases come from, one package a source, behind one interface.

Read them in this order:

registry.py   every source by its name, and which court is read from which: a further source is one entry there
base.py       what a source offers: a case, its version, a document
errors.py     every failure, and its verdict: permanent, about this document or case, or perhaps about the source
changes.py    a case is read again only when its version is another
settings.py   AUTOS_SOURCES, and the settings of every source
gate/         who may ask a source now; whether a failure is an outage or a bad case
content/      what the bytes of a document are, whatever their source says
pdpj/         PDPJ: auth (tokens), wire (HTTP), parse (JSON), answers.py (what each answer means)

The invariant: everything that a source answers is bounded in bytes, items and time, every failure has a class in
errors.py, and no text of an answer gets into the message of an error.
"""
