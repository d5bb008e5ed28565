"""The rules that the SDK and the server share: pure functions over plain values.

`ids`, `durations`, `references`, `graph`, `config` and `run` need nothing but the standard library and do no I/O, so
that a pipeline is judged by the same code where it is written and where it is registered.
"""
