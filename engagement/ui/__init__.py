"""What the staff pages share: the frame, one chart style, and sentences made of releases."""
