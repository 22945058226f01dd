"""The theory bench as a page and as plain data."""

from collections.abc import Sequence
from typing import Any

from divergences.report import Report, Section, picture, table, text
from gan.dynamics.closed_forms import BILINEAR
from gan.dynamics.games import UPDATES, bilinear, contraction
from gan.dynamics.pictures import bilinear_figure, contraction_figure, dirac_figure
from gan.dynamics.table import Row

RATES = (0.1, 0.5)


def spelled(values: Sequence[complex] | None) -> str:
    """Two eigenvalues in a few characters.

    >>> spelled((-0.5j, 0.5j)), spelled((-0.25 - 0.433j, -0.25 + 0.433j)), spelled((-9.975 + 0j, -0.025 + 0j))
    ('± 0.5i', '-0.25 ± 0.433i', '-9.975, -0.025')
    """
    if values is None:
        return "-"
    low, high = values
    if high.imag == 0:
        return f"{low.real:.4g}, {high.real:.4g}"
    real = "" if abs(high.real) < 1e-9 else f"{high.real:.4g} "
    return f"{real}± {high.imag:.4g}i"


def worst(rows: Sequence[Row]) -> float:
    """The largest distance of measured eigenvalues from their closed forms."""
    return max((row.error for row in rows if row.error is not None), default=0.0)


HEADING = f"{'recipe':<26}{'eigenvalues':<20}{'closed form':<20}{'distance':<10}{'flow':<15}played"


def line(row: Row) -> str:
    """A row as a line of a terminal; without a Dirac-GAN, the reason.

    >>> line(Row(recipe="sngan", note="its slope is always 1."))
    'sngan                     no Dirac-GAN: its slope is always 1.'
    """
    if not row.near:
        return f"{row.recipe:<26}no Dirac-GAN: {row.note}"
    error = "-" if row.error is None else f"{row.error:.0e}"
    found, known = spelled(row.eigenvalues), spelled(row.theory)
    return f"{row.recipe:<26}{found:<20}{known:<20}{error:<10}{row.near:<15}{row.played}"


def summary(rows: Sequence[Row]) -> str:
    """The largest distances of both games from their closed forms."""
    games = max(abs(game["contraction"] - game["theory"]) for game in bilinear_rows())
    return f"largest distance: Dirac-GANs {worst(rows):.1e}; six updates of the bilinear game {games:.1e}"


def bilinear_rows() -> list[dict[str, Any]]:
    """Measured and closed contraction of xy, by update and rate."""
    game = bilinear([[1.0]])
    return [
        {"update": name, "rate": h, "contraction": contraction(game, update, h), "theory": BILINEAR[name](h)}
        for name, update in UPDATES.items()
        for h in RATES
    ]


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Rows as plain data; an eigenvalue is a pair (real, imaginary)."""

    def pairs(values: Sequence[complex] | None) -> list[list[float]] | None:
        return None if values is None else [[z.real, z.imag] for z in values]

    recipes = [{**vars(row), "eigenvalues": pairs(row.eigenvalues), "theory": pairs(row.theory)} for row in rows]
    return {"recipes": recipes, "bilinear": bilinear_rows(), "largest_error": worst(rows)}


def theory_report(rows: Sequence[Row]) -> Report:
    """One page: the recipes' Dirac-GANs, the bilinear game, three figures."""
    played = [row for row in rows if row.near]
    cells = [
        [
            row.recipe,
            spelled(row.eigenvalues),
            spelled(row.theory),
            row.rate,
            row.contraction,
            row.contraction_theory,
            row.near,
            row.played,
            row.note,
        ]
        for row in played
    ]
    games = bilinear_rows()
    return Report(
        "GAN dynamics",
        [
            Section(
                "Dirac-GANs",
                [
                    text(_DIRAC),
                    table(_HEADER, cells, caption=_CAPTION),
                    picture(dirac_figure(), "Trajectories of twelve Dirac-GANs on their fields."),
                    table(["recipe", "why it has no Dirac-GAN"], [[r.recipe, r.note] for r in rows if not r.near]),
                ],
            ),
            Section(
                "The bilinear game xy",
                [
                    text(_BILINEAR),
                    table(
                        ["update", "step", "contraction", "closed form"],
                        [[g["update"], g["rate"], g["contraction"], g["theory"]] for g in games],
                    ),
                    picture(contraction_figure(), "Contraction of a step against its size, for six updates."),
                    picture(bilinear_figure(), "Trajectories of six updates on the bilinear game."),
                ],
            ),
        ],
        lead=(
            f"{len(played)} of {len(rows)} recipes have a Dirac-GAN; where a closed form exists, the eigenvalues by "
            f"automatic differentiation differ from it by at most {worst(rows):.1e}."
        ),
    )


_HEADER = ("recipe", "eigenvalues", "closed form", "step", "a round", "closed form", "flow", "played", "note")
_DIRAC = (
    "Data at 0, a generator that is a point at theta, a critic psi x: Mescheder, Geiger & Nowozin (2018). Eigenvalues "
    "with a negative real part attract, purely imaginary ones turn, and then the terms beyond the linear ones decide "
    "what a simulation shows."
)
_CAPTION = (
    "Eigenvalues of the field's Jacobian at rest. A round: what the critic's steps and one step of the generator do to "
    "a small deviation, at the step size named. Flow: near rest, by the eigenvalues. Played: three turns from (1, 1) "
    "by plain gradient steps in the recipe's rhythm; a change below half a percent in a turn counts as none."
)
_BILINEAR = (
    "min over x, max over y of xy. For x'Ay the step counts in units of A's singular values. Simultaneous steps spiral "
    "out, alternating ones turn, and the other four converge."
)
