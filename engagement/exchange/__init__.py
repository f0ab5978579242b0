"""Files in and out that are not the roster's: past answers, and releases."""
