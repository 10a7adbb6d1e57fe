"""`python -m pinnreg` is the command `pinnreg`."""

from pinnreg.cli import main

if __name__ == "__main__":
    main()
