"""``python -m pgf_cli`` is ``pgf-sensitivity``."""

from pgf_cli.cli.app import main

if __name__ == "__main__":
    main()
