"""The way to a cluster by its address or its name: bounded, and with a reason where there is none."""

import contextlib
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbdist_cluster.errors import CertificateError, ClusterError, SettingError
from gbdist_cluster.launch import records
from gbdist_cluster.launch.certificates import security_for, security_of

if TYPE_CHECKING:
    from distributed import Client, Security

__all__ = ["Place", "locate", "open_client"]

_FIRST_WORD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a cluster's scheduler is, and what it takes to be let in."""

    address: str
    security: "Security | None"
    name: str = ""
    """Of a cluster that has a record."""


def locate(scheduler: str, tls: str | Path | None = None) -> Place:
    """The scheduler at an address, or of the cluster of a name; ``tls`` is a folder of certificates, for an address.

    Raises
    ------
    ClusterError
        If no cluster has the name, or it does not run; ``CertificateError`` if certificates are of no use.
    SettingError
        If certificates are given for a cluster that has its own, or for an address without TLS, or not where they are needed.
    """
    if ":" not in scheduler:
        return _place_of(scheduler, tls)
    address = scheduler if "://" in scheduler else f"{'tls' if tls else 'tcp'}://{scheduler}"
    if tls is None:
        return Place(address, None)
    if not address.startswith("tls://"):
        fix = f"Write --scheduler tls://{address.partition('://')[2]}, or leave out --tls."
        raise SettingError("--scheduler", scheduler, "an address that begins with tls://, as --tls is given", fix)
    return Place(address, security_of(Path(tls), client_only=True))


def _place_of(name: str, tls: str | Path | None) -> Place:
    record = records.find(name)
    if tls is not None:
        raise SettingError(
            "--tls", str(tls), f"an address with it; the cluster {name!r} has its own certificates", "Leave out --tls."
        )
    if not records.is_alive(record):
        raise ClusterError(
            f"The cluster {name!r} does not run any more: its keeper, process {record.pid}, is gone",
            f"See {record.log} for why; start it again with: gbdist cluster up {name}",
        )
    if not record.scheduler:
        raise ClusterError(f"The cluster {name!r} is still being started", f"See: gbdist cluster status {name}")
    security = security_for(record.certificates, client_only=True)
    return Place(record.scheduler, security, name)


def open_client(place: Place, seconds: float) -> "Client":
    """A client of a scheduler, which is never the default one.

    Raises
    ------
    ClusterError
        If it does not answer within ``seconds``; ``CertificateError``, at once, if it is reached but one side refuses
        the other's certificate.
    """
    from gbdist_cluster.clients import new_client

    _check_handshake(place, seconds)
    try:
        return new_client(place.address, timeout=seconds, set_as_default=False, security=place.security)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {place.address} ({_first_line(error)})", _way_out(place)
        ) from error


def _way_out(place: Place) -> str:
    if place.name:
        return (
            f"See what it says: gbdist cluster logs {place.name}; or start it anew: gbdist cluster down {place.name}."
        )
    return "Check the address and that the scheduler runs, or leave out --scheduler to start workers here."


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _check_handshake(place: Place, seconds: float) -> None:
    """Raise a ``ClusterError`` if somebody takes the connection, but the handshake cannot succeed.

    Dask itself would try again until its time is over where certificates do not fit, and then say no more than that; and
    where somebody takes the connection and never says a word it waits for ever (distributed/comm/core.py, ``connect``).
    Whoever takes no connection is left to Dask, which waits for it: it may be about to start.
    """
    protocol, _, rest = place.address.partition("://")
    host, _, port = rest.rpartition(":")
    if protocol not in ("tcp", "tls") or not port.isdigit():
        return
    where = (host.strip("[]"), int(port))
    with contextlib.suppress(ConnectionError, socket.gaierror, TimeoutError):
        sock = socket.create_connection(where, timeout=seconds)
        with sock:
            try:
                if protocol == "tcp":
                    _check_plain(sock, where, place)
                else:
                    _check_encrypted(sock, place)
            except TimeoutError as problem:
                what = f"somebody takes connections at {place.address}, but does not answer within {seconds:g} s"
                raise ClusterError(what, _way_out(place)) from problem


def _check_plain(sock: socket.socket, where: tuple[str, int], place: Place) -> None:
    """A plain scheduler speaks first; one that encrypts waits for us to."""
    seconds = sock.gettimeout()
    sock.settimeout(min(_FIRST_WORD_SECONDS, seconds or _FIRST_WORD_SECONDS))
    with contextlib.suppress(TimeoutError):
        sock.recv(1)
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        contextlib.suppress(ssl.SSLError, OSError),
        socket.create_connection(where, timeout=_FIRST_WORD_SECONDS) as other,
        context.wrap_socket(other),
    ):
        raise CertificateError(
            f"the scheduler at {place.address} takes encrypted connections only",
            "Write tls:// instead of tcp://, and add --tls with the folder of its certificates.",
        )
    sock.settimeout(seconds)
    sock.recv(1)


def _check_encrypted(sock: socket.socket, place: Place) -> None:
    """With TLS 1.3 a client hears only after the handshake, by reading, that its certificate was refused."""
    if place.security is None:
        raise CertificateError(
            f"{place.address} takes encrypted connections only, and there are no certificates",
            "Add --tls with the folder of the cluster's certificates.",
        )
    context: Any = place.security.get_connection_args("client")["ssl_context"]
    try:
        with context.wrap_socket(sock) as encrypted:
            encrypted.recv(1)
    except ssl.SSLCertVerificationError as problem:
        raise CertificateError(
            f"the certificate of the scheduler at {place.address} is not one of our authority ({problem.verify_message})",
            "Take the folder of certificates that this cluster was started with.",
        ) from problem
    except ssl.SSLError as problem:
        if problem.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_MESSAGE"):
            what = f"the scheduler at {place.address} does not encrypt"
            raise CertificateError(what, "Write tcp:// instead of tls://, without --tls.") from problem
        raise CertificateError(
            f"the scheduler at {place.address} refuses our certificate ({problem.reason or problem})",
            "Take the folder of certificates that this cluster was started with.",
        ) from problem
