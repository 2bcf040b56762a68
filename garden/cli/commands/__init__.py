"""One module for each command, `garden NAME ...`; it has `main(argv) -> exit status`."""
