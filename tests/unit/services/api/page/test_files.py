"""The files of the page: complete, of the right types, and its texts the same in both languages."""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from pathlib import Path
from typing import Final

import services.api.page
from services.api.page.files import PageFiles
from tools.reference.notes import ATTEMPT_CODES, JOB_CODES, URL_CODES

ASSETS: Final = Path(services.api.page.__file__).parent / "assets"
IMPORT: Final = re.compile(r"""(?:from|import)\s+"(\.{1,2}/[^"]+)\"""")
TEXT: Final = re.compile(r"""\bt\("([a-z0-9_.]+)\"""")
FAMILIES: Final = re.compile(r"""\b(?:t|has)\(`([a-z_]+)\.\$|<\$\{State\} of="([a-z]+)\"""")


def texts(language: str) -> dict[str, str]:
    found: dict[str, str] = json.loads((ASSETS / "texts" / f"{language}.json").read_text())
    return found


def scripts() -> dict[str, str]:
    return {
        str(path.relative_to(ASSETS)): path.read_text() for path in ASSETS.rglob("*.js") if path.parent.name != "vendor"
    }


def test_every_import_is_of_a_file_that_is_served_and_nothing_comes_from_elsewhere() -> None:
    served = PageFiles().paths()
    for name, script in scripts().items():
        for target in IMPORT.findall(script):
            path = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
            assert path in served, f"{name} imports {path}"
        assert not re.search(r"https?://\w", script), name
    assert "://" not in (ASSETS / "index.html").read_text().replace("http://www.w3.org", "")


def test_the_document_names_files_under_the_version_of_them_all() -> None:
    files = PageFiles()
    named = re.findall(r'(?:href|src)="(page/[^"]+)"', files.index())
    assert named, files.index()
    for address in named:
        prefix, version, path = address.split("/", 2)
        assert (prefix, version) == ("page", files.version)
        found = files.get(path)
        assert found is not None
        kind = {"js": "text/javascript", "css": "text/css", "svg": "image/svg"}[path.rpartition(".")[2]]
        assert found.media_type.startswith(kind)
    assert not {"vendor/README.md", "../files.py", "index.html"} & files.paths()


def test_the_version_changes_with_any_file(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text('<script src="{base}a.js"></script>')
    (tmp_path / "a.js").write_text("1")
    before = PageFiles(tmp_path)
    (tmp_path / "a.js").write_text("2")
    after = PageFiles(tmp_path)
    assert before.version != after.version
    assert f"page/{after.version}/a.js" in after.index()


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    english, portuguese = texts("en"), texts("pt")
    assert english.keys() == portuguese.keys()
    for name, text in english.items():
        assert set(re.findall(r"\{\w+\}", text)) == set(re.findall(r"\{\w+\}", portuguese[name])), name


def test_every_text_that_is_used_exists_and_every_text_is_used() -> None:
    names = set(texts("en"))
    whole = "\n".join(scripts().values())
    used = set(TEXT.findall(whole))
    assert used <= names, used - names
    families = {name for pair in FAMILIES.findall(whole) for name in pair if name}
    mentioned = set(re.findall(r"""["']([a-z0-9_.]+)["']""", whole))
    unused = {
        name
        for name in names
        if not {name, name.removesuffix(".one")} & mentioned and name.partition(".")[0] not in families
    }
    assert not unused, unused


def test_every_code_of_a_failure_has_words() -> None:
    names = texts("en")
    for code in (*JOB_CODES, *URL_CODES, *ATTEMPT_CODES):
        assert f"reason.{code}" in names, code


def test_the_vendored_module_is_the_one_that_its_page_names() -> None:
    digest = hashlib.sha256((ASSETS / "vendor" / "htm-preact.js").read_bytes()).hexdigest()
    assert digest in (ASSETS / "vendor" / "README.md").read_text()


def test_modules_are_small() -> None:
    long = {name: script.count("\n") for name, script in scripts().items() if script.count("\n") > 250}
    assert not long
