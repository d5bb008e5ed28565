"""`python -m gofer` is the command `gofer`."""

from gofer.cli import main

if __name__ == "__main__":
    main()
