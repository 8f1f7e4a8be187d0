"""What a search is made of: spaces, samplers, studies, and the trials that are run for them."""
