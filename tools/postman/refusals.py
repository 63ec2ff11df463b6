"""What the API refuses, each refusal with its code."""

from __future__ import annotations

from tools.postman.items import NO_KEY, Item, Sent, folder, random_number, request, status_is


def refusals() -> Item:
    """The folder of what is refused; every request in it is tested for its status and code."""
    place = "failures"
    return folder(
        "Failures",
        "What is refused, and how it is told: RFC 9457 problem documents with a stable `code`.",
        [*_wrong_keys_and_numbers(place), *_wrong_addresses_and_parameters(place)],
    )


def _wrong_keys_and_numbers(place: str) -> list[Item]:
    return [
        request(
            place,
            "Wrong check digits",
            "GET",
            "/processes/1234567-89.2023.8.02.0001",
            tests=[*_problem(422, "invalid_process_number"), *_field_error("check_digits")],
        ),
        request(
            place,
            "No key",
            "GET",
            "/processes/{{process_number}}",
            Sent(auth=NO_KEY),
            tests=[
                *_problem(401, "unauthorized"),
                'pm.test("it says how to authenticate", () => pm.response.to.have.header("WWW-Authenticate"));',
            ],
        ),
        request(
            place,
            "A key that does not exist",
            "GET",
            "/processes/{{process_number}}",
            Sent(auth=NO_KEY, headers={"X-API-Key": "autos_sk_there_is_no_such_key"}),
            tests=_problem(401, "unauthorized"),
        ),
        request(
            place,
            "A webhook into a private network",
            "GET",
            "/processes/{{process_number}}",
            Sent(query={"webhook_url": "http://10.0.0.1/hook"}),
            tests=[*_problem(422, "invalid_webhook_url"), *_field_error("address_not_public")],
        ),
    ]


def _wrong_addresses_and_parameters(place: str) -> list[Item]:
    return [
        request(
            place,
            "A webhook that is no web address",
            "GET",
            "/processes/{{process_number}}",
            Sent(query={"webhook_url": "ftp://example.com/hook"}),
            tests=[*_problem(422, "invalid_webhook_url"), *_field_error("scheme_not_allowed")],
        ),
        request(
            place,
            "A misspelt parameter",
            "GET",
            "/processes/{{process_number}}",
            Sent(query={"webhok_url": "{{webhook_url}}"}),
            tests=[*_problem(422, "unknown_parameter"), *_field_error("unknown")],
        ),
        request(
            place,
            "The status of a case that nobody asked for",
            "GET",
            "/processes/{{unknown_process_number}}/status",
            before=random_number("unknown_process_number"),
            tests=_problem(404, "process_unknown"),
        ),
        request(
            place,
            "A job that does not exist",
            "GET",
            "/jobs/00000000-0000-4000-8000-000000000000",
            tests=_problem(404, "job_not_found"),
        ),
    ]


def _problem(status: int, code: str) -> list[str]:
    return [
        *status_is(status),
        f'pm.test("it is the problem {code}", () => {{',
        '  pm.expect(pm.response.headers.get("Content-Type")).to.match(/^application\\/problem\\+json/);',
        f'  pm.expect(pm.response.json().code).to.eql("{code}");',
        f"  pm.expect(pm.response.json().status).to.eql({status});",
        "});",
        'pm.test("its request id is in the header too", () => {',
        '  pm.expect(pm.response.json().request_id).to.eql(pm.response.headers.get("X-Request-ID"));',
        "});",
    ]


def _field_error(code: str) -> list[str]:
    return [
        f'pm.test("the field\'s error is {code}", () => {{',
        f'  pm.expect(pm.response.json().errors[0].code).to.eql("{code}");',
        "});",
    ]
