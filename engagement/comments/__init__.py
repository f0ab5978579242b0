"""Open answers after close: redacted, reviewed by a person who is no leader, coded, and published once."""
