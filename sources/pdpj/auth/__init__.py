"""Access tokens of PDPJ.

credentials.py      which of the three grants is set
renewal.py          one log-in at a time, in a process and over all processes; refusals make everybody wait
token_store.py      where tokens are kept, and the lock that only one process holds
token_endpoint.py   one exchange with the log-in server
tokens.py           the rules that need no I/O

The invariant: a rotated refresh token is kept before it is used, and a wrong password never locks the account.
"""
