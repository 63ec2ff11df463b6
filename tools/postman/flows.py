"""The flows that a client goes through: with a webhook, without one, and what is refused, each step with its tests."""

from __future__ import annotations

import json
from typing import Final

from tools.postman.items import DEFAULT_WEBHOOK_URL, Item, Sent, folder, request, status_is
from tools.postman.refusals import refusals

_ENDED: Final = '["completed", "partial", "failed", "cancelled"]'
_POLLS: Final = 60
_NOBODY_LISTENS: Final = (
    f"one => one.url === {json.dumps(DEFAULT_WEBHOOK_URL)} && one.status !== 'delivered' && !!one.last_error_code"
)
"""Whether a delivery waits for a receiver that is not there: the default address is only one where one may be."""


def flows() -> Item:
    """All of them."""
    description = (
        "Set `api_key`, and `base_url` where the API is elsewhere, then run a folder from its first step. The other "
        "variables fit a stack of `make up`, without the internet; elsewhere set `webhook_url` to a receiver of yours."
    )
    return folder("Flows", description, [_with_webhook(), _without_webhook(), refusals()])


def _with_webhook() -> Item:
    place = "with a webhook"
    return folder(
        "With a webhook",
        "Ask for a case and be called when all of its documents are there.",
        [*_ask_with_a_webhook(place), *_see_the_delivery(place)],
    )


def _ask_with_a_webhook(place: str) -> list[Item]:
    return [
        request(
            place,
            "Ask for the case",
            "GET",
            "/processes/{{process_number}}",
            Sent(query={"webhook_url": "{{webhook_url}}"}),
            tests=[
                *status_is(200, 202),
                "const view = pm.response.json();",
                'pm.test("it is the case that was asked for", () => {',
                '  pm.expect(view.process_number.replace(/\\D/g, "")).to.eql('
                'pm.variables.get("process_number").replace(/\\D/g, ""));',
                "});",
                'pm.test("a job runs and the webhook is attached", () => {',
                "  pm.expect(view.job.job_id).to.be.a('string');",
                '  pm.expect(view.webhook.url).to.eql(pm.variables.get("webhook_url"));',
                "});",
                'pm.collectionVariables.set("job_id", view.job.job_id);',
                'pm.collectionVariables.set("etag", "");',
            ],
        ),
        request(
            place,
            "Ask again: the same job",
            "GET",
            "/processes/{{process_number}}",
            Sent(query={"webhook_url": "{{webhook_url}}"}),
            tests=[
                *status_is(200, 202),
                'pm.test("a second request joins the job", () => {',
                '  pm.expect(pm.response.json().job.job_id).to.eql(pm.collectionVariables.get("job_id"));',
                "});",
            ],
        ),
    ]


def _see_the_delivery(place: str) -> list[Item]:
    return [
        _until_the_end(place, "Follow it to its end", "{{process_number}}"),
        request(
            place,
            "See the delivery",
            "GET",
            "/webhooks/deliveries",
            Sent(query={"process_number": "{{process_number}}"}),
            before=_pause_when_repeated(),
            tests=[
                *status_is(200),
                "const list = pm.response.json().deliveries;",
                'const atRest = ["delivered", "exhausted", "gone", "cancelled"];',
                f"const nobody = {_NOBODY_LISTENS};",
                *_again_unless("list.length > 0 && (atRest.includes(list[0].status) || nobody(list[0]))"),
                "if (done) {",
                '  pm.collectionVariables.set("delivery_id", list.length ? list[0].id : "");',
                "  if (list.length && nobody(list[0])) {",
                '    console.warn("nobody listens at the default webhook_url: set it to a receiver of yours");',
                "  } else {",
                '    pm.test("the webhook was delivered", () => pm.expect(list[0].status).to.eql("delivered"));',
                "  }",
                "}",
            ],
        ),
        request(
            place,
            "See its attempts",
            "GET",
            "/webhooks/deliveries/{{delivery_id}}",
            tests=[
                *status_is(200),
                "const delivery = pm.response.json();",
                f"const nobody = {_NOBODY_LISTENS};",
                'pm.test("the last attempt was answered with 2xx, or says why not", () => {',
                "  const last = delivery.attempts[delivery.attempts.length - 1];",
                "  if (nobody(delivery)) pm.expect(last.error_code).to.be.a('string');",
                "  else pm.expect(last.succeeded).to.eql(true);",
                "});",
            ],
        ),
    ]


def _without_webhook() -> Item:
    place = "without a webhook"
    return folder(
        "Without a webhook",
        "Ask for a case, poll its status, fetch the files.",
        [*_ask_and_poll(place), *_get_the_files(place)],
    )


def _ask_and_poll(place: str) -> list[Item]:
    return [
        request(
            place,
            "Ask for the case",
            "GET",
            "/processes/{{other_process_number}}",
            tests=[
                *status_is(200, 202),
                "const view = pm.response.json();",
                'pm.test("a job runs and nobody is called", () => {',
                "  pm.expect(view.job.job_id).to.be.a('string');",
                "  pm.expect(view.webhook).to.eql(null);",
                "});",
                'pm.collectionVariables.set("etag", "");',
            ],
        ),
        _until_the_end(place, "Poll its status", "{{other_process_number}}"),
        request(
            place,
            "List the files",
            "GET",
            "/processes/{{other_process_number}}/files",
            tests=[
                *status_is(200),
                "const documents = pm.response.json().documents;",
                'pm.test("every document has a link", () => {',
                "  pm.expect(documents).to.not.be.empty;",
                "  documents.forEach(one => pm.expect(one.download_url).to.match(/^https?:/));",
                "});",
                'pm.collectionVariables.set("document_id", documents[0].id);',
                'pm.collectionVariables.set("document_size", String(documents[0].size));',
            ],
        ),
    ]


def _get_the_files(place: str) -> list[Item]:
    return [
        request(
            place,
            "Fetch one through the API",
            "GET",
            "/processes/{{other_process_number}}/documents/{{document_id}}/content",
            Sent(query={"proxy": "true"}),
            tests=[
                *status_is(200),
                'pm.test("it has the size that was told", () => {',
                '  pm.expect(pm.response.headers.get("Content-Length")).to.eql('
                'pm.collectionVariables.get("document_size"));',
                "});",
            ],
        ),
        request(
            place,
            "Or be sent to the store",
            "GET",
            "/processes/{{other_process_number}}/documents/{{document_id}}/content",
            Sent(follow_redirects=False),
            tests=[
                *status_is(307),
                'pm.test("the answer is a link", () => {',
                '  pm.expect(pm.response.headers.get("Location")).to.match(/^https?:/);',
                "});",
            ],
        ),
    ]


def _until_the_end(place: str, name: str, number: str) -> Item:
    return request(
        place,
        name,
        "GET",
        f"/processes/{number}/status",
        Sent(query={"wait": "10"}, headers={"If-None-Match": "{{etag}}"}),
        description="Each answer comes when something has changed, at the latest after 10 seconds (304 then).",
        before=['if (!pm.collectionVariables.get("etag")) pm.request.headers.remove("If-None-Match");'],
        tests=[
            *status_is(200, 304),
            'if (pm.response.code === 200) pm.collectionVariables.set("etag", pm.response.headers.get("ETag"));',
            "const view = pm.response.code === 200 ? pm.response.json() : {};",
            *_again_unless(f"{_ENDED}.includes(view.status)"),
            "if (done) {",
            '  pm.test("every document is available", () => {',
            '    pm.expect(view.status).to.eql("completed");',
            "    pm.expect(view.progress_percentage).to.eql(100);",
            "    pm.expect(view.completed_documents).to.eql(view.total_documents);",
            "  });",
            "}",
        ],
    )


def _again_unless(condition: str) -> list[str]:
    """Repeat the request until the condition holds, a limited number of times; ``done`` is then true."""
    return [
        'const tries = Number(pm.collectionVariables.get("tries") || 0) + 1;',
        f"const done = ({condition}) || tries >= {_POLLS};",
        'pm.collectionVariables.set("tries", done ? "0" : String(tries));',
        "if (!done) pm.execution.setNextRequest(pm.info.requestId);",
    ]


def _pause_when_repeated() -> list[str]:
    return ['if (Number(pm.collectionVariables.get("tries") || 0) > 0) setTimeout(() => {}, 250);']
