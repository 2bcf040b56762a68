"""Tells a user's mistake from a bug in what an experiment has raised."""

from garden.core.errors import StorageError, UserError, user_error_in
from garden.engine.config import Config, explain


def told(error: Exception, config: Config) -> UserError | None:
    """Returns the mistake behind an error in one line, with the settings' places, None for a bug.

    Args:
      error: what building or running the experiment raised.
      config: the configuration.
    """
    mistake = user_error_in(error)
    if mistake is None and isinstance(error, OSError) and error.filename:
        mistake = StorageError(
            f'{error.filename}: {error.strerror}. Mend that, then run the same command again.'
        )
    if mistake is not None:
        return type(mistake)(f'{mistake}{config.places(str(mistake), error)}')
    if isinstance(error, (ValueError, TypeError)) and _constructing(error):
        return UserError(f'{explain(error)}. --debug shows where.')
    return None


def _constructing(error: Exception) -> bool:
    """Whether gin was making a part of the experiment: a value that it was given must be wrong.

    Gin names each call it was in; one of them is always the experiment itself.
    """
    return str(error).count('In call to configurable') > 1
