"""Stands for Langfuse in a process that a program under `tracelite.langfuse run` starts."""

from tracelite.langfuse._alias import install

install()
