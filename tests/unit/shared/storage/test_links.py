"""Quick links are the links that botocore makes."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from shared.settings import StorageSettings
from shared.storage.links import PresignedLinks, QuickLinks, make_links
from shared.storage.store import make_client


def settings(**more: Any) -> StorageSettings:
    return StorageSettings(
        _env_file=None,
        **{"aws_access_key_id": "AKIA/x+y", "aws_secret_access_key": SecretStr("s3cr3t/+="), **more},
    )


def parts(link: str) -> tuple[str, str, str, dict[str, list[str]]]:
    split = urlsplit(link)
    return split.scheme, split.netloc, split.path, parse_qs(split.query, strict_parsing=True)


@pytest.mark.parametrize(
    "place",
    [
        {"s3_endpoint_url": "http://127.0.0.1:8333"},
        {"s3_endpoint_url": "http://inside:8333", "s3_public_endpoint_url": "https://files.example.com"},
        {"s3_endpoint_url": "https://s3.example-1.com:443", "s3_bucket": "court.files-2"},
        {"s3_endpoint_url": "http://s3.example.com:80"},
        {"s3_endpoint_url": "http://S3.Example.com:8333/"},
        {"s3_endpoint_url": "https://s3.example.com/store/"},
        {"s3_endpoint_url": "http://[::1]:8333"},
        {"s3_public_endpoint_url": "https://files.example.com"},
        {"s3_region": "us-east-1"},
        {"s3_region": "sa-east-1"},
    ],
)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/pdf"},
        {"content_disposition": "attachment", "seconds": 300},
        {
            "content_type": "text/html; charset=utf-8",
            "content_disposition": "attachment; filename=\"a b.pdf\"; filename*=UTF-8''Peti%C3%A7%C3%A3o.pdf",
        },
    ],
)
def test_a_quick_link_is_the_one_that_botocore_makes(place: dict[str, str], headers: dict[str, Any]) -> None:
    chosen = settings(**place)
    key = "processes/10001459120238260597/documents/6f1c9a0e-6d0b-5a53-9a55-2f4a5f0f7a11"
    slow = PresignedLinks(make_client(chosen, public=True), chosen.s3_bucket).make(key, **headers)
    moment = datetime.strptime(parts(slow)[3]["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    quick = make_links(chosen, lambda: moment)
    assert isinstance(quick, QuickLinks)
    assert parts(quick.make(key, **headers)) == parts(slow)


def test_credentials_that_botocore_finds_are_botocores_to_sign_with() -> None:
    chosen = settings(aws_access_key_id=None, aws_secret_access_key=None)
    assert isinstance(make_links(chosen, lambda: datetime.now(UTC)), PresignedLinks)


def test_links_to_an_endpoint_of_ones_own_need_no_botocore() -> None:
    """Nor do the processes that make them: it takes 10 MB and 150 ms of their start."""
    program = """
import sys
from datetime import UTC, datetime
import services.api.app, services.notifier.worker
from pydantic import SecretStr
from shared.settings import StorageSettings
from shared.storage.links import make_links
keys = {"aws_access_key_id": "a", "aws_secret_access_key": SecretStr("b")}
make_links(StorageSettings(_env_file=None, s3_endpoint_url="http://127.0.0.1:8333", **keys), lambda: datetime.now(UTC))
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"boto3", "botocore"}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=150)
    assert done.stdout.strip() == ""


def test_what_links_share_changes_with_the_second_and_the_day() -> None:
    moments = [datetime(2026, 11, 23, 23, 59, second, tzinfo=UTC) for second in (58, 58, 59)]
    moments.append(datetime(2026, 11, 24, 0, 0, 0, tzinfo=UTC))
    now = moments[0]
    shared = make_links(settings(), lambda: now)
    links = []
    for now in moments:
        fresh = make_links(settings(), lambda at=now: at)  # type: ignore[misc]
        links.append(shared.make("a/b"))
        assert links[-1] == fresh.make("a/b")
    assert len(set(links)) == 3
