"""What docs/images/*.svg show. Names of topics are those of shared/events/topics.py: a test compares. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tools.diagrams.drawing import Drawing


def path_of_a_case() -> str:
    """From the request to the webhook: four services, the topics between them, the three places where state is."""
    drawing = Drawing(760, 400, "A case on its way from the request to the webhook")
    drawing.box(20, 40, 110, 50, "your system", "asks for a case")
    drawing.box(220, 40, 110, 50, "api", "answers at once")
    drawing.box(560, 40, 180, 50, "downloader: planner", "which documents")
    drawing.box(560, 190, 180, 50, "downloader: fetcher", "one document each")
    drawing.box(340, 190, 120, 50, "status", "counts, ends jobs")
    drawing.box(120, 190, 110, 50, "notifier", "signs and calls")
    drawing.box(20, 320, 120, 50, "your receiver", "verifies", kind="done")
    drawing.box(330, 320, 140, 50, "PostgreSQL", "the truth", kind="store")
    drawing.box(500, 320, 110, 50, "object store", "documents", kind="store")
    drawing.box(640, 320, 100, 50, "PDPJ", "the courts", kind="store")
    drawing.arrow((130, 65), (220, 65), words="HTTP")
    drawing.arrow((330, 65), (560, 65), words="process.requested")
    drawing.arrow((650, 90), (650, 190))
    drawing.text(640, 145, "document.requested", kind="small faint", anchor="end")
    drawing.arrow((560, 215), (460, 215), words="document.events")
    drawing.arrow((340, 215), (230, 215), words="process.completed")
    drawing.arrow((275, 90), (275, 150), (190, 150), (190, 190))
    drawing.text(182, 142, "webhook.subscribed", kind="small faint")
    drawing.arrow((150, 240), (150, 280), (80, 280), (80, 320))
    drawing.text(160, 275, "webhook, HTTP", kind="small faint", anchor="start")
    drawing.arrow((400, 240), (400, 320), dashed=True)
    drawing.arrow((600, 240), (560, 320), dashed=True)
    drawing.arrow((690, 320), (690, 240), dashed=True)
    drawing.text(
        380,
        20,
        "api, status and notifier write their events with the change itself (outbox); Kafka carries them",
        kind="small faint",
    )
    return drawing.svg()


def watermark() -> str:
    """The offsets of a partition: what is finished, the watermark, what is finished beyond it, what is in flight."""
    drawing = Drawing(700, 194, "Offsets of a partition and the watermark")
    finished = {100, 101, 102, 104, 105, 107}
    for place, offset in enumerate(range(100, 110)):
        known = "done" if offset in finished else ("bad" if offset in (103, 106) else "box")
        drawing.box(30 + 64 * place, 60, 58, 40, str(offset), kind=known)
    drawing.arrow((250, 30), (250, 58))
    drawing.text(250, 22, "watermark: committed as 103", kind="strong")
    drawing.text(123, 124, "finished, forgotten", kind="small faint")
    drawing.text(250, 124, "in flight", kind="small faint")
    drawing.text(344, 124, "finished beyond", kind="small faint")
    drawing.text(442, 124, "in flight", kind="small faint")
    drawing.text(602, 124, "not begun", kind="small faint")
    drawing.text(350, 156, "the commit's metadata says that 104, 105 and 107 are finished too:")
    drawing.text(350, 176, "after a crash 103 and 106 are done again, and nothing else of these")
    return drawing.svg()


def lease() -> str:
    """Two holders of one delivery: the first dies or is slow, the second takes over, a late result is refused."""
    drawing = Drawing(700, 210, "A lease that runs out and is taken by another replica")
    drawing.text(20, 65, "replica A", anchor="start", kind="strong")
    drawing.text(20, 135, "replica B", anchor="start", kind="strong")
    drawing.box(110, 45, 250, 34, "lease, token 1: attempt 3", kind="bad")
    drawing.text(235, 96, "calls, then dies or is very slow", kind="small faint")
    drawing.box(380, 115, 150, 34, "token 2: attempt 3", kind="done")
    drawing.text(455, 166, "calls again, records: delivered", kind="small faint")
    drawing.line(360, 30, 360, 180, dashed=True)
    drawing.text(360, 24, "the lease has run out", kind="small")
    drawing.arrow((530, 62), (600, 62), dashed=True)
    drawing.text(560, 52, "late result of A", kind="small faint", anchor="middle")
    drawing.text(645, 66, "refused: token 1", kind="small")
    drawing.arrow((110, 190), (680, 190))
    drawing.text(672, 182, "time", kind="small faint", anchor="end")
    return drawing.svg()


DRAWINGS: Final[Mapping[str, Callable[[], str]]] = {
    "path-of-a-case.svg": path_of_a_case,
    "watermark.svg": watermark,
    "lease.svg": lease,
}
