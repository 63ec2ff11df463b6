"""Who asks, what a key may do, and how often.

``dependencies`` is what a route names (Reader, Downloader, Subscriber); ``keys`` knows API keys, ``stream_tokens`` the
tokens of browsers, ``caller`` what a key may do, ``rate_limit`` how much work a client may cause.
"""
