"""Pieces of asynchronous work that services share: groups of tasks, batches, outages."""
