"""Secrets stay out of what is kept of an error."""

from __future__ import annotations

import pytest

from segue.domain.envelope.limits import ERROR_MESSAGE_CHARACTERS, TRACEBACK_CHARACTERS
from segue.domain.envelope.redaction import format_error, redact, secrets_of

ENVIRONMENT = {
    "OPENAI_API_KEY": "not-a-known-form-1",
    "github_token": "tok en with spaces",
    "DB_PASSWORD": "hunter2-hunter2",
    "DB_PASS": "passpass",
    "MY_SECRET": "hunter2",
    "AWS_CREDENTIALS": "cred-1234",
    "SENTRY_DSN": "https://abc@sentry.example/1",
    "DATABASE_URL": "postgresql://db.example/app",
    "SESSION_COOKIE": "c00kie-value",
    "MULTI_KEY": "line one\nline 'two'",
    "PATH": "/usr/bin",
    "HOME": "/home/somebody",
    "MONKEYS": "seven monkeys",
    "DEBUG_TOKEN": "1",
    "PASSENGERS": "two hundred",
}
HARMLESS = {"/usr/bin", "/home/somebody", "1", "two hundred"}


def test_values_of_variables_with_secret_names_are_secrets() -> None:
    """By name, in any case; short values and other variables are left alone; the longest come first."""
    secrets = secrets_of(ENVIRONMENT)
    assert set(secrets) >= set(ENVIRONMENT.values()) - HARMLESS - {"seven monkeys"}
    assert not set(secrets) & HARMLESS
    assert list(secrets) == sorted(secrets, key=len, reverse=True)


def test_secret_values_are_removed_wherever_they_stand() -> None:
    """As text, inside a repr, and where one secret contains another."""
    secrets = secrets_of(ENVIRONMENT)
    text = redact(
        f"a=tok en with spaces b={ENVIRONMENT['MULTI_KEY']!r} c=hunter2-hunter2, d=hunter2 {ENVIRONMENT['PATH']}",
        secrets,
    )
    assert "hunter2" not in text
    assert "line one" not in text
    assert "two" not in text
    assert "spaces" not in text
    assert "/usr/bin" in text


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("key sk-proj-abcdEFGH1234567890abcd bad", "abcdEFGH1234567890abcd"),
        ("sk-ant-api03-AbCdEf-1234567890_xyz", "AbCdEf-1234567890_xyz"),
        ("rk_live_abcdefghijklmnop1234", "abcdefghijklmnop1234"),
        ("ghp_abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghij"),
        ("github_pat_11ABCDEFG0abcdefghijkl_mnop", "abcdefghij"),
        ("glpat-abcdefghij0123456789", "abcdefghij"),
        ("AKIAIOSFODNN7EXAMPLE", "IOSFODNN7"),
        ("AIzaSyA-1234567890abcdefghijklmnopqrstu", "1234567890abc"),
        ("xoxb-1234567890-abcdefghij", "1234567890"),
        ("hf_abcdefghijklmnopqrstuv", "abcdefghij"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123456_-", "eyJzdWIi"),
        ("Authorization: Bearer abc.def-ghi_jkl012345", "abc.def"),
        ("authorization: 'Basic dXNlcjpwYXNzd29yZA=='", "dXNlcjpw"),
        ("postgresql://app:s3cr3t-pw@db.example:5432/app", "s3cr3t-pw"),
        ("redis://:onlypassword@cache:6379", "onlypassword"),
        ("https://user:p@ss@host/path", "p@ss"),
        ("{'api_key': 'abcdef123456'}", "abcdef123456"),
        ("GET /?access_token=abcdef123456&page=2", "abcdef123456"),
        ('"client_secret": "abcdef-123456"', "abcdef-123456"),
        ("PASSWORD=letmein99", "letmein99"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIabc\n-----END RSA PRIVATE KEY-----", "MIIabc"),
        ("-----BEGIN PRIVATE KEY-----\nMIIcut off here", "MIIcut"),
    ],
)
def test_what_looks_like_a_secret_is_removed(text: str, secret: str) -> None:
    """Keys of known forms, headers, passwords in addresses, and values beside telling names."""
    assert secret in text
    redacted = redact(text)
    assert secret not in redacted
    assert "[redacted]" in redacted


@pytest.mark.parametrize(
    "text",
    [
        "the token is missing",
        "max_tokens=200",
        "task-123 of sk-learn failed",
        "https://docs.example.org/a:b@c",
        "KeyError: 'price'",
        'File "/app/agents.py", line 12, in research',
        "sha256:0123456789abcdef",
        "secret: no",
        "risk-assessment-of-the-whole-portfolio",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """A traceback that has lost its meaning helps nobody."""
    assert redact(text) == text


def test_redacting_twice_changes_nothing() -> None:
    """The mark itself does not look like a secret."""
    once = redact("password: abcdef123 postgresql://a:b@c/d Bearer abcdefghijk", ["abcdef"])
    assert redact(once, ["abcdef"]) == once


def leak(password: str) -> None:
    try:
        raise KeyError(password)
    except KeyError as error:
        raise ConnectionError(f"postgresql://app:{password}@db refused \ud800\0") from error


def caught(password: str) -> BaseException:
    try:
        leak(password)
    except ConnectionError as error:
        return error
    raise AssertionError("leak did not raise")


def test_an_error_is_told_with_its_cause_and_without_secrets() -> None:
    """Kind, message and traceback, the chain of causes included, in text that every store keeps."""
    told = format_error(caught("hunter2-hunter2"), secrets_of(ENVIRONMENT))
    assert told["kind"] == "ConnectionError"
    assert told["message"] == "postgresql://app:[redacted]@db refused \\ud800\\0"
    assert "direct cause" in told["traceback"]
    assert "KeyError: '[redacted]'" in told["traceback"]
    assert "in leak" in told["traceback"]
    assert "hunter2" not in str(told)


def test_long_errors_keep_their_beginning_and_their_end() -> None:
    """The place where it started and the place where it broke are what people look for."""
    told = format_error(ValueError("first " + "x" * 100_000 + " last"))
    assert len(told["message"]) < ERROR_MESSAGE_CHARACTERS + 100
    assert len(told["traceback"]) < TRACEBACK_CHARACTERS + 100
    assert told["message"].startswith("first ")
    assert told["message"].endswith(" last")


def test_a_secret_is_not_cut_in_two_before_it_is_found() -> None:
    """Redaction looks at the whole text, so that no half of a secret survives at the cut."""
    secret = "s" * 40
    text = "x" * (ERROR_MESSAGE_CHARACTERS // 2 - 20) + secret + "y" * ERROR_MESSAGE_CHARACTERS
    assert "sss" not in format_error(ValueError(text), [secret])["message"]


def test_an_error_that_cannot_tell_its_message_is_kept_all_the_same() -> None:
    """A broken `__str__` does not replace the failure that it should tell."""

    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    assert format_error(Broken())["message"] == "the message of the error cannot be read"


@pytest.mark.parametrize(
    "piece", ["x", "a-", "key", "://a", "sk-a-", "eyJaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----"]
)
def test_a_message_of_megabytes_is_no_work(piece: str) -> None:
    """However long and whatever a message repeats, little of it is looked at: no pattern runs away on it."""
    told = format_error(ValueError(piece * (5_000_000 // len(piece))), ["a-secret-of-mine"])
    assert len(told["message"]) < 5_000
    assert "left out" in told["message"] or "redacted" in told["message"]


def test_a_secret_at_the_cut_is_not_kept_by_half() -> None:
    """A secret that lies across the place where a long text is cut does not leave a part of itself."""
    secret = "s3cret-" * 50
    for before in range(900, 1_100, 7):
        told = format_error(ValueError("x" * before + secret + "y" * 100_000), [secret])
        assert "s3cret" not in told["message"]
        assert "s3cret" not in told["traceback"]
