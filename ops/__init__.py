"""What operators run: migrations, provisioning, checks of the whole system, repair, dead letters."""
