"""The grammar of written descriptions: which traits of a person are said, in which words and form.

A source of faces says who the person is and which traits are true of them; this module chooses
some of them and puts them into notes, one phrase, or sentences, as people write.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

_Option = TypeVar("_Option")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """One thing to say about a face, worded for each place of a sentence where it can stand.

    Every trait has a wording in `has`, `wears` or `being`; `{his}` stands for "his" or "her".
    """

    weight: float
    """How readily people mention it, compared with other traits."""
    share: float = 1.0
    """Share of descriptions in which it may be mentioned at all."""
    before: tuple[str, ...] = ()
    """Adjectives that come before the age: "bald" young man."""
    after: tuple[str, ...] = ()
    """Adjectives that come after the age: young "grey-haired" man."""
    has: tuple[str, ...] = ()
    """What stands after "has" and "with"."""
    wears: tuple[str, ...] = ()
    """What stands after "wears", "wearing" and "with"."""
    being: tuple[str, ...] = ()
    """What stands after "is"."""


@dataclass(frozen=True, slots=True)
class Person:
    """Words for somebody of this sex and age."""

    noun: str
    """As in "this woman"."""
    sex: str
    """As in notes: "female"."""
    age: str
    """An adjective, or empty: "young"."""
    he: str
    """The pronoun: he or she."""
    his: str
    """The possessive: his or her."""


class Chance:
    """Choices; all from uniform numbers, which cost far less than a generator's other methods.

    Args:
        rng: Where all chance comes from.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.uniform = rng.random

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return self.uniform() < probability

    def pick(self, options: Sequence[_Option]) -> _Option:
        """One of the options, all equally likely."""
        return options[int(self.uniform() * len(options))]


@dataclass(frozen=True, slots=True)
class _Words:
    """The wordings that were chosen, by their place in a sentence."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    has: list[str] = field(default_factory=list)
    wears: list[str] = field(default_factory=list)
    being: list[str] = field(default_factory=list)


def compose(person: Person, known: Sequence[Trait], chance: Chance) -> str:
    """Describes a person: each call differs in what it mentions, in order, wording and form.

    Args:
        person: Words for the person.
        known: What may be said of them; all of it true.
        chance: Makes the choices.

    Returns:
        One or more sentences or fragments, such as "A young woman with wavy hair, smiling."
    """
    words = _words(_mentioned(known, chance), chance)
    form = chance.pick((_phrase, _phrase, _sentences, _sentences, _introduction, _notes))
    sentences = [text.replace("{his}", person.his) for text in form(person, words, chance)]
    sloppiness = 2.0 if form is _notes else 1.0
    return _finish(sentences, chance, sloppiness)


def _mentioned(known: Sequence[Trait], chance: Chance) -> list[Trait]:
    """Draws a few traits by their weights, mostly the weightier ones first.

    Source: Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir": the largest
    of u ** (1 / weight), with u uniform, are a weighted sample without replacement.
    """
    count = chance.pick((1, 2, 3, 3, 4, 4, 5, 6))
    keyed = [
        (chance.uniform() ** (1.0 / trait.weight), n)
        for n, trait in enumerate(known)
        if chance.happens(trait.share)
    ]
    return [known[n] for _, n in sorted(keyed, reverse=True)[:count]]


def _words(mentioned: list[Trait], chance: Chance) -> _Words:
    """Gives each trait a place and a wording; there is one adjective at most on a side of the age.

    What is not there comes last in its list: "no beard and a hat" would be misread.
    """
    words = _Words()
    for trait in mentioned:
        if trait.before and not words.before and chance.happens(0.35):
            words.before.append(chance.pick(trait.before))
        elif trait.after and not words.after and chance.happens(0.25):
            words.after.append(chance.pick(trait.after))
        else:
            lists = (words.has, words.wears, words.being)
            pairs = zip((trait.has, trait.wears, trait.being), lists, strict=True)
            wordings, place = chance.pick([pair for pair in pairs if pair[0]])
            place.append(chance.pick(wordings))
    for place in (words.has, words.wears, words.being):
        place.sort(key=lambda text: (text.startswith(("no ", "not ")), " with " in text))
    return words


def _phrase(person: Person, words: _Words, chance: Chance) -> list[str]:
    """As in "a young man with brown hair, wearing glasses"."""
    noun = _noun_phrase(person, words)
    opening = chance.pick((_an(noun), _an(noun), _an(noun), noun, f"this is {_an(noun)}"))
    return [opening + _attached(words, chance)]


def _sentences(person: Person, words: _Words, chance: Chance) -> list[str]:
    """As in "this man has brown hair and a beard. He wears glasses"."""
    clauses = _clauses(words, chance)
    if not clauses:
        return [f"this is {_an(_noun_phrase(person, words))}"]
    subject = person.he
    if words.before or words.after or chance.happens(0.4):
        subject = f"{chance.pick(('this', 'the'))} {_noun_phrase(person, words)}"
    return [f"{subject} {clauses[0]}", *_further(person, clauses[1:], chance)]


def _introduction(person: Person, words: _Words, chance: Chance) -> list[str]:
    """As in "he is a young man with brown hair. He wears glasses"."""
    opening = f"{person.he} is {_an(_noun_phrase(person, words))}"
    if words.has:
        opening += f" with {_listed(words.has)}"
    rest = _Words(wears=words.wears, being=words.being)
    return [opening, *_further(person, _clauses(rest, chance), chance)]


def _notes(person: Person, words: _Words, chance: Chance) -> list[str]:
    """As in "young man, brown hair, glasses"."""
    items = [*words.has, *words.wears, *words.being]
    noun = chance.pick((person.noun, person.sex))
    if len(items) < 2 or chance.happens(0.8):
        adjectives = [*words.before, person.age, *words.after]
        items.insert(0, " ".join([*filter(None, adjectives), noun]))
    else:
        items += [*words.before, *words.after]
    return [", ".join(item.removeprefix("a ").removeprefix("an ") for item in items)]


def _noun_phrase(person: Person, words: _Words) -> str:
    return " ".join(filter(None, [*words.before, person.age, *words.after, person.noun]))


def _attached(words: _Words, chance: Chance) -> str:
    """What follows the noun in a phrase: " with …", "wearing …" and states such as "smiling"."""
    has, wears, being = words.has, words.wears, words.being
    if wears and chance.happens(0.3):
        has, wears = sorted(has + wears, key=lambda text: text.startswith("no ")), []
    text = f" with {_listed(has)}" if has else ""
    states = _listed(being)
    wearing = f"wearing {_listed(wears)}" if wears else ""
    if states and wearing:
        # "Not smiling and wearing a hat" would deny the hat.
        states_last = being[-1].startswith("not ") or chance.happens(0.5)
        tail = f"{wearing}, {states}" if states_last else f"{states} and {wearing}"
    else:
        tail = states or wearing
    if not tail:
        return text
    return f"{text}, {tail}" if text or tail.startswith(states or " ") else f" {tail}"


def _clauses(words: _Words, chance: Chance) -> list[str]:
    """Predicates in any order, short ones sometimes joined: "is smiling and wears earrings"."""
    clauses = []
    if words.has:
        clauses.append(f"has {_listed(words.has)}")
    if words.wears:
        clauses.append(f"{chance.pick(('wears', 'is wearing'))} {_listed(words.wears)}")
    if words.being:
        clauses.insert(int(chance.happens(0.7)), f"is {_listed(words.being)}")
    if len(clauses) > 1 and chance.happens(0.3):
        clauses.reverse()
    if len(clauses) > 1 and " and " not in "".join(clauses[:2]) and chance.happens(0.7):
        clauses[:2] = [f"{clauses[0]} and {clauses[1]}"]
    return clauses


def _further(person: Person, clauses: list[str], chance: Chance) -> list[str]:
    """Sentences after the first, sometimes as terse as "wears glasses"."""
    if chance.happens(0.15):
        return [clause.removeprefix("is ") for clause in clauses]
    return [f"{person.he} {clause}" for clause in clauses]


def _an(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def _finish(sentences: list[str], chance: Chance, sloppiness: float) -> str:
    """Joins sentences, and now and then forgets capitals or the last full stop."""
    text = ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)
    if chance.happens(0.3 * sloppiness):
        text = text.lower()
    return text if chance.happens(0.25 * sloppiness) else f"{text}."
