"""Mail to members and staff: an outbox, what it says, the ways in which it leaves, and what comes back."""
