"""``autos verify``: whether files are what a signed manifest says, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from autos.context import fail

if TYPE_CHECKING:
    from autos.verification.signature import Trust

GOOD, DIFFERENT, UNCHECKED = 0, 1, 2
"""Exit statuses."""

_HELP: Final = """Check files of a case against its signed manifest, without a network.

PATH is a folder (of `autos fetch --out`, or an unpacked archive), an archive (documents.zip), one document beside its
manifest, or a manifest alone, of which only the signature is checked. Each file is read once, and nothing is unpacked.

Whose signature it is, you have to say: by --jwks with the keys that you got from the sender another way (GET
/.well-known/webhook-keys.json over HTTPS), or by --key-id. Without either the key that came with the manifest is used:
that shows that manifest and files belong together, and nothing of who made them.

Exit status: 0 all is as it was signed; 1 something is missing, changed or extra, or the signature does not hold, or is
by none of the keys that you named; 2 it could not be checked.

Examples:

    autos verify files --jwks webhook-keys.json

    autos verify 08014295620224058201.zip --key-id kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k
"""


def verify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders, archives, documents or manifests.")],
    jwks: Annotated[Path | None, typer.Option(metavar="FILE", help="The keys to believe, a JWKS.")] = None,
    key_id: Annotated[
        list[str] | None, typer.Option(metavar="KID", help="A key to believe, by its thumbprint (RFC 7638).")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The manifest, where it is not with the files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON per path on stdout.")] = False,
) -> None:
    try:
        from autos.verification.check import check
        from autos.verification.manifest import Unreadable
        from autos.verification.report import report_json, report_words
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        raise fail("this command needs the package cryptography: pip install 'autos[cli]'", status=UNCHECKED) from None
    trust = _trust(jwks, key_id or [])
    worst = GOOD
    for path in paths:
        try:
            checked = check(path, trust, manifest)
        except Unreadable as error:
            fail(f"{path}: {error}")
            worst = UNCHECKED
            continue
        for line in [report_json(checked)] if as_json else report_words(checked):
            typer.echo(line)
        worst = max(worst, GOOD if checked.good else DIFFERENT)
    if worst:
        raise typer.Exit(worst)


verify.__doc__ = _HELP


def _trust(jwks: Path | None, key_ids: list[str]) -> Trust:
    from autos.verification.files import read_whole
    from autos.verification.manifest import Unreadable
    from autos.verification.signature import Trust, read_key_set

    try:
        keys = read_key_set(read_whole(jwks)) if jwks is not None else {}
    except Unreadable as error:
        raise fail(f"{jwks}: {error}", status=UNCHECKED) from None
    return Trust(keys, frozenset(key_ids), given=jwks is not None or bool(key_ids))
