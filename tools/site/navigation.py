"""Where each page of docs/ stands in the site. A page that stands nowhere fails the build. Pure.

The four sections are those of Diátaxis (https://diataxis.fr): tutorials teach, guides lead to a goal, reference
describes, explanation gives reasons. A page keeps its path in the repository whatever its section is.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Mapping, Sequence
from typing import Final

SECTIONS: Final[Mapping[str, Sequence[str]]] = {
    "Tutorial": ("tutorial/first-case", "tutorial/first-webhook"),
    "How to": (
        "guides/integrate",
        "guides/page",
        "how-to/connect-to-pdpj",
        "guides/subscribe",
        "how-to/docker",
        "how-to/secure",
        "how-to/kubernetes",
        "operations",
        "how-to/monitor",
        "how-to/traces",
        "runbooks",
        "how-to/upgrade",
        "how-to/back-up-and-restore",
        "how-to/break-it",
        "how-to/verify",
        "how-to/add-a-source",
        "how-to/*",
    ),
    "Reference": (
        "reference/http-api",
        "reference/webhooks",
        "reference/webhook-addresses",
        "reference/events",
        "reference/error-codes",
        "reference/limits",
        "reference/settings",
        "reference/metrics",
        "reference/log-messages",
        "reference/pdpj",
        "reference/simulator",
        "glossary",
    ),
    "Explanation": (
        "architecture",
        "explanation/why-nothing-is-lost",
        "reliability",
        "performance",
        "scaling",
        "security",
        "explanation/*",
    ),
    "Em português": (
        "index.pt-BR",
        "tutorial/first-case.pt-BR",
        "tutorial/first-webhook.pt-BR",
        "guides/integrate.pt-BR",
    ),
}
"""Names of pages without their ending, under docs/. One with ``*`` stands for those that no other line names."""

HOME: Final = "index"
DECISIONS: Final = "explanation/decisions"
DECISION_PAGES: Final = "adr/*"
PORTUGUESE_ENDING: Final = ".pt-BR"


def toctree(pages: Sequence[str], *, caption: str) -> str:
    """A toctree of these pages as MyST writes it. Names are from the root of docs/."""
    options = [":hidden:", f":caption: {caption}"]
    lines = [f"/{page}" for page in pages]
    return "\n".join(("", "```{toctree}", *options, "", *lines, "```", ""))


def placed(found: Collection[str]) -> Mapping[str, list[str]]:
    """The pages of each section, patterns replaced by those of the found pages that no line names."""
    named = {page for pages in SECTIONS.values() for page in pages}
    left = sorted(set(found) - named)
    return {
        caption: [page for line in pages for page in (fnmatch.filter(left, line) if "*" in line else [line])]
        for caption, pages in SECTIONS.items()
    }


def appended(page: str, found: Collection[str]) -> str:
    """What the site adds to the end of a page: its home has the sections, the page on decisions the list of them.

    It stands here and not in the pages, where GitHub would show it as a block of code. ``found`` are all pages.
    """
    if page == HOME:
        return "".join(toctree(pages, caption=caption) for caption, pages in placed(found).items())
    if page == DECISIONS:
        # A link without words gets the title of its page.
        return "\n".join(("", *(f"- [](../{one}.md)" for one in sorted(fnmatch.filter(found, DECISION_PAGES))), ""))
    return ""


def prepended(page: str) -> str:
    """What the site adds to the beginning of a page: a decision stands in the list of them and in no section.

    The navigation is written into every page, and would be twice as long with all decisions in it.
    """
    return "---\norphan: true\n---\n\n" if fnmatch.fnmatch(page, DECISION_PAGES) else ""


def language(page: str) -> str:
    """The language that a page is written in, as HTML names it."""
    return "pt-BR" if page.endswith(PORTUGUESE_ENDING) else "en"
