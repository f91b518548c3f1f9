"""What is sent to people, and whether it arrives."""
