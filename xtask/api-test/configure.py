"""Signs in to a seeded sandbox installation and writes what schemathesis is to know of it.

configure.py GATEWAY SANDBOX PASSWORD FILE
"""

import json
import sys
import urllib.request
from datetime import datetime, timedelta, timezone

GATEWAY, SANDBOX, PASSWORD, FILE = sys.argv[1:]
TICKETS = 60


def call(base, path, body=None, token=None):
    request = urllib.request.Request(base + path, data=None if body is None else json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    if token:
        request.add_header("authorization", f"Bearer {token}")
    # Loopback: never by a proxy of the environment.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        return json.load(answer)


def sign_in():
    login = {"username": "admin", "password": PASSWORD}
    return call(GATEWAY, "/api/admin/auth/login", login)["data"]["access_token"]


def enter():
    """A worker's token; binds the first of the roster where nobody has."""
    roster = call(SANDBOX, "/realname/integration/realname/workers?page=1&page_size=1")
    person = roster["data"]["items"][0]
    entered = call(GATEWAY, "/api/mp/login", {"mp_code": "demo-api-test"})["data"]
    if not entered["bound"]:
        body = {
            "mp_code": "demo-api-test",
            "phone_code": "phone-" + person["phone"],
            "id_no": person["id_no"],
        }
        call(GATEWAY, "/api/mp/bind", body, entered["mp_session_token"])
        entered = call(GATEWAY, "/api/mp/login", {"mp_code": "demo-api-test"})["data"]
    return entered["mp_session_token"]


def every(path):
    """All items of a list."""
    joint = "&" if "?" in path else "?"
    return call(GATEWAY, f"{path}{joint}page_size=200", token=admin)["data"]["items"]


def make(path, body, named):
    return call(GATEWAY, path, body, admin)["data"][named]


def tickets(known, workers):
    """Drafts, tickets and days of tickets: so many that some are left when others were cancelled."""
    made, days = [], []
    today = datetime.now(timezone(timedelta(hours=8))).date()
    for number in range(TICKETS):
        body = {
            "title": f"第{number}张",
            "site_id": known["site"],
            "contractor_id": known["contractor"],
            "start_date": str(today + timedelta(days=1)),
            "end_date": str(today + timedelta(days=3)),
            "area_ids": known["areas"],
            "worker_ids": workers,
            "video_ids": known["videos"],
            "draft": number % 4 == 0,
        }
        ticket = make("/api/admin/work-tickets", body, "ticket_id")
        made.append(ticket)
        detail = call(GATEWAY, f"/api/admin/work-tickets/{ticket}", token=admin)["data"]
        days += [day["daily_ticket_id"] for day in detail["daily_tickets"]]
    return made, days


def ids():
    """What is there, by the name of the parameter that asks for it. What the test signs in with is left out."""
    site = every("/api/admin/sites")[0]["site_id"]
    of_site = f"?site_id={site}"
    listed = {
        "contractors": [row["contractor_id"] for row in every(f"/api/admin/contractors{of_site}")],
        "areas": [row["area_id"] for row in every(f"/api/admin/areas{of_site}")],
        "videos": [row["video_id"] for row in every(f"/api/admin/videos{of_site}")],
    }
    workers = [row["worker_id"] for row in every(f"/api/admin/workers{of_site}&bound=false")]
    known = {**listed, "site": site, "contractor": listed["contractors"][0]}
    bound = [row["worker_id"] for row in every(f"/api/admin/workers{of_site}&bound=true")]
    made, days = tickets(known, bound + workers[:20])
    accounts = []
    for number in range(8):
        body = {
            "username": f"api-test-{number}",
            "password": PASSWORD,
            "role": "ContractorAdmin" if number % 2 else "Auditor",
            "site_ids": [site],
            "contractor_id": known["contractor"] if number % 2 else None,
        }
        accounts.append(make("/api/admin/accounts", body, "account_id"))
    return site, {
        "ticket_id": made,
        "daily_ticket_id": days,
        "worker_id": workers,
        "site": [site],
        "site_id": [make("/api/admin/sites", {"name": f"备用工地{n}"}, "site_id") for n in range(2)],
        "contractor_id": listed["contractors"],
        "area_id": listed["areas"],
        "video_id": listed["videos"],
        "account_id": accounts,
        "reading_id": [row["reading_id"] for row in every(f"/api/admin/workers/sync{of_site}")],
    }


admin = sign_in()
worker = enter()
site, known = ids()
dictionaries = "".join(
    f"[dictionaries.{name}]\nvalues = {json.dumps(values)}\n\n" for name, values in known.items()
)
IN_BODIES = {
    "area_ids[*]": "area_id",
    "worker_ids[*]": "worker_id",
    "video_ids[*]": "video_id",
    "site_ids[*]": "site",
    "site_id": "site",
    "contractor_id": "contractor_id",
    "daily_ticket_id": "daily_ticket_id",
    "video_id": "video_id",
}
often = [(f"path.{name}", name) for name in known if name != "site"]
often += [(f"body.{field}", name) for field, name in IN_BODIES.items()]
# Not always: what is not there is asked for too.
parameters = "".join(
    f'"{key}" = {{ dictionary = "{name}", probability = 0.8 }}\n' for key, name in often
)
with open(FILE, "w", encoding="utf-8") as file:
    file.write(f"""base-url = "{GATEWAY}"
request-timeout = 20.0

[reports]
directory = "{FILE}.reports"

[generation]
database = "none"

[checks]
enabled = false
not_a_server_error.enabled = true
status_code_conformance.enabled = true
content_type_conformance.enabled = true
response_headers_conformance.enabled = true
response_schema_conformance.enabled = true
ignored_auth.enabled = true

[parameters]
"query.site_id" = "{site}"
{parameters}
{dictionaries}
# It ends the sign-in that everything else is asked with.
[[operations]]
include-path-regex = "/auth/(logout|password)$"
enabled = false

# Bytes of files, by a signed address.
[[operations]]
include-path-regex = "^/api/media/"
enabled = false

[[operations]]
include-path-regex = "^/api/admin/"
headers = {{ Authorization = "Bearer {admin}" }}

[[operations]]
include-path-regex = "^/api/mp/"
headers = {{ Authorization = "Bearer {worker}" }}
""")
