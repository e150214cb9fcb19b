"""Secrets in prompts: each kind is found, what only looks like it is not, and no text makes the search slow or fail.

No token below was ever issued. They are put together from pieces, so that nobody's search for leaked keys stops here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import random
import string
import time
import uuid
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.config.patterns import bounded_pattern
from turnout.errors import ConfigurationError
from turnout.policy.privacy import KINDS, SecretScanner
from turnout.types import Message, Request, ToolCall

ROOT = Path(__file__).parents[2]
SCANNER = SecretScanner()
CHANCE = random.Random(7)
ALNUM = string.ascii_letters + string.digits


def made(length: int, letters: str = ALNUM) -> str:
    """Letters and digits as a machine makes them: both are there."""
    return "".join(CHANCE.choices(letters, k=length - 2)) + "7" + CHANCE.choice("gkmz")


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = f"{encoded({'alg': 'HS256', 'typ': 'JWT'})}.{encoded({'sub': '1234567890', 'name': 'J'})}.{made(43)}"
ARMOUR = "-----{} {}PRIVATE KEY{}-----"
BODY = "\n".join(made(64, ALNUM + "+/") for _ in range(4))


def key(kind: str = "", block: str = "", body: str = BODY) -> str:
    return f"{ARMOUR.format('BEGIN', kind, block)}\n{body}\n{ARMOUR.format('END', kind, block)}"


FOUND = [
    ("private_key", key("RSA ")),
    ("private_key", key("OPENSSH ")),
    ("private_key", key()),
    ("private_key", key("ENCRYPTED ")),
    ("private_key", key("PGP ", " BLOCK", "Version: GnuPG v2\n\n" + BODY)),
    ("private_key", key("RSA ", "", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,3F17F5316E2BAC89\n\n" + BODY)),
    ("private_key", json.dumps({"private_key": key()})),
    ("aws_key", "AK" + "IA" + made(16, string.ascii_uppercase + "234567").upper()),
    ("aws_key", "key: AS" + "IA" + made(16, string.ascii_uppercase + "234567").upper() + ", region eu-west-1"),
    ("github_token", "gh" + "p_" + made(36)),
    ("github_token", "https://gh" + "s_" + made(36) + "@github.com/a/b.git"),
    ("github_token", "github" + "_pat_" + made(22) + "_" + made(59)),
    ("gitlab_token", "GITLAB=gl" + "pat-" + made(20)),
    ("gitlab_token", "gl" + "rt-" + made(24)),
    ("slack_token", "xo" + f"xb-2871{CHANCE.randrange(10**8)}-39{CHANCE.randrange(10**10)}-" + made(24)),
    ("slack_token", "https://hooks.sl" + "ack.com/services/T0AB12CD3/B0XY98ZW7/" + made(24)),
    ("stripe_key", "sk" + "_live_" + made(24)),
    ("stripe_key", "rk" + "_test_" + made(60)),
    ("stripe_key", "wh" + "sec_" + made(32)),
    ("openai_key", "sk" + "-proj-" + made(80)),
    ("openai_key", "sk" + "-svcacct-" + made(60)),
    ("openai_key", "sk" + "-" + made(20) + "T3Blbk" + "FJ" + made(20)),
    ("openai_key", "sk" + "-or-v1-" + hashlib.sha256(b"a").hexdigest()),
    ("anthropic_key", "sk" + "-ant-api03-" + made(93) + "AA"),
    ("google_key", "AI" + "za" + made(35)),
    ("google_key", "GOC" + "SPX-" + made(28)),
    ("google_key", "ya" + "29." + made(80)),
    ("azure_key", "AccountName=a;Account" + "Key=" + made(86) + "==;EndpointSuffix=core.windows.net"),
    ("azure_key", "Endpoint=sb://a.servicebus.windows.net/;SharedAccess" + "Key=" + made(43) + "="),
    ("azure_key", "https://a.blob.core.windows.net/c?sv=2024-11-04&sp=r&sig=" + made(43) + "%3D"),
    ("azure_key", "abc8Q" + "~" + made(34)),
    ("npm_token", "//npm.example.org/:_authToken=np" + "m_" + made(36)),
    ("pypi_token", "py" + "pi-AgEIcHlwaS5vcmc" + made(120)),
    ("jwt", f"curl -H 'X-Auth: {JWT}'"),
    ("database_url", "postgres://app:" + "Tr0ub4dor" + "@db.internal:5432/app"),
    ("database_url", "mongodb+srv://svc:" + "n9fK2x" + "@cluster0.ab1cd.mongodb.net"),
    ("database_url", "redis://:" + "kd83hs" + "@10.0.0.3:6379/0"),
    ("database_url", "postgresql+asyncpg://u:" + "pa55wd9" + "@[::1]/x"),
    ("url_password", "git clone https://bob:" + "hunter2" + "@git.corp.net/x.git"),
    ("authorization", "Authorization: Bear" + "er " + made(40)),
    ("authorization", "curl -H 'Authorization: Bas" + "ic " + base64.b64encode(b"bob:hunter2").decode() + "'"),
    ("password", 'password = "hunt' + 'er2"'),
    ("password", "DB_PASSWORD=Tr0ub4" + "dor&3"),
    ("password", '"client_secret": "' + made(24) + '"'),
    ("password", "api_key: '" + made(32) + "'"),
    ("password", "const apiKey = `" + made(32) + "`;"),
    ("password", "AWS_SECRET_ACCESS_KEY=" + made(40)),
    ("password", "Server=db;User Id=sa;Pwd=" + "Zx81!qpm" + ";"),
    ("password", "token: " + hashlib.sha1(b"b").hexdigest()),
    ("credit_card", "card 4539 1488 0343 6467 exp 12/27"),
    ("credit_card", "5424180279791732"),
    ("credit_card", "amex 3714-496353-98456"),
    ("iban", "please pay to DE44 5001 0517 5407 3249 31 today"),
    ("iban", "FR1420041010050500013M02606"),
    ("iban", "NL91ABNA0417164300"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_each_kind_is_found_alone_and_in_the_middle_of_a_prompt(kind: str, text: str) -> None:
    assert kind in SCANNER.scan(text)
    assert kind in SCANNER.scan(f"Please help me with this config:\n\n{text}\n\nIt fails on line 3.")
    assert kind in SCANNER.scan(f"{'ünïcödé 漢字 ' * 3000}{text} {'word ' * 3000}")


def test_every_kind_has_a_test() -> None:
    assert {kind for kind, _ in FOUND} == set(KINDS)


ORDINARY = [
    "AKIAIOSFODNN7EXAMPLE is the key of the AWS documentation",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    f"commit {hashlib.sha1(b'x').hexdigest()} by bob",
    f"sha256:{hashlib.sha256(b'x').hexdigest()}",
    str(uuid.UUID(int=CHANCE.getrandbits(128))),
    "data:image/png;base64," + base64.b64encode(CHANCE.randbytes(3000)).decode(),
    f'"integrity": "sha512-{base64.b64encode(CHANCE.randbytes(64)).decode()}"',
    'if "-----BEGIN PRIVATE' + ' KEY-----" in text: raise ValueError("private key in prompt")',
    "-----BEGIN CERTIFICATE-----\n" + BODY + "\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\n" + BODY + "\n-----END PUBLIC KEY-----",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + made(43) + " bob@host",
    "our tokens begin with ghp_ or github_pat_, those of GitLab with glpat-",
    "ghp_" + "x" * 36,
    "ghp_" + made(20),
    "sk-your-key-here and sk-ant-api03-your-key",
    "the task-list-with-a-very-long-name-that-goes-on-and-on-for-ever-in-kebab-case",
    "risk-management-and-disk-encryption-recommendations-for-2026-and-beyond",
    "sk_live_your_key_here",
    "xoxb-your-token",
    "AIzaSy is how Google keys begin",
    "eyJhbGciOiJIUzI1NiJ9 is a header",
    "eyJ0eXAi.eyJzdWIi.short",
    "password = os.environ['DB_PASSWORD']",
    "password = getpass.getpass()",
    "password: string; // at least 8 characters",
    "password: ${DB_PASSWORD1}",
    'password = "<your password 1>"',
    'password: "changeme123"',
    "password = settings.DATABASE2.PASSWORD",
    "token = request.headers['x-token-2']",
    "token = tokens_2024",
    "secret = sha256sum",
    'api_key = "YOUR_API_KEY_1"',
    "max_tokens: 4096, token_count = 128000",
    "tokens per second: 123.45",
    "key: value1234",
    "the password is wrong: login fails since 2024-01-01",
    "the secretary: meeting1 at 10",
    "const passwordRegex = /^(?=.*[0-9])(?=.*[a-z]).{8,32}$/",
    "postgres://postgres:postgres@localhost:5432/test",
    "postgres://user:password@host/db",
    "postgres://app@db.internal/app",
    "postgres://$USER:$PASS@db/app".replace("$PASS", "${PASS}"),
    "https://example.com:8443/path@2x.png",
    "http://localhost:3000/a:b@c",
    "see https://docs.python.org/3/library/re.html#re.Pattern.match",
    "ssh git@github.com:owner/name.git",
    "Authorization: Bearer <token>",
    "Bearer tokens are described in RFC 6750 and RFC 7617",
    "Basic authentication with a long explanation",
    "4111 1111 1111 1111 and 4242424242424242 are for tests",
    "4539 1488 0343 6468 has a wrong check digit",
    "1700000000000 1700000000001 1700000000002",
    "pi is 3.14159265358979323846264338327950288",
    "order 20260101123456789012, invoice 0000000000000000",
    "8888 8888 8888 8888",
    "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22",
    "DE89 3704 0044 0532 0130 00 is the IBAN of the documentation",
    "DE45 5001 0517 5407 3249 31 has wrong check digits",
    "A1B2 1234 5678 9012 3456",
    "+49 30 1234567890123",
    "sig=abc&sigma=1.0",
    "Account" + "Key=UseDevelopmentStorage",
    "",
    "a",
    "ab",
    "abc",
    "abcd",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_what_only_looks_like_a_secret_is_left_alone(text: str) -> None:
    assert SCANNER.scan(text) == ()
    assert SCANNER.scan(f"first line\n{text}\nlast line") == ()


def test_ordinary_code_and_prose_hold_no_secrets() -> None:
    with (ROOT / "data" / "prompts.jsonl").open(encoding="utf-8") as lines:
        prompts = [json.loads(line)["prompt"] for line in lines]
    found = [prompt for prompt in prompts if SCANNER.scan(prompt)]
    assert len(found) <= 3, found
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "src").rglob("*.py"))]
    assert sum(bool(SCANNER.scan(source)) for source in sources) <= len(sources) // 50


def test_several_kinds_are_named_in_a_fixed_order_and_once() -> None:
    text = "\n".join(text for _, text in reversed(FOUND))
    assert SCANNER.scan(text + text) == KINDS


def test_nothing_of_what_was_found_is_told_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for _, text in FOUND:
            assert set(SCANNER.scan(text)) <= set(KINDS)
    assert not caplog.records


def test_all_messages_of_a_request_are_looked_at() -> None:
    secret = FOUND[9][1]
    call = ToolCall("1", "run", json.dumps({"env": secret}))
    assert SCANNER.scan_request(Request.of(secret)) == ("github_token",)
    assert SCANNER.scan_request(Request((Message("system", secret), Message("user", "hi")))) == ("github_token",)
    assert SCANNER.scan_request(Request((Message("assistant", "", tool_calls=(call,)),))) == ("github_token",)
    assert SCANNER.scan_request(Request((Message("user", "hi"), Message("assistant", "hi")))) == ()


def test_the_part_that_is_looked_at_is_bounded() -> None:
    scanner = SecretScanner(max_characters=1000)
    assert scanner.scan("x" * 900 + " " + FOUND[9][1]) == ("github_token",)
    assert scanner.scan("x" * 1000 + " " + FOUND[9][1]) == ()


@pytest.mark.parametrize("place", range(0, 70_000, 4_097))
def test_a_secret_is_found_wherever_it_stands(place: int) -> None:
    text = "z" * place + " " + FOUND[9][1] + " " + "z" * 20_000
    assert SCANNER.scan(text) == ("github_token",)


@pytest.mark.parametrize("edge", range(1 << 14, (1 << 14) + 8))
def test_a_marker_across_the_edge_of_two_blocks_is_found(edge: int) -> None:
    text = " " * (edge - 6) + FOUND[9][1] + " "
    assert SCANNER.scan(text) == ("github_token",)


HOSTILE = [
    "eyJheyJh", "eyJhbbbbbbbbb.eyJhbbbbbbbb.", "PRIVATE KEY-----", ARMOUR.format("BEGIN", "", ""), "token='a1", "token=>>>>",
    "token=a1b2c3d4e5f6g7h8", "password:password:", "a://a:", "postgres://a:b", "4", "4539 ", "4539-1488-0343-6468-", "sk-a",
    "sk-", "DE89 ", "1 ", "AKIA", "ghp_", "github_pat_", "Bearer a1b2", "Basic ", "sword    =    ", "0", "xoxb-1-", "8Q~", "eyJ",
    "npm_", "-", "\ud800", "密码", "\0", "pypi-AgE", "hooks.slack.com/services/T", "ya29.", "key=", "apikey", "=", "'", '"',
]  # fmt: skip


@pytest.mark.parametrize("piece", HOSTILE)
def test_time_grows_linearly_with_hostile_text(piece: str) -> None:
    text = (piece * (200_000 // len(piece) + 1))[:200_000]
    started = time.perf_counter()
    SCANNER.scan(text)
    assert time.perf_counter() - started < 2.0


def test_an_ordinary_prompt_takes_microseconds() -> None:
    text = ("Please review this change of the token refresh in auth/session.py; it fails for 3 users. " * 30)[:2000]
    for prompt, limit_s in ((text, 300e-6), (text * 100, 30e-3)):
        times = []
        for _ in range(30):
            started = time.perf_counter()
            assert SCANNER.scan(prompt) == ()
            times.append(time.perf_counter() - started)
        assert min(times) < limit_s


@given(
    st.text() | st.lists(st.sampled_from([*HOSTILE, *(text for _, text in FOUND), " ", "\n", "@h", "://"])).map("".join)
)
@settings(deadline=None)
def test_no_text_makes_the_search_fail(text: str) -> None:
    found = SCANNER.scan(text)
    assert set(found) <= set(KINDS) and len(set(found)) == len(found)


@given(st.binary(max_size=300))
def test_no_bytes_make_the_search_fail(raw: bytes) -> None:
    SCANNER.scan(raw.decode("latin-1"))
    SCANNER.scan(raw.decode("utf-8", "surrogateescape"))


OWN = {
    "project": r"(?i)project\s+(falcon|eagle)",
    "ticket": r"\bACME-\d+\b",
    "employee": r"\b\d{3}-\d{2}-\d{4}\b",
    "colleague": r"[\w.+-]+@corp\.acme\.com",
    "range": r"internal\s*-\s*\w+",
}


@pytest.mark.parametrize(
    ("name", "text", "near_miss"),
    [
        ("project", "what about Project  Falcon?", "project falconry".replace("falcon", "hawk")),
        ("ticket", "see ACME-12345", "see ACME-x"),
        ("employee", "123-45-6789", "1234-45-6789"),
        ("colleague", "write to ann.o@corp.acme.com", "write to ann@corp-acme.com"),
        ("range", "internal - only", "internal only"),
    ],
)
def test_own_patterns_are_found_by_their_name(name: str, text: str, near_miss: str) -> None:
    scanner = SecretScanner(OWN)
    assert scanner.scan(text) == (name,)
    assert scanner.scan(near_miss) == ()
    assert scanner.kinds == (*KINDS, *OWN)


def test_a_repetition_without_bound_gets_one() -> None:
    pattern = bounded_pattern(r"ACME-\d+x*\+[+*]+")
    assert pattern.pattern == r"ACME-\d{1,100}x{0,100}\+[+*]{1,100}"
    assert pattern.search("ACME-" + "1" * 100 + "+*")
    assert not pattern.search("ACME-" + "1" * 101 + "+*")


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (r"(a+)+$", "could take long"),
        (r"(a|a)*b", "could take long"),
        (r"(a|aa){1,40}c", "could take long"),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "could take long"),
        (r"\w+\s*\w+\s*\w+!", "could take long"),
        (r".*.*x", "could take long"),
        (r"(((((x+)+)+)+)+)+y", "could take long"),
        (r"(x{1,60000}){1,60000}y", "could take long"),
        (r"(\d+)\1", "could take long"),
        (r"(?P<a>x)(?(a)y|z)", "could take long"),
        (r"x{2,}", "write {2,100}"),
        (r"a*", "matches the empty text"),
        (r"", "1 to 500"),
        ("x" * 501, "1 to 500"),
        (r"(", "no regular expression"),
        (r"[z-a]", "no regular expression"),
        (r"[[a]]", "no regular expression"),
    ],
)
def test_own_patterns_that_could_hurt_are_refused_with_their_name(pattern: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        SecretScanner({"mine": pattern})
    assert told in str(refused.value) and "'mine'" in str(refused.value)


def test_an_own_pattern_cannot_take_the_name_of_a_kind() -> None:
    with pytest.raises(ConfigurationError, match="take another"):
        SecretScanner({"jwt": "x"})


@pytest.mark.parametrize("pattern", OWN.values())
@pytest.mark.parametrize("piece", ["a", "1", " ", "-", "a.", "internal ", "project ", "ACME-", "12-"])
def test_accepted_patterns_stay_quick_on_hostile_text(pattern: str, piece: str) -> None:
    compiled = bounded_pattern(pattern)
    text = piece * (20_000 // len(piece))
    started = time.perf_counter()
    compiled.search(text)
    assert time.perf_counter() - started < 1.0


ATOMS = st.sampled_from(["a", "b", ".", r"\w", r"\d", r"\s", "[ab]", "[^a]", "a|b", r"\b", "ab", "x"])
SIGNS = st.sampled_from(["", "*", "+", "?", "{1,9}", "*?", "++", "{3}"])
PATTERN = st.recursive(
    st.builds("{}{}".format, ATOMS, SIGNS),
    lambda inner: st.builds("({}){}".format, st.lists(inner, min_size=1, max_size=3).map("".join), SIGNS),
    max_leaves=8,
)


@given(PATTERN | st.text(alphabet="ab()[]{}*+?|\\.^$1,", max_size=20))
@settings(deadline=None, max_examples=300)
def test_any_pattern_is_refused_or_quick(pattern: str) -> None:
    try:
        compiled = bounded_pattern(pattern)
    except ConfigurationError as error:
        assert str(error)
        return
    started = time.perf_counter()
    for text in ("a" * 3000, "ab" * 1500, "a1 " * 1000, "b" * 3000 + "x", " " * 3000):
        compiled.search(text)
    assert time.perf_counter() - started < 1.0
