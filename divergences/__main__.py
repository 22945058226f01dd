"""`python -m divergences`."""

from divergences.cli import main

if __name__ == "__main__":
    main()
