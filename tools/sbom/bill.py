"""The bill of an image as CycloneDX says it: a component for each package, with its URL, licence and pinned hashes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, Property, XsUri
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tools.sbom.contents import DebianPackage, ImageContents, PythonPackage

Hashes = Mapping[tuple[str, str], Sequence[str]]
"""By name and version of a package: the SHA-256 sums of the files that it may be installed from."""

_PIN: Final = re.compile(r"^([\w.-]+)(?:\[[\w,.-]+\])?==([^\s;\\]+)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_licenses: Final = LicenseFactory()


def normalized(name: str) -> str:
    """A name of a distribution as PyPI compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned_hashes(requirements: str) -> dict[tuple[str, str], list[str]]:
    """What a compiled set of requirements pins."""
    found: dict[tuple[str, str], list[str]] = {}
    current: list[str] = []
    for line in requirements.splitlines():
        if pin := _PIN.match(line):
            current = found.setdefault((normalized(pin[1]), pin[2]), [])
        current += _HASH.findall(line)
    return found


def bill_of(contents: ImageContents, hashes: Hashes) -> Bom:
    """The bill. Raises KeyError for a package of Python that no hash is pinned for: it came in by another way."""
    image = Component(
        name=contents.image,
        version=contents.version,
        type=ComponentType.CONTAINER,
        bom_ref=contents.image_id,
        properties=[Property(name="autos:revision", value=contents.revision)],
    )
    interpreter = Component(
        name="cpython",
        version=contents.interpreter,
        type=ComponentType.PLATFORM,
        purl=PackageURL("generic", None, "cpython", contents.interpreter),
    )
    packages = [python_component(package, hashes) for package in contents.python]
    base = [_debian(package, contents.distro) for package in contents.debian]
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, contents.image_id),
        metadata=BomMetaData(component=image),
        components=[interpreter, *packages, *base],
    )
    bom.register_dependency(image, bom.components)
    return bom


def as_json(bom: Bom) -> str:
    """The bill as CycloneDX 1.6 in JSON."""
    return JsonV1Dot6(bom).output_as_string(indent=2)


def python_component(package: PythonPackage, hashes: Hashes) -> Component:
    """A package of Python with the files that it may be installed from. Raises KeyError when no hash is pinned."""
    name = normalized(package.name)
    purl = PackageURL("pypi", None, name, package.version)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(f"https://pypi.org/simple/{name}/"),
        comment="the files that it may be installed from",
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=one) for one in hashes[name, package.version]],
    )
    licenses = [_licenses.make_from_string(package.license)] if package.license else []
    return Component(
        name=package.name,
        version=package.version,
        bom_ref=purl.to_string(),
        purl=purl,
        licenses=licenses,
        external_references=[files],
    )


def _debian(package: DebianPackage, distro: str) -> Component:
    qualifiers = {"arch": package.architecture, "distro": distro}
    purl = PackageURL("deb", "debian", package.name, package.version, qualifiers)
    return Component(name=package.name, version=package.version, bom_ref=purl.to_string(), purl=purl)
