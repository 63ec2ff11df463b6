"""Everything that touches Faust and its Kafka driver; why Faust stays: docs/adr/0023-faust-stays.md.

``app`` makes the application, ``driver`` and ``headers`` use private members and check the versions at import
(``supported``), ``credentials`` translates the settings of librdkafka, ``log_filter`` keeps outages to one line.
"""
