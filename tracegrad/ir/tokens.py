"""The words of the text form of a graph, each with its place, and the steps that a recursive descent takes over them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from tracegrad.errors import FormatError, explain
from tracegrad.ir.assemble import Problem
from tracegrad.ir.literals import Limits

_TOKEN = re.compile(
    r"""(?P<blank>[ \t\r]+)|(?P<comment>\#[^\n]*)|(?P<newline>\n)
    |(?P<value>%[A-Za-z0-9_]+)
    |(?P<number>-?(?:[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?|inf\b|nan\b))
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<string>"(?:[^"\\\n]|\\[^\n])*")
    |(?P<mark><-|\.\.\.|[()\[\]{}:;,=])""",
    re.VERBOSE,
)
_OBJECT = re.compile(r"<[A-Za-z0-9_]+>")
_PLACE = re.compile(r"#\s*(\S.*):([0-9]{1,9})\s*\Z")


class Token(NamedTuple):
    """A word of the text and where it stands (an offset)."""

    kind: str
    text: str
    at: int


class Tokens:
    """The tokens of one text and the position in them."""

    def __init__(self, text: str, limits: Limits) -> None:
        self.text, self.limits = text, limits
        self.tokens: list[Token] = []
        self.position = 0
        self._split()

    def _split(self) -> None:
        at, end = 0, len(self.text)
        while at < end:
            found = _TOKEN.match(self.text, at)
            if found is None:
                custom = _OBJECT.match(self.text, at)
                if custom is not None:
                    self.fail(
                        at,
                        f"{custom.group()} stands for an object that the text form cannot hold (a custom Function, for instance)",
                    )
                self.fail(at, f"unexpected character {self.text[at]!r}")
            kind = found.lastgroup or ""
            if kind not in ("blank", "newline"):
                self.tokens.append(Token(kind, found.group(), at))
            elif kind == "newline":
                self.tokens.append(Token(kind, "the end of the line", at))
            at = found.end()
        self.tokens.append(Token("end", "the end of the text", end))

    def fail(self, at: int, problem: str) -> NoReturn:
        """Raise the FormatError for a place in the text."""
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        raise FormatError(explain("parse", f"line {line}, column {column}: {problem}"))

    def peek(self) -> Token:
        """The next token; comments are skipped, except by end_of_line."""
        while self.tokens[self.position].kind == "comment":
            self.position += 1
        return self.tokens[self.position]

    def next(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self.position += token.kind != "end"
        return token

    def skip_lines(self) -> None:
        """Take newlines and comments."""
        while self.peek().kind == "newline":
            self.position += 1

    def at(self, text: str) -> bool:
        """Whether the next token is that mark or word."""
        token = self.peek()
        return token.text == text and token.kind in ("mark", "word")

    def take(self, text: str) -> bool:
        """Take the mark or word if it is next."""
        found = self.at(text)
        self.position += found
        return found

    def expect(self, text: str) -> Token:
        """Take the mark or word, or fail."""
        if not self.at(text):
            token = self.peek()
            self.fail(token.at, f"expected {text!r}, got {shown(token)}")
        return self.next()

    def kind(self, kind: str, what: str) -> Token:
        """Take a token of a kind, or fail with `expected <what>`."""
        token = self.peek()
        if token.kind != kind:
            self.fail(token.at, f"expected {what}, got {shown(token)}")
        return self.next()

    def end_of_line(self) -> tuple[str, int] | None:
        """Take the end of the line, and give the location that its comment names."""
        place = None
        token = self.tokens[self.position]
        if token.kind == "comment":
            found = _PLACE.match(token.text)
            place = (found.group(1), int(found.group(2))) if found is not None else None
        token = self.peek()
        if token.kind not in ("newline", "end"):
            self.fail(token.at, f"expected the end of the line, got {shown(token)}")
        self.next()
        return place

    def checked(self, at: int, action: Callable[..., Any], *arguments: Any) -> Any:
        """Run a check; its Problem becomes a FormatError at that place."""
        try:
            return action(*arguments)
        except Problem as problem:
            self.fail(at, str(problem))


def shown(token: Token) -> str:
    """The token as a message names it."""
    if token.kind in ("newline", "end"):
        return token.text
    return repr(token.text if len(token.text) <= 40 else token.text[:37] + "...")
