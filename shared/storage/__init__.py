"""The object store: keys, links, the data path.

``store`` has the keys of documents and makes the two clients (boto3 for administration, obstore for the bytes);
``known_puts`` puts small objects whose hash is known; ``links`` makes presigned links without a request; ``signature``
is what both sign with; ``sizes`` asks what is really there; ``bucket`` is for provisioning.
"""
