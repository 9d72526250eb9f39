"""The words that a run is trained on, kept for whoever will read descriptions with its model."""

from collections.abc import Iterable

from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.errors import BundleError
from t2f_runtime.reading.word_list import WordList, count_words, decode_words, encode_words
from t2f_train.errors import RunError
from t2f_train.run_folder import RunFolder
from t2f_train.warm_start import WarmStart


def write_words(
    folder: RunFolder,
    descriptions: Iterable[str],
    *,
    is_new: bool,
    warm_start: WarmStart | None = None,
) -> None:
    """Writes a run's `words.json`, unless there is one, or nobody can know all of its words.

    A run that began before T2F kept such lists gets one when it goes on; one that was warm-started
    from a run without a list gets none, for that run's words are unknown.

    Args:
        folder: The run's.
        descriptions: All that the run is trained on.
        is_new: Whether the run begins now.
        warm_start: The run that it begins from; its words are words of this run too.

    Raises:
        OSError: It cannot be written.
        RunError: The other run's list is damaged.
    """
    before = None
    if is_new and warm_start is not None:
        before = read_words(RunFolder(warm_start.folder))
    elif not is_new and folder.words_path.exists():
        return
    has_origin = warm_start is not None if is_new else folder.read_record().origin is not None
    if has_origin and before is None:
        # What a start that was killed may have left would be taken for this run's.
        folder.words_path.unlink(missing_ok=True)
        return
    write_atomically(folder.words_path, encode_words(count_words(descriptions, before)))


def read_words(folder: RunFolder) -> WordList | None:
    """Reads a run's `words.json`; None where there is none.

    Raises:
        RunError: It is damaged, or cannot be read.
    """
    try:
        return decode_words(folder.words_path.read_bytes(), str(folder.words_path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"{folder.words_path} cannot be read: {error}") from error
    except BundleError as error:
        raise RunError(
            f"{folder.words_path} is damaged: remove it, and give the command that began the run "
            f"again, which writes it anew ({error})"
        ) from error
