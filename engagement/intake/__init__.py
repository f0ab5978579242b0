"""Sealed intake: links, sealed answers, and the mix at close."""
