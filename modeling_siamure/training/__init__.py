"""Two-phase training (paper, 2.4), and what it leaves."""
