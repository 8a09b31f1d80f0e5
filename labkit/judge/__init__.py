"""From numbers to verdicts. Pure: the same run always gives the same verdicts."""
