"""A kiosk in miniature: draws the face of a description for whoever asks over HTTP.

python kiosk.py BUNDLE
curl -G http://127.0.0.1:8080/face --data-urlencode "text=a bald man" -d seed=7 -o face.png
"""

import re
from datetime import datetime, timezone
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, urlsplit

import click
from PIL import Image

from t2f_runtime import FaceGenerator
from t2f_runtime.commands.options import TRUST, read_trusted
from t2f_runtime.errors import ArgumentError, DescriptionError, T2FError
from t2f_runtime.pictures.facts import facts_of
from t2f_runtime.pictures.files import encode_picture

_USAGE = "GET /face?text=DESCRIPTION&seed=NUMBER draws a face; a model without text takes no text"


class FaceServer(ThreadingHTTPServer):
    """Answers every request in a thread of its own.

    Args:
        address: Host and port; port 0 takes any that is free.
        generator: What draws.
    """

    daemon_threads = True

    def __init__(self, address: tuple[str, int], generator: FaceGenerator) -> None:
        super().__init__(address, FaceHandler)
        self.generator = generator


class FaceHandler(BaseHTTPRequestHandler):
    """Draws `GET /face`; tells the usage at `/`, for those who ask whether it is alive."""

    server: FaceServer
    timeout: ClassVar[int] = 30
    """Seconds after which a client that sends nothing is dropped."""

    def do_GET(self) -> None:
        """Answers with a PNG, or with a sentence that says what is wrong."""
        url = urlsplit(self.path)
        if url.path == "/":
            self._answer(HTTPStatus.OK, _USAGE.encode())
        elif url.path != "/face":
            self._answer(HTTPStatus.NOT_FOUND, _USAGE.encode())
        else:
            self._draw(dict(parse_qsl(url.query, keep_blank_values=True)))

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Logs nothing: a description may be of somebody."""

    def _draw(self, query: dict[str, str]) -> None:
        try:
            seed = query.get("seed", "0")
            if re.fullmatch("[0-9]{1,20}", seed) is None:
                raise ArgumentError(f"seed is {seed[:40]!r}; it must be a whole number")
            text, generator = query.get("text"), self.server.generator
            face = generator.generate(text, seed=int(seed))
        except (ArgumentError, DescriptionError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, str(error).encode())
            return
        facts = facts_of(
            generator,
            () if text is None else (text,),
            seed=int(seed),
            index=0,
            count=1,
            time=datetime.now(timezone.utc),
            tells_description=False,
        )
        file = encode_picture(Image.fromarray(face), "PNG", facts.notes())
        self._answer(HTTPStatus.OK, file, kind="image/png")

    def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="IPv4 address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@TRUST
def main(bundle: Path, host: str, port: int, key_files: tuple[Path, ...]) -> None:
    """Draw faces of BUNDLE for whoever asks at http://HOST:PORT/face?text=DESCRIPTION&seed=NUMBER.

    Nobody is asked who they are: leave it on 127.0.0.1, or put something before it that does.
    """
    try:
        generator = FaceGenerator.load(bundle, trusted=read_trusted(key_files))
    except T2FError as error:
        raise click.ClickException(str(error)) from error
    try:
        server = FaceServer((host, port), generator)
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error}") from error
    click.echo(f"draws {bundle} at http://{host}:{port}/face")
    with server:
        server.serve_forever()


if __name__ == "__main__":
    main()
