"""Signs in to a seeded sandbox installation and writes what schemathesis is to know of it.

configure.py GATEWAY SANDBOX PASSWORD FILE
"""

import json
import sys
import urllib.request

GATEWAY, SANDBOX, PASSWORD, FILE = sys.argv[1:]


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


admin = sign_in()
site = call(GATEWAY, "/api/admin/sites", token=admin)["data"]["items"][0]["site_id"]
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
headers = {{ Authorization = "Bearer {enter()}" }}
""")
