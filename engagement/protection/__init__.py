"""Data protection: how long what is kept, what a person can have seen or erased, and what the notices say of it."""
