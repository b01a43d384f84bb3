"""The page's server: loopback only, a port and a token of its own, ended by Ctrl-C."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.server import Server
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

from ..errors import PageError

HOST = "127.0.0.1"


def serve(
    make: Callable[[Any], None], *, port: int = 0, title: str = "xasuite explore"
) -> tuple[Server, str]:
    """Start serving; gives the server (call `run_until_shutdown`) and the address with its token.

    Parameters
    ----------
    make : callable
        Puts a new page into a document; called for each tab that is opened.
    port : int
        0 takes a free one.

    Raises
    ------
    PageError
        The port is taken.
    """

    def document(doc: Any) -> None:
        doc.title = title
        make(doc)

    token, port = secrets.token_urlsafe(16), port or _free_port()
    try:
        server = Server(
            {"/": Application(FunctionHandler(document))}, port=port, address=HOST, auth_provider=_Token(token),
            allow_websocket_origin=[f"{HOST}:{port}", f"localhost:{port}"], num_procs=1,
        )  # fmt: skip
    except OSError as exc:
        raise PageError(
            f"port {port} of this machine cannot be used ({exc.strerror}); leave --port out to get a free one"
        ) from None
    server.start()
    return server, f"http://{HOST}:{port}/?token={token}"


@contextmanager
def serving(make: Callable[[Any], None], *, port: int = 0, title: str) -> Iterator[str]:
    """Serve in a thread of its own, for as long as the context lasts; gives the address."""
    started: Future[tuple[Server, str]] = Future()

    def run() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        try:
            started.set_result(serve(make, port=port, title=title))
        except PageError as exc:
            started.set_exception(exc)
            return
        started.result()[0].io_loop.start()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    server, address = started.result()
    try:
        yield address
    finally:
        server.io_loop.add_callback(server.io_loop.stop)
        thread.join(10)


def _free_port() -> int:
    """A port that is free now; Bokeh wants to know it before it starts, for its check of origins."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class _Refused(RequestHandler):
    """What a request without the token gets."""

    def get(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain")
        self.finish("The address lacks its token. Open the address that xasuite explore printed.")


class _Token(AuthProvider):
    """Lets in who brings the token in the address, and remembers him by a cookie."""

    login_url, login_handler = "/refused", _Refused
    get_user_async = get_login_url = logout_url = logout_handler = None

    def __init__(self, token: str) -> None:
        self._token = token
        super().__init__()

    def get_user(self, handler: Any) -> str | None:
        """Who sends a request, None where it lacks the token."""
        given = handler.get_argument("token", "") or handler.get_cookie("xasuite-token", "")
        if not secrets.compare_digest(str(given), self._token):
            return None
        if isinstance(handler, WebSocketHandler):
            # Bokeh writes a message in pieces, which Nagle's algorithm would hold back for 40 ms
            handler.set_nodelay(True)
        else:
            handler.set_cookie("xasuite-token", self._token, httponly=True, samesite="Strict")
        return "reader"
