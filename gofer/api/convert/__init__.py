"""Domain values to messages and back: pure, a module per noun. Nobody else here knows how the wire spells things."""
