"""Alerts to the operators: by e-mail and by a POST."""
