"""An error page behind a good status is recognised; a page about errors is left alone."""

from __future__ import annotations

import time

import pytest

from gpuinstance.probes import Category
from gpuinstance.probes.errorpages import error_in

ARTICLE = "Readers often ask how to switch their shop to maintenance mode without losing orders. " * 40

NGINX = (
    "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n"
    "<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.27.0</center>\r\n</body>\r\n</html>\r\n"
)
CLOUDFLARE = (
    "<!DOCTYPE html><!--[if lt IE 7]> <html class='no-js ie6 oldie'> <![endif]--><head>"
    "<title>app.example | 502: Bad gateway</title><style>body{margin:0}</style>"
    "<script>window.failed = 'x > y';</script></head><body><h1><span>Bad gateway</span> <span>Error code 502</span>"
    "</h1><div>Visit cloudflare.com for more information.</div><h2>What happened?</h2><p>"
    + "The web server reported a problem. " * 20
    + "</p></body></html>"
)
HEROKU = (
    "<!DOCTYPE html><html><head><title>Application Error</title></head><body><iframe src='//x'></iframe></body></html>"
)
SHELL = (
    "<!doctype html><html><head><title>Trainer</title><script>"
    "const texts = {500: 'Internal Server Error', 502: 'Bad Gateway'};</script></head><body>"
    "<noscript>Service unavailable without JavaScript</noscript><div id='root'></div></body></html>"
)


@pytest.mark.parametrize(
    ("body", "category", "why"),
    [
        ("Bad Gateway", "badGateway", "a bare notice"),
        ("502 bad gateway\n", "badGateway", "in any case, with a status"),
        ("error: upstream error: connection refused", "badGateway", "a proxy's line"),
        ("Service Temporarily Unavailable", "serviceUnavailable", "another wording"),
        ("The site is in maintenance mode, please come back later.", "serviceUnavailable", "a sentence, but short"),
        ("Internal\n  Server\tError", "serverError", "whatever the white space"),
        (NGINX, "badGateway", "what nginx says"),
        ("\ufeff" + NGINX, "badGateway", "behind a byte order mark"),
        (CLOUDFLARE, "badGateway", "a page with a few hundred words, and the error in its title"),
        (HEROKU, "serverError", "nothing but a title"),
        ("<h1>500 Internal <b>Server</b> Error</h1>" + "<p>Sorry about that.</p>" * 20, "serverError", "split by tags"),
        ("<h1>Bad&nbsp;Gateway</h1>", "badGateway", "with entities"),
        ("<body>service unavailable", "serviceUnavailable", "unfinished HTML"),
        ('{"error": "Bad Gateway"}', "badGateway", "JSON with an error"),
        ('{"error": {"code": 503, "message": "The service unavailable now"}}', "serviceUnavailable", "and nested"),
        ('{"errors": [{"title": "internal server error"}]}', "serverError", "and as a list"),
        ('{"message": "Internal Server Error.", "code": 500}', "serverError", "a message that is nothing else"),
        ('{"status": "503 Service Unavailable"}', "serviceUnavailable", "but for its number"),
    ],
)
def test_error_pages(body: str, category: str, why: str) -> None:
    """Short and speaking of nothing else: it is an error page."""
    found = error_in(body.encode())
    assert found is not None, why
    assert found[1] == category


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("", "nothing at all"),
        ("ok", "a healthy application"),
        (ARTICLE, "an article in plain text"),
        (f"<title>Maintenance mode</title><h1>Maintenance mode</h1><p>{ARTICLE}</p>", "an article about it"),
        (f"<title>502 Bad Gateway - an encyclopedia</title>{ARTICLE}", "an article about an error"),
        (
            "<title>Blog</title><h1>Hello</h1><p>How we got rid of a bad gateway, part one." + "<p>More. " * 40,
            "in passing",
        ),
        (SHELL, "texts in a script of a page that is drawn by it"),
        ("maintenance mode: off", "a setting that says no"),
        ("Maintenance mode is disabled", "the same in words"),
        ("reverseproxy errors: 0", "parts of words"),
        ("uptime 3 days, 0 application errors", "another word"),
        ('{"status": "ok", "maintenance mode": false}', "a key of JSON is no text"),
        ('{"status": "ok", "message": "maintenance mode is off"}', "a message that says no"),
        ('{"message": "no internal server error since Monday"}', "a message that says more"),
        ('{"error": null, "errors": [], "status": "ok"}', "no error"),
        ('{"notes": "bad gateway"}', "a text that is not about the answer"),
        ('["bad gateway"]', "data"),
        ("\x00\xff\xfe bad\x00gateway", "no text"),
    ],
)
def test_healthy_pages(body: str, why: str) -> None:
    """Long, or speaking of something else, or denying it: it is no error page."""
    assert error_in(body.encode("utf-8", errors="surrogateescape")) is None, why


def test_patterns_of_the_user_obey_the_same_rule() -> None:
    """They extend the list, as phrases, with whatever characters."""
    patterns = ["model not loaded", "OOM (42)", " "]
    assert error_in(b"Model not  loaded.", patterns=patterns) == ("model not loaded", Category.SERVER_ERROR)
    assert error_in(b'{"status": "model not loaded"}', patterns=patterns) is not None
    assert error_in(b"<h1>oom (42)</h1>", patterns=patterns) is not None
    assert error_in(f"{ARTICLE} model not loaded".encode(), patterns=patterns) is None
    assert error_in(b'{"status": "error 7"}', patterns=["42"]) is None


REPEATED = ("<", "<a>", "<!--", "<script>", "[", '{"error":', "<title", "<title>", "bad ", "</", "&amp", "\u0130<b>")


@pytest.mark.parametrize("body", [text * (65_536 // len(text)) for text in REPEATED], ids=REPEATED)
def test_hostile_bodies_take_no_time(body: str) -> None:
    """A body is read in the operator's only thread: 64 KiB of anything are looked through at once."""
    started = time.process_time()
    error_in(body.encode()[:65_536])
    assert time.process_time() - started < 0.2
