"""The embedded stack of ``autos up``: PostgreSQL, Kafka, S3, the simulator of PDPJ and the services, as processes.

Begin at ``stack`` (from start to end) and ``composition`` (which processes, with which environment). ``postgres``,
``kafka`` and ``s3`` describe a server each, ``provisioning`` fills them, ``supervisor`` keeps all of them running;
``state`` is what a running stack tells the outside.

The invariant: everything listens on loopback only, but for the API where AUTOS_API_HOST says otherwise; and every
process ends with the stack, on Linux also when that is killed (launch.py).
"""
