"""Studies: one file says what is compared, one report says what came out."""
