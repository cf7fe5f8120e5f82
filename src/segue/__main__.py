"""The way in for `python -m segue`, where the `segue` script is not on PATH."""

from segue.cli import main

if __name__ == "__main__":
    main()
