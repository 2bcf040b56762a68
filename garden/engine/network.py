"""Whether another machine answers, found out in bounded time."""

import socket

import grpc

from garden.core.errors import UserError


def require_server(address: str, flag: str, seconds: float = 30.0) -> None:
    """Makes sure that a gRPC server answers; TensorFlow itself would wait for one without end.

    Args:
      address: 'host:port'.
      flag: what the user gave, for the message.
      seconds: how long to try.

    Raises:
      UserError: if nothing answers; the message says what happens instead.
    """
    host, _, port = address.rpartition(':')
    place = (host.strip('[]'), port)
    try:
        socket.getaddrinfo(*place)
    except OSError as error:
        raise UserError(
            f'{flag}: {host} is no host that this machine knows ({error.strerror}).'
        ) from error
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError as error:
            raise UserError(
                f'{flag}: nothing answers at {address} within {seconds:.0f} seconds '
                f'({_what_happens(place)}). Is it running, is that its address, and may this '
                'machine reach it?'
            ) from error


def _what_happens(place: tuple[str, str]) -> str:
    """Returns what becomes of a plain connection, where one for gRPC does not come about."""
    try:
        with socket.create_connection(place, timeout=5.0):
            return 'it takes connections, but no gRPC server speaks'
    except TimeoutError:
        return 'no reply at all'
    except OSError as error:
        return (error.strerror or str(error)).lower()
