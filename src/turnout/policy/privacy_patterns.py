"""What secrets look like, kind by kind, after the documentation of those who issue them.

Every pattern is matched at one place only: where its marker stands, four bytes that the kind cannot do without (see
`privacy`). Quantifiers are bounded and runs are entered at their beginning only, so no text takes longer than linear.
Patterns work on UTF-8 bytes. Examples from documentation (AKIAIOSFODNN7EXAMPLE) and placeholders are no secrets.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

_ALNUM: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_PLACEHOLDER: Final = re.compile(
    rb"(?i)example|sample|changeme|change-me|placeholder|dummy|redacted|your|insert|replace|todo|xxxx|\*\*\*|\.\.\.|0000000"
    rb"|123456789|abcdefgh|password|passwd|secret$|<|\$\{|\{\{|%\(|%s"
)


def is_placeholder(value: bytes) -> bool:
    """Whether a value stands where a secret would: an example, a template's variable, a row of stars."""
    return _PLACEHOLDER.search(value) is not None or len(set(value)) < 5


def entropy_bits(value: bytes) -> float:
    """Shannon entropy of the bytes of a value, times its length: bits in all."""
    size = len(value)
    return -sum(count * math.log2(count / size) for count in Counter(value).values())


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way in which a kind of secret is written.

    `markers` are four bytes, compared without case, that stand `offset` bytes behind where `pattern` begins to match.
    `accepts` decides on a match where the shape alone is not enough.
    """

    kind: str
    markers: tuple[str, ...]
    pattern: re.Pattern[bytes]
    offset: int = 0
    accepts: Callable[[re.Match[bytes]], bool] | None = None


def _real(found: re.Match[bytes]) -> bool:
    return not is_placeholder(found[0])


def _mixed(value: bytes) -> bool:
    """Letters and digits, as made by a machine or a careful person."""
    return re.search(rb"\d", value) is not None and re.search(rb"[A-Za-z]", value) is not None


def _mixed_key(found: re.Match[bytes]) -> bool:
    return _mixed(found[0][3:]) and entropy_bits(found[0]) > 80 and not is_placeholder(found[0])


_CODE: Final = re.compile(rb"[()\[\]{}$<>]|^(?:[A-Za-z_]\w*\.)+[A-Za-z_]\w*$|^(?:os|env|process|config|settings)\b")
_NAME: Final = re.compile(rb"[A-Za-z_]\w*")
_TURNS: Final = re.compile(rb"[A-Za-z](?=\d)|\d(?=[A-Za-z])")
"""Where letters turn to digits or back: a name such as sha256sum has two such places, a made value more."""

_MIN_PASSWORD_BITS: Final = 16.0
"""hunter2 has 19.6, a12345 15.5."""


def _assigned(found: re.Match[bytes]) -> bool:
    """A value that looks made, not a name, a call, a path into a configuration or a word."""
    value = found["quoted"] or found["bare"] or b""
    if not _mixed(value) or _CODE.search(value) or is_placeholder(value):
        return False
    if not found["quoted"] and _NAME.fullmatch(value) and len(_TURNS.findall(value)) < 3:
        return False
    return entropy_bits(value) >= _MIN_PASSWORD_BITS


_COMMON_PASSWORDS: Final = frozenset(
    (b"pass", b"pw", b"pwd", b"root", b"admin", b"test", b"guest", b"secret", b"postgres")
)


def _with_password(found: re.Match[bytes]) -> bool:
    user, password = found["user"], found["password"]
    return not (password == user or password.lower() in _COMMON_PASSWORDS or _PLACEHOLDER.search(password))


_DATABASES: Final = (
    rb"postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|sqlserver|oracle|clickhouse|cockroachdb|cassandra|neo4j"
    rb"|bolt|jdbc:\w{2,12}"
)
_LOGIN: Final = rb"://(?P<user>[^\s:/@\"'`<>]{0,64}):(?P<password>[^\s:/@\"'`<>]{3,128})@[\w.\[-]"
_DATABASE_SCHEME: Final = re.compile(rb"(?i)(?:" + _DATABASES + rb")(?:\+\w{2,12})?$")


def _before(found: re.Match[bytes]) -> bytes:
    return found.string[max(0, found.start() - 30) : found.start()]


def _database(found: re.Match[bytes]) -> bool:
    return _DATABASE_SCHEME.search(_before(found)) is not None and _with_password(found)


def _other_url(found: re.Match[bytes]) -> bool:
    return _DATABASE_SCHEME.search(_before(found)) is None and _with_password(found)


_ARMOUR: Final = re.compile(rb"-----BEGIN (?:[A-Z]{2,10} ){0,2}$")


def _armoured(found: re.Match[bytes]) -> bool:
    return _ARMOUR.search(_before(found)) is not None


def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern)


_NO_WORD_BEFORE: Final = rb"(?<![A-Za-z0-9_-])"
_END: Final = rb"(?![A-Za-z0-9_-])"
_ASSIGNED: Final = (
    rb"\w{0,2}[\"']?\s{0,4}(?:=>|:=|==?|:)\s{0,4}(?:[rbf]?[\"'`](?P<quoted>[^\"'`\s]{6,100})[\"'`]"
    rb"|(?P<bare>[^\"'`\s,;)=:]{8,100}={0,2}))"
)

PATTERNS: Final[tuple[Pattern, ...]] = (
    # RFC 7468 and OpenSSH: the label, then base64; a label alone, as in code that looks for one, is not a key.
    Pattern(
        "private_key",
        ("te k",),
        _compiled(rb"PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,120}?[A-Za-z0-9+/]{40}"),
        offset=5,
        accepts=_armoured,
    ),
    # AWS IAM, "Understanding unique ID prefixes".
    Pattern(
        "aws_key",
        ("akia", "asia", "abia", "acca"),
        _compiled(rb"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])"),
        accepts=_real,
    ),
    # GitHub, "About authentication to GitHub": token formats.
    Pattern(
        "github_token",
        ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
        _compiled(_NO_WORD_BEFORE + rb"gh[pousr]_[A-Za-z0-9]{36,251}(?![A-Za-z0-9])"),
        accepts=_real,
    ),
    Pattern(
        "github_token",
        ("b_pa",),
        _compiled(_NO_WORD_BEFORE + rb"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}(?![A-Za-z0-9])"),
        offset=5,
        accepts=_real,
    ),
    # GitLab, "Token overview": prefixes.
    Pattern(
        "gitlab_token",
        ("glpa", "gldt", "glrt", "glcb", "glpt", "glft", "glim", "glag", "glso", "glff"),
        _compiled(_NO_WORD_BEFORE + rb"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|ffct)-[\w-]{20,300}"),
        accepts=_real,
    ),
    # Slack, "Token types" and "Incoming webhooks".
    Pattern(
        "slack_token",
        ("xoxb", "xoxp", "xoxa", "xoxr", "xoxs", "xoxe", "xapp"),
        _compiled(_NO_WORD_BEFORE + rb"(?:xox[abeprs](?:\.xox[bp])?|xapp)-\d[\w-]{0,60}-[\w-]{10,300}"),
        accepts=_real,
    ),
    Pattern(
        "slack_token",
        (".sla",),
        _compiled(rb"hooks\.slack\.com/(?:services|workflows)/T[A-Z0-9]{6,14}/[AB][A-Z0-9]{6,14}/[A-Za-z0-9/]{20,60}"),
        offset=5,
        accepts=_real,
    ),
    # Stripe, "API keys" and "Webhook signatures".
    Pattern(
        "stripe_key",
        ("sk_l", "sk_t", "rk_l", "rk_t"),
        _compiled(rb"(?<![A-Za-z0-9])[sr]k_(?:live|test)_[A-Za-z0-9]{16,250}"),
        accepts=_real,
    ),
    Pattern("stripe_key", ("whse",), _compiled(_NO_WORD_BEFORE + rb"whsec_[A-Za-z0-9+/]{32,80}"), accepts=_real),
    # Anthropic, "Admin API": sk-ant-api03-, sk-ant-admin01-, and tokens of its own tools.
    Pattern(
        "anthropic_key",
        ("sk-a",),
        _compiled(_NO_WORD_BEFORE + rb"sk-ant-[a-z]{2,8}\d\d-[\w-]{32,200}"),
        accepts=_real,
    ),
    # OpenAI, "Project API keys" (sk-proj-, sk-svcacct-, sk-admin-), and the older form that compatible servers took over.
    Pattern(
        "openai_key",
        ("sk-p", "sk-s", "sk-a"),
        _compiled(_NO_WORD_BEFORE + rb"sk-(?:proj|svcacct|admin)-[\w-]{20,250}"),
        accepts=_mixed_key,
    ),
    Pattern(
        "openai_key",
        tuple(f"sk-{letter}" for letter in _ALNUM),
        _compiled(_NO_WORD_BEFORE + rb"sk-(?:or-v1-)?[A-Za-z0-9]{32,100}" + _END),
        accepts=_mixed_key,
    ),
    # Google Cloud, "API keys", and OAuth client secrets and access tokens as Google Identity issues them.
    Pattern("google_key", ("aiza",), _compiled(_NO_WORD_BEFORE + rb"AIza[\w-]{35}" + _END), accepts=_real),
    Pattern("google_key", ("gocs",), _compiled(_NO_WORD_BEFORE + rb"GOCSPX-[\w-]{28}" + _END), accepts=_real),
    Pattern("google_key", ("ya29",), _compiled(_NO_WORD_BEFORE + rb"ya29\.[\w-]{40,500}"), accepts=_real),
    # Azure: connection strings of storage, Service Bus and Event Hubs; shared access signatures; Entra client secrets.
    Pattern("azure_key", ("tkey",), _compiled(rb"AccountKey=[A-Za-z0-9+/]{86}=="), offset=6),
    Pattern("azure_key", ("sske",), _compiled(rb"SharedAccessKey=[A-Za-z0-9+/]{43}="), offset=10),
    Pattern("azure_key", ("sig=",), _compiled(rb"(?<=[?&])sig=[A-Za-z0-9%+/]{43,60}(?:%3D|=)(?=&|\s|[\"']|$)")),
    Pattern(
        "azure_key",
        tuple(f"{digit}q~{letter}" for digit in "6789" for letter in _ALNUM + ".-_~"),
        _compiled(rb"(?<![\w.~-])[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}(?![\w~-])"),
        offset=3,
        accepts=_real,
    ),
    # npm, "About access tokens"; PyPI, "Token format" (macaroons, so that all begin alike, for pypi.org and its test).
    Pattern("npm_token", ("npm_",), _compiled(_NO_WORD_BEFORE + rb"npm_[A-Za-z0-9]{36}" + _END), accepts=_real),
    Pattern("pypi_token", ("i-ag",), _compiled(_NO_WORD_BEFORE + rb"pypi-AgE[\w-]{50,300}"), offset=3, accepts=_real),
    # RFC 7519: header and payload are JSON objects, and both begin with {".
    Pattern(
        "jwt",
        tuple(f"eyj{letter}" for letter in _ALNUM),
        _compiled(_NO_WORD_BEFORE + rb"eyJ[\w-]{8,2000}+\.eyJ[\w-]{8,8000}+\.[\w-]{16,1000}"),
    ),
    # RFC 3986 3.2.1: user and password before the host.
    Pattern(
        "database_url", tuple(f"{letter}://" for letter in _ALNUM), _compiled(_LOGIN), offset=-1, accepts=_database
    ),
    Pattern(
        "url_password", tuple(f"{letter}://" for letter in _ALNUM), _compiled(_LOGIN), offset=-1, accepts=_other_url
    ),
    # RFC 6750 and RFC 7617.
    Pattern(
        "authorization",
        ("eare",),
        _compiled(rb"(?i:(?<![a-z])bearer)[ ]{1,4}(?P<quoted>[A-Za-z0-9._~+/-]{20,2000}+)(?P<bare>)"),
        offset=1,
        accepts=_assigned,
    ),
    Pattern(
        "authorization",
        ("asic",),
        _compiled(rb"(?i:(?<=authorization: )basic)[ ]{1,4}(?P<quoted>[A-Za-z0-9+/]{12,400}+=?=?)(?P<bare>)"),
        offset=1,
        accepts=lambda found: not is_placeholder(found["quoted"]),
    ),
    # Assignments of passwords and keys in code, settings and environments; the value must look made.
    Pattern("password", ("swor", "sswd"), _compiled(rb"(?i:sswd|sword)" + _ASSIGNED), accepts=_assigned),
    Pattern("password", ("pwd=", "pwd:", "pwd ", 'pwd"'), _compiled(rb"(?i:pwd)" + _ASSIGNED), accepts=_assigned),
    Pattern("password", ("cret", "oken"), _compiled(rb"(?i:cret|oken)" + _ASSIGNED), accepts=_assigned),
    Pattern(
        "password",  # api_key, access-key, authKey, encryption_key, private_key, secretKey, master_key
        tuple(f"{end}{key}" for end in ("pi", "ss", "th", "on", "te", "et", "er") for key in ("_k", "-k", "ke")),
        _compiled(rb"(?i:(?:pi|ss|th|on|te|et|er)[_-]?key)" + _ASSIGNED),
        accepts=_assigned,
    ),
)
