"""The lecture documents whose statements are claimed."""

from divergences.claims import Document

LECTURES = Document(
    title="The lectures, verified",
    sources={
        "I": "Isachenko, Deep Generative Models, lecture 10 (2021)",
        "S": "Stavrou & Kountouris, MALCOM lecture 6 (2024)",
        "E": "Deep Learning, exercise series 11, solutions (2018)",
        "N": "Sansone, GANs (2017)",
        "W": "Improved GAN slides",
    },
    parts={
        "A": "Divergences on known distributions",
        "B": "The f-divergence family",
        "C": "Earth mover, Wasserstein, duality",
        "D": "The GAN game",
    },
    note="Written by `make claims` from what ran.",
    errata="Errata: what the lectures print, and what holds",
)
