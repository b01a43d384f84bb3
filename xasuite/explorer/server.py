"""The server of the page: on this machine only (loopback), with a token in its address, ended by Ctrl-C."""

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
    """Start a server; gives it (call its `run_until_shutdown`) and the address with the token.

    Parameters
    ----------
    make : callable
        Puts a new page into a document; called for each tab that is opened.
    port : int
        Port on this machine; 0 takes a free one.
    title : str
        Title of the tab.

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
    """Serve in a thread of its own while the context lasts; gives the address."""
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
    """A free port; Bokeh needs it before it starts, for its check of origins."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class _Refused(RequestHandler):
    """The answer to a request without the token."""

    def get(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain")
        self.finish("The address lacks its token. Open the address that xasuite explore printed.")


class _Token(AuthProvider):
    """Accepts requests with the token in their address, or in the cookie that is set then."""

    login_url, login_handler = "/refused", _Refused
    get_user_async = get_login_url = logout_url = logout_handler = None

    def __init__(self, token: str) -> None:
        self._token = token
        super().__init__()

    def get_user(self, handler: Any) -> str | None:
        """The name of the user of a request; None where it lacks the token."""
        given = handler.get_argument("token", "") or handler.get_cookie("xasuite-token", "")
        if not secrets.compare_digest(str(given), self._token):
            return None
        if isinstance(handler, WebSocketHandler):
            # Bokeh writes a message in pieces, which Nagle's algorithm would hold back for 40 ms
            handler.set_nodelay(True)
        else:
            handler.set_cookie("xasuite-token", self._token, httponly=True, samesite="Strict")
        return "reader"
