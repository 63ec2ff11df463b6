"""Which headers of a source's answer are kept with a document: those that say something of its bytes or of the time.

They are evidence for whoever doubts later that these bytes were served (docs/how-to/verify.md). What identifies a
person, a session or a name of a document is not among them: events of documents are read by many.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

KEPT: Final = (
    "content-digest",
    "content-encoding",
    "content-md5",
    "content-type",
    "date",
    "digest",
    "etag",
    "last-modified",
    "repr-digest",
)
"""Their names in lower case, in the order of the alphabet. Digests: RFC 9530, and what it replaced (RFC 3230, 1864)."""

LONGEST_VALUE: Final = 200
"""Characters. A longer value is left out: a part of a digest or a tag would be another one."""

_PLAIN: Final = re.compile(r"[\x20-\x7e]+")


def kept_headers(headers: Mapping[str, str]) -> tuple[str, ...]:
    """``name: value`` of each kept header that an answer has; ``headers`` are found by any case of their names.

    At most as many as there are names in KEPT, each in printable ASCII.
    """
    found = [(name, value.strip()) for name in KEPT if (value := headers.get(name))]
    return tuple(
        [f"{name}: {value}" for name, value in found if len(value) <= LONGEST_VALUE and _PLAIN.fullmatch(value)]
    )
