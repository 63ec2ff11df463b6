"""Alerts to the operators: by e-mail and by a POST.

``channel`` says what an alert is and what carries one; ``sender`` tries each channel that is set (AlertSettings). How
often is decided by who alerts: the notifier once for all its replicas (services/notifier/alerts), the downloader once
for each worker (services/downloader/source_share), each within AUTOS_ALERT_INTERVAL_SECONDS.
"""
