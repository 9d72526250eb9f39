"""The tokenizer that a bundle holds."""

from t2f_runtime.bundle.bundle import Bundle
from t2f_runtime.errors import BundleError
from t2f_runtime.text.tokenizer import Tokenizer


def open_tokenizer(bundle: Bundle) -> Tokenizer | None:
    """Opens the tokenizer of a bundle; None where the model has no text.

    Raises:
        BundleError: It is not the one that the manifest describes.
    """
    text = bundle.manifest.text
    if text is None:
        return None
    tokenizer = Tokenizer(
        bundle.read(text.tokenizer),
        kind=text.kind,
        maximum_tokens=text.maximum_tokens,
        maximum_characters=text.maximum_characters,
    )
    found = (tokenizer.vocabulary_size, tokenizer.padding_token)
    if found != (text.vocabulary_size, text.padding_token):
        raise BundleError(
            f"{text.tokenizer} has {found[0]} tokens and pads with {found[1]}; the manifest says "
            f"{text.vocabulary_size} and {text.padding_token}; export the run again"
        )
    return tokenizer
