"""What is kept and told of models for those who answer for them: scans, evidence, reports, whose data is where."""
