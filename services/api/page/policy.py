"""What the browser lets the page do (Content Security Policy Level 3), pure.

Everything of the page comes from the API itself, nothing of it stands inside of the document. Beside that the page
shows documents: pictures and frames from the object store alone.
"""

from __future__ import annotations

from urllib.parse import urlsplit


def origin_of(url: str) -> str:
    """Scheme, host and port of an address."""
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc}"


def content_policy(store: str | None, extension: str | None = None) -> str:
    """The header's value. ``store`` and ``extension`` are origins; None: there is none.

    An extension (the tab of the embedded stack) brings a module of its own and answers it.
    """
    shown = store or "'none'"
    own = f"'self' {extension}" if extension else "'self'"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {own}",
            "style-src 'self'",
            f"img-src 'self' {store}" if store else "img-src 'self'",
            f"connect-src {own}",
            f"frame-src {shown}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )
