"""The page's server: loopback only, a port and a token of its own, ended by Ctrl-C."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from typing import Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.auth_provider import AuthProvider
from bokeh.server.server import Server
from tornado.web import RequestHandler
from tornado.websocket import WebSocketHandler

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
    """

    def document(doc: Any) -> None:
        doc.title = title
        make(doc)

    token, port = secrets.token_urlsafe(16), port or _free_port()
    server = Server(
        {"/": Application(FunctionHandler(document))}, port=port, address=HOST, auth_provider=_Token(token),
        allow_websocket_origin=[f"{HOST}:{port}", f"localhost:{port}"], num_procs=1,
    )  # fmt: skip
    server.start()
    return server, f"http://{HOST}:{port}/?token={token}"


def _free_port() -> int:
    """A port that is free now; Bokeh wants to know it before it starts, for its check of origins."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class _Token(AuthProvider):
    """Lets in who brings the token in the address, and remembers him by a cookie."""

    def __init__(self, token: str) -> None:
        self._token = token
        super().__init__()

    @property
    def get_user(self) -> Callable[[Any], str | None]:
        def user(handler: Any) -> str | None:
            given = handler.get_argument("token", "") or handler.get_cookie("xasuite-token", "")
            if not secrets.compare_digest(str(given), self._token):
                return None
            if not isinstance(handler, WebSocketHandler):
                handler.set_cookie("xasuite-token", self._token, httponly=True, samesite="Strict")
            return "reader"

        return user

    @property
    def get_user_async(self) -> None:
        return None

    @property
    def login_url(self) -> str:
        return "/refused"

    @property
    def get_login_url(self) -> None:
        return None

    @property
    def login_handler(self) -> type[RequestHandler]:
        return _Refused

    @property
    def logout_url(self) -> None:
        return None

    @property
    def logout_handler(self) -> None:
        return None


class _Refused(RequestHandler):
    """What a request without the token gets."""

    def get(self) -> None:
        self.set_status(403)
        self.set_header("Content-Type", "text/plain")
        self.finish("The address lacks its token. Open the address that xasuite explore printed.")
