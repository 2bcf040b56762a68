"""Whether another machine answers, found out in bounded time."""

import grpc

from garden.core.errors import UserError


def require_server(address: str, flag: str, seconds: float = 30.0) -> None:
    """Makes sure that a gRPC server answers; TensorFlow itself would wait for one without end.

    Args:
      address: 'host:port'.
      flag: what the user gave, for the message.
      seconds: how long to try.

    Raises:
      UserError: if nothing answers.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=seconds)
        except grpc.FutureTimeoutError as error:
            raise UserError(
                f'{flag}: nothing answers at {address} within {seconds:.0f} seconds. Is it '
                'running, is that its address, and may this machine reach it?'
            ) from error
