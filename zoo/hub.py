"""The Hub, through its own client: files of a repository, and one line for each way to fail."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

from .errors import CheckpointError, MisuseError, one_line
from .files import storage_errors

_SIGN_IN = "log in with `hf auth login`, or set HF_TOKEN, as somebody who may"
_TRY_LATER = "try again later; what has arrived is kept"

#: What helps against each answer of the Hub; other answers are of 500 and above.
_REMEDIES = {
    401: _SIGN_IN,
    403: _SIGN_IN,
    404: "check the repository, the revision and the name",
    429: "wait some minutes and try again, or log in with `hf auth login` to be granted more",
}


def fetch(repo_id: str, file: str, *, revision: str | None, **options: Any) -> Path:
    """Path of a file of a Hub repository, in the cache of huggingface_hub.

    Nobody is asked for what the cache holds of a commit. A connection that is cut is taken up
    where it broke; `options` are those of `hf_hub_download`. Raises CheckpointError.
    """
    from huggingface_hub import hf_hub_download

    what = f"{file} of {repo_id}" + (f" at {revision[:12]}" if revision else "")
    with hub_errors(f"{what} could not be fetched"):
        return Path(hf_hub_download(repo_id, file, revision=revision, **options))


def discard(file: Path) -> None:
    """Remove a file from the cache of huggingface_hub: the link, and the content behind it.

    Raises StorageError.
    """
    with storage_errors(file):
        content = file.resolve()
        file.unlink(missing_ok=True)
        content.unlink(missing_ok=True)


@contextmanager
def hub_errors(failure: str) -> Iterator[None]:
    """Turn what the client raises into one line; around calls of the client and nothing else.

    Raises CheckpointError, or MisuseError for the name of a repository that cannot be.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import HFValidationError

    try:
        yield
    except HFValidationError as error:
        raise MisuseError(f"{failure}: {one_line(error)}; name it OWNER/NAME") from error
    except TypeError:  # an option that the client does not have
        raise
    except Exception as error:  # the client's errors, and those beneath it, have no common base
        reason, remedy = _explained(error)
        raise CheckpointError(f"{failure} ({constants.ENDPOINT}): {reason}; {remedy}") from error


def _explained(error: BaseException) -> tuple[str, str]:
    """Reason and remedy."""
    from huggingface_hub import errors

    chain = list(_chain(error))
    if any(isinstance(each, errors.OfflineModeIsEnabled) for each in chain):
        return "offline mode is on and the cache does not have it", "unset HF_HUB_OFFLINE"
    for kind, reason in (
        (errors.RevisionNotFoundError, "it has no such revision"),
        (errors.EntryNotFoundError, "it has no such file"),
        (errors.GatedRepoError, "its owner grants access one by one"),
        (errors.RepositoryNotFoundError, "there is no such repository, or it is private"),
    ):
        if isinstance(error, kind) and isinstance(error, errors.HfHubHTTPError):
            return reason, _REMEDIES.get(error.response.status_code, _TRY_LATER)
    for each in chain:
        if isinstance(each, errors.HfHubHTTPError):
            status = each.response.status_code
            return f"it answered {_phrase(status)}", _REMEDIES.get(status, _TRY_LATER)
    if isinstance(error, OSError) and error.errno is not None:
        place = "set HF_HOME to a folder that you may write to and that has room"
        return error.strerror or one_line(error), place
    return one_line(chain[-1]), f"check the network, and HF_ENDPOINT if it is set, and {_TRY_LATER}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
