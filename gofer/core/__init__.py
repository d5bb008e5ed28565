"""The pure core: values, rules and the run machine; no I/O, no clock, no event loop."""
