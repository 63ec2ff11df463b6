"""docs/reference/simulator.md from the simulator's catalogue. Pure."""

from __future__ import annotations

from typing import Final

from autos.local.pdpj.catalogue import SWITCHES
from tools.reference.markdown import table

_INTRODUCTION: Final = """\
# The simulator of PDPJ

`python -m autos.local.pdpj --port 8090` (`make up` starts it too) answers as the two interfaces of PDPJ do: the portal
below `/portal/api/v2`, the data lake below `/datalake/processo-api/api/v1`. Every valid case number is a case, and
always the same one. It is written after public sources ([PDPJ](pdpj.md)) and shares nothing with the code that reads
them; the data lake's answers are held against the lake's own OpenAPI document (tests/field).
Made by `python -m tools.reference` from `autos/local/pdpj/catalogue.py`.

## What is a choice

Where no source says what is right, the simulator does one thing of several:

| Question | What it does |
|---|---|
| which header of HEAD `ultima-atualizacao` has the time | Last-Modified, and an ETag that changes with each filing |
| a search by anything but the number | finds nothing: every number is a case, so there is no list to search in |
| `existe` and `possui-acesso` of a case that is not there | `false`; every other route of that case answers 500 |
| `arquivo.tamanho` | the true size; `size_hint` makes it the same for every document |
| the portal's 404 | `{"code", "message"}`, as the lake's |

## The control API

Below `/_control`, without a log-in. `autos.local.pdpj.control.SimulatorControl` is a typed client of it.

| Route | Does |
|---|---|
| `GET /_control/oddities` | everything that can be switched on, as in the table below |
| `PUT /_control/cases/{number}` | sets a case anew; `DELETE` forgets it |
| `GET /_control/cases/{number}` | what a correct copy holds, with its SHA-256 sums; `?hashes=false`, `?api=datalake` |
| `GET`, `PUT`, `PATCH /_control/source` | the whole source: latency, limits, an outage |
| `/_control/tokens`, `/_control/metrics`, `POST /_control/reset` | sessions, counters, back to the beginning |

```
curl -X PUT localhost:8090/_control/cases/1000145-91.2023.8.26.0597 -d '{
  "documents": 3,
  "oddities": [{"kind": "text_only", "document": 1}],
  "failures": [{"kind": "firewall_akamai", "document": 2, "times": 2}]}'
```

A failure is what is answered in place of the right answer. `on` is `document` (the default), `case`, `list`, `search`
or `last_update`; `document` is an index in the order of filing, an id or `"all"`. After `times` requests it heals,
without it never. `retry_after` is for those that can say when to come again, `after_bytes` says where a body breaks,
`content_type` replaces the type of a page or of JSON that comes in place of a document.

An oddity is how the case is shown: from its read number `after_reads` (0 is the first) until `until_reads`.

What a document is can be chosen: `"documents": [{"kind": "p7s", "size": 5000}, {"kind": "html_turned"}]`, of `pdf`,
`html`, `html_latin1`, `html_turned` (UTF-8 that says ISO-8859-1 of itself, as the lake keeps it), `jpeg`, `png`, `mp4`
and `p7s` (a signature that holds its PDF). `served_as` is the Content-Type of its answer, `secrecy` its level.

## What can be switched on

"""


def page() -> str:
    """The whole page."""
    rows = [(f"`{switch.name}`", switch.set_in, switch.about, switch.line) for switch in SWITCHES]
    return f"{_INTRODUCTION}\n{table(('Name', 'Set in', 'About', 'What the source does'), rows)}\n"
