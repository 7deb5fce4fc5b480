"""`python -m hub.demo`."""

from hub.demo.command import demo

demo(prog_name="hub demo")
