"""Where private halves live."""
