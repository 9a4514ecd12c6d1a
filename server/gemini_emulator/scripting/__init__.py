"""What tests script: faults, scenarios of researches, and what is waited for."""
