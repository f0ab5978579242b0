"""The council of members: its review of what was published, and the page on which every member reads the same."""
