"""A server whose faces are drawn when a test says so, and words that nobody must see."""

SECRET = "a man with a scar called Zebedee"

TURNSTILE = """
import threading
from dataclasses import replace
from t2f_runtime.service import server, turns

draw, turnstile = turns._draw, threading.Semaphore(0)

def draw_once_let_through(*what):
    turnstile.acquire()
    draw(*what)

def letting_one_through(method):
    def call(*what):
        method(*what)
        turnstile.release()
    return call

turns._draw = draw_once_let_through
server.StdioServer.stop = letting_one_through(server.StdioServer.stop)
cancel = server.METHODS["cancel"]
server.METHODS["cancel"] = replace(cancel, handle=letting_one_through(cancel.handle))
"""
"""Draws no face but one after each `cancel`, and the one that is begun when all is cancelled."""
