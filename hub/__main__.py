"""`python -m hub`: the command `hub` by another name, where the scripts' folder isn't on the path."""

from hub.cli import main

main(prog_name="hub")
