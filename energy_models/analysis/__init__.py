"""What an estimate rests on and what it is compared with: uncertainty, sensitivity, break-even, raw streaming."""
