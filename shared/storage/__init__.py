"""The object store: keys, links, the data path.

``store`` has the keys of documents and makes the two clients (boto3 for administration, obstore for the bytes);
``links`` makes presigned links without a request; ``sizes`` asks what is really there; ``bucket`` is for provisioning.
"""
