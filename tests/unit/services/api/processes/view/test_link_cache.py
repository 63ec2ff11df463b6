"""Presigned links are kept while they live long enough; those of sealed documents never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from services.api.processes.view.link_cache import LinkCache

NOW = datetime(2025, 3, 1, 12, 0, tzinfo=UTC)


class _Signer:
    def __init__(self) -> None:
        self.made = 0

    def make(
        self,
        key: str,
        *,
        content_disposition: str | None = None,
        content_type: str | None = None,
        seconds: int = 3600,
    ) -> str:
        self.made += 1
        return f"{key}?{self.made}&{content_disposition}&{seconds}"


def test_links_are_kept_until_five_minutes_are_left() -> None:
    moment = NOW
    signer = _Signer()
    links = LinkCache(signer, lambda: moment)
    first = links.get("key", "a.pdf", None, sealed=False)
    moment = NOW + timedelta(seconds=3300)
    assert links.get("key", "a.pdf", None, sealed=False) is first
    moment = NOW + timedelta(seconds=3301)
    second = links.get("key", "a.pdf", None, sealed=False)
    assert second.url != first.url and second.expires_at == moment + timedelta(seconds=3600)
    assert signer.made == 2


def test_a_link_of_a_sealed_document_is_short_nameless_and_never_kept() -> None:
    signer = _Signer()
    links = LinkCache(signer, lambda: NOW)
    long = links.get("key", "Laudo de Maria.pdf", None, sealed=False)
    assert "Maria" in long.url
    made = [links.get("key", "Laudo de Maria.pdf", None, sealed=True) for _ in range(2)]
    assert {link.expires_at - NOW for link in made} == {timedelta(seconds=300)}
    assert all("Maria" not in link.url and link.url.endswith("&attachment&300") for link in made)
    assert made[0].url != made[1].url
    # Neither is given out for the other.
    assert links.get("key", "Laudo de Maria.pdf", None, sealed=False) is long
