"""What is understood of a description before anything is drawn; see `FaceGenerator.read`."""

from t2f_runtime.reading.description import DescriptionReading
from t2f_runtime.reading.reader import DescriptionReader
from t2f_runtime.reading.word_list import WordList, open_words

__all__ = ["DescriptionReader", "DescriptionReading", "WordList", "open_words"]
