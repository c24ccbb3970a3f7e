"""The command line: verbs, exit codes and hints."""
