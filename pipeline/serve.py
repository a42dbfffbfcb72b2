"""`python -m pipeline.serve MODEL`: a page and an API that ask a bundle."""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Sequence

from features.machine.extras import EXTRAS, lacking, not_installed
from pipeline.command.ending import ended
from pipeline.command.plugins import add_plugins, take_plugins
from pipeline.command.runtime import add_runtime
from pipeline.engine import stopping
from pipeline.engine.progress import say
from pipeline.program.names import called
from pipeline.program.paths import utf8_path
from pipeline.use.bundle import Bundle
from pipeline.use.index.index import Index
from pipeline.use.making import CARD
from pipeline.use.problem import BundleError

LAST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until Ctrl-C, which is how it ends well.

    For other exit codes see pipeline.command.ending.
    """
    options = parser().parse_args(arguments)
    return ended(lambda: _serve(options), (BundleError,))


def _serve(options: argparse.Namespace) -> int:
    take_plugins(options)
    missing = not_installed(EXTRAS["serve"])
    if missing:
        raise BundleError(lacking("serving", missing))
    from pipeline.use.serving.app import app_of
    from pipeline.use.serving.hosts import host_names
    from pipeline.use.serving.server import address, listening, server_of
    from pipeline.use.serving.service import Service

    try:
        bundle = Bundle.load(options.model, options.runtime)
        index = None if options.index is None else _index(options)
        card = options.model / CARD
        text = card.read_text(encoding="utf-8") if card.is_file() else "This model has no card.\n"
        with (
            Service(bundle, text, index=index) as service,
            listening(options.host, options.port) as listener,
        ):
            service.warm_up()
            say(f"{address(listener)} answers; Ctrl-C ends it")
            if not _is_loopback(options.host):
                say("whoever reaches this machine may ask: there is neither password nor TLS")
            app = app_of(service, host_names(options.host, options.allow_host))
            stopping.hand_over()
            server_of(app).run(sockets=[listener])
    except KeyboardInterrupt:
        print("\nended", file=sys.stderr)
    return 0


def _index(options: argparse.Namespace) -> Index:
    """The index that is served, too. Raises BundleError where another model made it."""
    index = Index.load(options.index)
    if not index.files.is_of(options.model):
        raise BundleError(f"{options.index} was made with another model than {options.model}")
    return index


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _port(text: str) -> int:
    try:
        port = int(text)
    except ValueError:
        port = -1
    if not 0 <= port <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to {LAST_PORT}, not {text}")
    return port


def parser() -> argparse.ArgumentParser:
    """What the command line understands."""
    parser = argparse.ArgumentParser(prog=called("serve"), description=(
        f"Serve a bundle that {called('bundle')} wrote: a page for people, an API for "
        "programs."))
    parser.add_argument("model", type=utf8_path, help="folder of the bundle")
    parser.add_argument("--index", type=utf8_path, metavar="FOLDER",
                        help=f"an index of {called('index')}: the page shows its items that "
                        "are most like the one that is given")
    parser.add_argument("--host", default="127.0.0.1",
                        help="address to listen on (default: %(default)s, this machine alone)")
    parser.add_argument("--port", type=_port, default=8000,
                        help="0 for any that is free (default: %(default)s)")
    parser.add_argument("--allow-host", action="append", default=[], metavar="NAME",
                        help="a further name that requests may use for this server")
    add_runtime(parser)
    add_plugins(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
