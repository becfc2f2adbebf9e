"""The command line: click, one file per command, each imported when it is invoked. Imports any lower row; nothing imports it."""
