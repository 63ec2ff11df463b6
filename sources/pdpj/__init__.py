"""PDPJ, the source of the cases: a client that a hostile answer, an outage or a refused log-in cannot hurt."""
