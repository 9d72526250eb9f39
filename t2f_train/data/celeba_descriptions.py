"""Writes descriptions of a face from CelebA's attributes, as people would.

They say true things only: `celeba_traits` decides what may be said, `description_grammar` which of
it is said and how.
"""

import numpy as np

from t2f_train.data.celeba_traits import traits
from t2f_train.data.description_grammar import Chance, Person, compose


def describe(attributes: frozenset[str], rng: np.random.Generator) -> str:
    """Describes a face: each call differs in what it mentions, in order, wording and form.

    Args:
        attributes: CelebA's names of the attributes that are present, as "Wavy_Hair"; all others
            are taken as absent.
        rng: Makes the choices.

    Returns:
        One or more sentences or fragments, such as "A young woman with wavy hair, smiling."
    """
    chance = Chance(rng)
    return compose(_person(attributes, chance), traits(attributes), chance)


def _person(attributes: frozenset[str], chance: Chance) -> Person:
    is_young = "Young" in attributes
    ages = ("young",) if is_young else ("middle-aged", "middle-aged", "older")
    age = chance.pick(ages) if chance.happens(0.6) else ""
    if "Male" in attributes:
        nouns = ("man", "man", "man", "guy" if is_young else "gentleman")
        return Person(chance.pick(nouns), "male", age, "he", "his")
    return Person(chance.pick(("woman", "woman", "woman", "lady")), "female", age, "she", "her")
