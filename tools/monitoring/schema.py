"""What Grafana needs of a dashboard to import it, as a JSON Schema (2020-12), and the check of one against it.

After "JSON model" of Grafana's documentation (grafana.com/docs/grafana/latest/dashboards/build-dashboards/
view-dashboard-json-model) for what these dashboards have of it; anything else is refused, so that a typing error shows.
"""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator


def _closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {**required, **optional},
        "required": list(required),
        "additionalProperties": False,
    }


_TEXT: Final = {"type": "string", "minLength": 1}
_COUNT: Final = {"type": "integer", "minimum": 0}
_DATASOURCE: Final = _closed({"type": {"const": "prometheus"}, "uid": _TEXT})
_TARGET: Final = _closed(
    {"refId": {"type": "string", "pattern": "^[A-Z]$"}, "datasource": _DATASOURCE, "expr": _TEXT, "legendFormat": _TEXT}
)
_PLACE: Final = _closed(
    {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": _COUNT,
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "h": {"type": "integer", "minimum": 1},
    }
)
_PANEL: Final = _closed(
    {
        "id": {"type": "integer", "minimum": 1},
        "type": {"const": "timeseries"},
        "title": _TEXT,
        "description": _TEXT,
        "datasource": _DATASOURCE,
        "gridPos": _PLACE,
        "fieldConfig": _closed(
            {
                "defaults": _closed(
                    {"unit": {"enum": ["short", "s", "bytes", "Bps", "cps", "percentunit"]}, "min": {"type": "number"}}
                ),
                "overrides": {"type": "array"},
            }
        ),
        "options": _closed(
            {
                # Since schema version 37 a legend without showLegend is not shown.
                "legend": _closed(
                    {
                        "displayMode": {"enum": ["list", "table", "hidden"]},
                        "placement": {"enum": ["bottom", "right"]},
                        "showLegend": {"type": "boolean"},
                        "calcs": {"type": "array", "items": _TEXT},
                    }
                ),
                "tooltip": _closed(
                    {"mode": {"enum": ["single", "multi", "none"]}, "sort": {"enum": ["asc", "desc", "none"]}}
                ),
            }
        ),
        "targets": {"type": "array", "minItems": 1, "items": _TARGET},
    }
)
_LINK: Final = _closed(
    {
        "type": {"enum": ["dashboards", "link"]},
        "title": _TEXT,
        "tags": {"type": "array", "items": _TEXT},
        "icon": _TEXT,
        "tooltip": {"type": "string"},
        "asDropdown": {"type": "boolean"},
        "includeVars": {"type": "boolean"},
        "keepTime": {"type": "boolean"},
        "targetBlank": {"type": "boolean"},
    }
)
DASHBOARD: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_closed(
        {
            "uid": {"type": "string", "pattern": "^[a-z0-9-]{1,40}$"},
            "title": _TEXT,
            "description": _TEXT,
            "tags": {"type": "array", "items": _TEXT},
            "schemaVersion": {"type": "integer", "minimum": 36},
            "version": _COUNT,
            "editable": {"type": "boolean"},
            "timezone": {"enum": ["browser", "utc"]},
            "refresh": {"type": "string", "pattern": "^[0-9]+[smh]$"},
            "time": _closed({"from": _TEXT, "to": _TEXT}),
            "templating": _closed(
                {"list": {"type": "array", "items": {"type": "object", "required": ["name", "type"]}}}
            ),
            "links": {"type": "array", "items": _LINK},
            "annotations": _closed({"list": {"type": "array"}}),
            "panels": {"type": "array", "minItems": 1, "items": _PANEL},
        }
    ),
}


def faults(dashboard: Any) -> list[str]:
    """A line for each fault: what the schema refuses, panels with one id, panels that lie on one another."""
    found = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(DASHBOARD).iter_errors(dashboard)]
    if found:
        return found
    panels = dashboard["panels"]
    numbers = [panel["id"] for panel in panels]
    found += [f"panel id {number} twice" for number in set(numbers) if numbers.count(number) > 1]
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        if place["x"] + place["w"] > 24:
            found.append(f"{panel['title']}: wider than the page")
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if (other := taken.setdefault((x, y), panel["title"])) != panel["title"]:
                    found.append(f"{panel['title']} lies on {other}")
    return list(dict.fromkeys(found))
