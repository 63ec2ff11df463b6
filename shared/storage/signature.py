"""What signing requests to the object store has in common, whatever is signed: AWS Signature Version 4's key."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime


def written(moment: datetime) -> str:
    """A moment in UTC as signatures have it, ``YYYYMMDDTHHMMSSZ``; strftime takes three times as long."""
    return moment.isoformat(timespec="seconds")[:19].replace("-", "").replace(":", "") + "Z"


class RequestSigner:
    """Signs with one access key that does not change, for one region; its key is another each day. From any thread."""

    def __init__(self, access_key_id: str, secret_access_key: str, region: str) -> None:
        self.access_key_id = access_key_id
        self._secret = secret_access_key
        self._region = region
        self._day: tuple[str, hmac.HMAC] | None = None

    def scope(self, day: str) -> str:
        """The credential scope; ``day`` is ``YYYYMMDD`` in UTC."""
        return f"{day}/{self._region}/s3/aws4_request"

    def sign(self, day: str, text: str) -> str:
        """The signature of a string to sign, in hexadecimal."""
        # Threads share this object; what they share of it is replaced as a whole.
        known = self._day
        if known is None or known[0] != day:
            key = f"AWS4{self._secret}".encode()
            for part in (day, self._region, "s3", "aws4_request"):
                key = hmac.digest(key, part.encode(), hashlib.sha256)
            known = self._day = (day, hmac.new(key, digestmod=hashlib.sha256))
        # Begun once a day. And hmac.digest() lets another thread run, however short the text: waiting for it to end
        # its turn takes longer than to sign.
        mac = known[1].copy()
        mac.update(text.encode())
        return mac.hexdigest()
