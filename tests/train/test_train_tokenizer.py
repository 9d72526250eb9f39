import pytest

from t2f_runtime.text.tokenizer import Tokenizer
from t2f_train.errors import ConfigError
from t2f_train.tokenizer import cut_tokens, train_tokenizer

DESCRIPTIONS = [
    f"{start} {age} {who} {link} {colour} hair{end}"
    for start, end in (("a", ""), ("this is a", "."), ("he or she is a", ", smiling"))
    for age in ("young", "very old", "middle-aged")
    for who in ("man", "woman", "person in glasses")
    for link in ("with", "who has", "showing some")
    for colour in ("red", "curly blond", "grey", "black")
]


def tokenizer(maximum_tokens=64):
    return Tokenizer(train_tokenizer(DESCRIPTIONS, 340), maximum_tokens=maximum_tokens)


def test_equal_descriptions_give_equal_tokenisers():
    assert train_tokenizer(DESCRIPTIONS, 300) == train_tokenizer(DESCRIPTIONS, 300)


def test_case_is_folded():
    assert tokenizer().encode("A Young MAN") == tokenizer().encode("a young man")


def test_known_words_take_few_tokens():
    known, unknown = "a young man with red hair", "q kzxqj vzq wjzx qzk jqzv"
    assert len(known) == len(unknown)
    assert len(tokenizer().encode(known)) < 0.75 * len(tokenizer().encode(unknown))


def test_no_text_is_unrepresentable():
    unknown = 1
    for text in ("żółw", "γέρος με μούσι", "老人", "🙂", "zzz-qqq"):
        tokens = tokenizer().encode(text)
        assert tokens
        assert unknown not in tokens


def test_padding_is_token_0_and_no_text_holds_it():
    assert tokenizer().padding_token == 0
    assert 0 not in tokenizer().encode("a young man, <pad> red hair")


def test_training_cuts_what_is_too_long():
    short = tokenizer(maximum_tokens=3)
    tokens = cut_tokens(short, "a young man with red hair")
    assert tokens.tolist() == short.encode("a young man with red hair")[:3]


def test_more_letters_than_the_vocabulary_holds_are_refused():
    letters = " ".join(chr(0x4E00 + number) for number in range(200))
    with pytest.raises(ConfigError, match=r"text.vocabulary_size is 300, .*raise it"):
        train_tokenizer([letters], 300)
