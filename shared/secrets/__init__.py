"""Secrets that the database keeps: encrypted (``keys``), with keys from the settings (``settings``)."""
