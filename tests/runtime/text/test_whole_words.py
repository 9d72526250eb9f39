import re

import pytest

from t2f_runtime.errors import BundleError, DescriptionError
from t2f_runtime.text.tokenizer import Tokenizer
from t2f_runtime.text.whole_words import WholeWords, encode_vocabulary, split_words

WORDS = ("a", "man", "with", "grey", "hair", ",", ".", "'", "2", "0", "s", "é", "fianc")


def reads_as(text):
    """What the original's two substitutions and its split make of a text."""
    spaced = re.sub(r"([^a-zA-Z])", r" \1 ", text.lower())
    return re.sub(r"\s{2,}", " ", spaced).split()


@pytest.mark.parametrize(
    "text",
    [
        "A man with grey hair, smiling.",
        "He's in his 20s; 5 o'clock shadow & fiancé!",
        "tabs\tand\nlines\r\n  and   spaces\u00a0here\u2028there\x1fand",
        "b2b 3.5cm — “quoted” (brackets) <pad> <unk> [PAD]",
        "ΑΣ İstanbul ǅ 男人 🙂\u200d e\u0301",
        "",
        " \t ",
    ],
)
def test_words_are_those_of_the_original(text):
    assert split_words(text) == reads_as(text)


def test_known_words_have_their_line_and_others_one_token():
    words = WholeWords(encode_vocabulary(WORDS))
    assert (words.vocabulary_size, words.padding_token) == (2 + len(WORDS), 0)
    assert words.encode("A man, 20s.") == [2, 3, 7, 10, 11, 12, 8]
    assert words.encode("a bespectacled man") == [2, 1, 3]
    assert words.encode("a bespectacled man", most=2) == [2, 1]
    # No text holds padding, whatever it spells.
    assert 0 not in words.encode("<pad> pad <unk>")


def test_a_tokenizer_of_words_refuses_what_says_nothing():
    tokenizer = Tokenizer(encode_vocabulary(WORDS), kind="words", maximum_tokens=3)
    assert tokenizer.tokens("a grey man").tolist() == [2, 5, 3]
    with pytest.raises(DescriptionError, match="this bundle knows no word of the description"):
        tokenizer.tokens("bespectacled grandmother")
    with pytest.raises(DescriptionError, match="has 4 tokens; this bundle reads 3 at most"):
        tokenizer.tokens("a man, grey")
    with pytest.raises(DescriptionError, match="empty or shows nothing"):
        tokenizer.tokens(" \n")


@pytest.mark.parametrize(
    ("vocabulary", "message"),
    [
        (b"", "its first two lines are not <pad> and <unk>"),
        (b"[PAD]\n[UNK]\na\n", "its first two lines are not <pad> and <unk>"),
        (b"<pad>\n<unk>\na\nb\na\n", "it holds a word twice"),
        (b"<pad>\n<unk>\na\ntwo words\n", "line 4 is no word: 'two words'"),
        (b"<pad>\n<unk>\nGrey\n", "line 3 is no word: 'Grey'"),
        (b"<pad>\n<unk>\n\na\n", "line 3 is no word: ''"),
        (b"<pad>\n<unk>\n\xff\n", "codec can't decode"),
    ],
)
def test_what_is_no_vocabulary_is_refused(vocabulary, message):
    with pytest.raises(BundleError, match=f"not a vocabulary of whole words: .*{message}"):
        WholeWords(vocabulary)
