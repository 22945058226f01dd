"""One column made to look like another: its kind and its list of categories."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from divergences.files._table import BOOLEAN, CATEGORY, Column


def conformed(column: Column, like: Column) -> Column:
    """A column with the kind and the codes of `like`, which was found to suit it."""
    if column.kind != like.kind:
        turn = gaps_like if column.missing.all() else widened if like.kind == CATEGORY else switched
        column = turn(column, like)
    if column.categories == like.categories:
        return column
    return replace(column, categories=like.categories) if like.kind == BOOLEAN else recoded(column, like.categories)


def recoded(column: Column, categories: Sequence[str]) -> Column:
    """The column with the codes of `categories`, which hold all of its own."""
    position = {word: k for k, word in enumerate(categories)}
    places = np.array([position[word] for word in column.categories] + [-1], np.int32)
    return replace(column, values=places[column.values], categories=tuple(categories))


def gaps_like(column: Column, like: Column) -> Column:
    """A column of nothing but gaps, of the kind of another."""
    values = np.full(len(column.values), np.nan) if like.measured else np.full(len(column.values), -1, np.int32)
    return replace(column, values=values, kind=like.kind, categories=like.categories)


def widened(column: Column, other: Column) -> Column:
    """A boolean as a category, its words in the other's spelling: yes is the Yes of Yes, No and Maybe."""
    if column.kind == CATEGORY:
        return column
    spellings = [[word for word in other.categories if word.lower() == ours] for ours in column.categories]
    words = [found[0] if len(found) == 1 else ours for found, ours in zip(spellings, column.categories, strict=True)]
    return replace(column, kind=CATEGORY, categories=tuple(words))


def switched(column: Column, other: Column) -> Column:
    """Numbers 0 and 1 as a boolean."""
    if column.kind == BOOLEAN:
        return column
    codes = np.where(column.missing, -1.0, column.values).astype(np.int32)
    return replace(column, values=codes, kind=BOOLEAN, categories=other.categories)
