"""What keeps a deployment going: old rows go, logs are shown, a bundle for who helps."""
