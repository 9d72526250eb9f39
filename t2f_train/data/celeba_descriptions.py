"""Writes descriptions of a face from CelebA's attributes, as people would.

The grammar says true things only: `celeba_traits` decides what may be said, this module which of
it is said and how: as notes, as one phrase, or in sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from t2f_train.data.celeba_traits import Trait, traits

_Option = TypeVar("_Option")


@dataclass(frozen=True, slots=True)
class _Person:
    """Words for somebody of this sex and age."""

    noun: str
    sex: str
    age: str
    he: str
    his: str


@dataclass(frozen=True, slots=True)
class _Words:
    """The wordings that were chosen, by their place in a sentence."""

    before: list[str] = field(default_factory=list)
    after: list[str] = field(default_factory=list)
    has: list[str] = field(default_factory=list)
    wears: list[str] = field(default_factory=list)
    being: list[str] = field(default_factory=list)


def describe(attributes: frozenset[str], rng: np.random.Generator) -> str:
    """Describes a face: each call differs in what it mentions, in order, wording and form.

    Args:
        attributes: CelebA's names of the attributes that are present, as "Wavy_Hair"; all others
            are taken as absent.
        rng: Makes the choices.

    Returns:
        One or more sentences or fragments, such as "A young woman with wavy hair, smiling."
    """
    chance = _Chance(rng)
    person = _person(attributes, chance)
    words = _words(_mentioned(traits(attributes), chance), chance)
    form = chance.pick((_phrase, _phrase, _sentences, _sentences, _introduction, _notes))
    sentences = [text.replace("{his}", person.his) for text in form(person, words, chance)]
    sloppiness = 2.0 if form is _notes else 1.0
    return _finish(sentences, chance, sloppiness)


class _Chance:
    """Choices; all from uniform numbers, which cost far less than a generator's other methods."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.uniform = rng.random

    def happens(self, probability: float) -> bool:
        return self.uniform() < probability

    def pick(self, options: Sequence[_Option]) -> _Option:
        return options[int(self.uniform() * len(options))]


def _person(attributes: frozenset[str], chance: _Chance) -> _Person:
    is_young = "Young" in attributes
    ages = ("young",) if is_young else ("middle-aged", "middle-aged", "older")
    age = chance.pick(ages) if chance.happens(0.6) else ""
    if "Male" in attributes:
        nouns = ("man", "man", "man", "guy" if is_young else "gentleman")
        return _Person(chance.pick(nouns), "male", age, "he", "his")
    return _Person(chance.pick(("woman", "woman", "woman", "lady")), "female", age, "she", "her")


def _mentioned(known: Sequence[Trait], chance: _Chance) -> list[Trait]:
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


def _words(mentioned: list[Trait], chance: _Chance) -> _Words:
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


def _phrase(person: _Person, words: _Words, chance: _Chance) -> list[str]:
    """As in "a young man with brown hair, wearing glasses"."""
    noun = _noun_phrase(person, words)
    opening = chance.pick((_an(noun), _an(noun), _an(noun), noun, f"this is {_an(noun)}"))
    return [opening + _attached(words, chance)]


def _sentences(person: _Person, words: _Words, chance: _Chance) -> list[str]:
    """As in "this man has brown hair and a beard. He wears glasses"."""
    clauses = _clauses(words, chance)
    if not clauses:
        return [f"this is {_an(_noun_phrase(person, words))}"]
    subject = person.he
    if words.before or words.after or chance.happens(0.4):
        subject = f"{chance.pick(('this', 'the'))} {_noun_phrase(person, words)}"
    return [f"{subject} {clauses[0]}", *_further(person, clauses[1:], chance)]


def _introduction(person: _Person, words: _Words, chance: _Chance) -> list[str]:
    """As in "he is a young man with brown hair. He wears glasses"."""
    opening = f"{person.he} is {_an(_noun_phrase(person, words))}"
    if words.has:
        opening += f" with {_listed(words.has)}"
    rest = _Words(wears=words.wears, being=words.being)
    return [opening, *_further(person, _clauses(rest, chance), chance)]


def _notes(person: _Person, words: _Words, chance: _Chance) -> list[str]:
    """As in "young man, brown hair, glasses"."""
    items = [*words.has, *words.wears, *words.being]
    noun = chance.pick((person.noun, person.sex))
    if len(items) < 2 or chance.happens(0.8):
        adjectives = [*words.before, person.age, *words.after]
        items.insert(0, " ".join([*filter(None, adjectives), noun]))
    else:
        items += [*words.before, *words.after]
    return [", ".join(item.removeprefix("a ").removeprefix("an ") for item in items)]


def _noun_phrase(person: _Person, words: _Words) -> str:
    return " ".join(filter(None, [*words.before, person.age, *words.after, person.noun]))


def _attached(words: _Words, chance: _Chance) -> str:
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


def _clauses(words: _Words, chance: _Chance) -> list[str]:
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


def _further(person: _Person, clauses: list[str], chance: _Chance) -> list[str]:
    """Sentences after the first, sometimes as terse as "wears glasses"."""
    if chance.happens(0.15):
        return [clause.removeprefix("is ") for clause in clauses]
    return [f"{person.he} {clause}" for clause in clauses]


def _an(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _listed(items: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


def _finish(sentences: list[str], chance: _Chance, sloppiness: float) -> str:
    """Joins sentences, and now and then forgets capitals or the last full stop."""
    text = ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences)
    if chance.happens(0.3 * sloppiness):
        text = text.lower()
    return text if chance.happens(0.25 * sloppiness) else f"{text}."
