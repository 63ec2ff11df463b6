"""deploy/monitoring from the list of metrics: Prometheus' rules and Grafana's dashboards.

``python -m tools.monitoring`` writes them, ``--check`` compares (part of ``make check``), ``--rehearsal FILE`` writes
rules with the same expressions that fire within seconds (tests/e2e/test_alerts.py).
"""
