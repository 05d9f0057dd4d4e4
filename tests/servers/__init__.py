"""One class for each real server that tests start and stop."""
