"""What each command does; ``parity/cli.py`` holds their flags."""
