"""What the gate says under faults: verdicts over simulated noise whose truth is known."""
