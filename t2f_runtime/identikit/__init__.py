"""Identikit: finding the face that a witness saw, by choosing, breeding and describing.

Recognising is easier than recalling, so a witness sees many faces, chooses the closest, and sees
their children; sliders, locks and mixtures do the rest. See `Session`.
"""

from t2f_runtime.identikit.case import Case, ShownFace, Step
from t2f_runtime.identikit.case_file import CaseFile, load_case, save_case
from t2f_runtime.identikit.case_log import CaseLog, repair_log
from t2f_runtime.identikit.comparison import Comparison, Trait
from t2f_runtime.identikit.content_credentials import Credentials, read_credentials, sign_picture
from t2f_runtime.identikit.directions import SLIDER_END, Direction
from t2f_runtime.identikit.errors import CaseError
from t2f_runtime.identikit.explain import Explanation, WordEffect, explain, explain_text
from t2f_runtime.identikit.explanation_sheet import explanation_sheet
from t2f_runtime.identikit.face import Face, Reading, latents, mix, morph
from t2f_runtime.identikit.log_chain import LogMark, LogReport, verify_log
from t2f_runtime.identikit.pdf_page import export_page
from t2f_runtime.identikit.picture_export import export_picture, export_sheet
from t2f_runtime.identikit.session import Session
from t2f_runtime.identikit.studio import picture_hash
from t2f_runtime.identikit.word_pairs import KNOWN_PAIRS, LOCK_SETS
from t2f_runtime.pictures.facts import PictureFacts, read_picture

__all__ = [
    "KNOWN_PAIRS",
    "LOCK_SETS",
    "SLIDER_END",
    "Case",
    "CaseError",
    "CaseFile",
    "CaseLog",
    "Comparison",
    "Credentials",
    "Direction",
    "Explanation",
    "Face",
    "LogMark",
    "LogReport",
    "PictureFacts",
    "Reading",
    "Session",
    "ShownFace",
    "Step",
    "Trait",
    "WordEffect",
    "explain",
    "explain_text",
    "explanation_sheet",
    "export_page",
    "export_picture",
    "export_sheet",
    "latents",
    "load_case",
    "mix",
    "morph",
    "picture_hash",
    "read_credentials",
    "read_picture",
    "repair_log",
    "save_case",
    "sign_picture",
    "verify_log",
]
