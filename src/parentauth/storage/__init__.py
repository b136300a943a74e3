"""Where accounts and the outbox are kept."""
