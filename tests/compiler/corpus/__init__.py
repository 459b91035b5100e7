"""Small realistic programs by which compile() is judged: each runs eagerly, compiled, and under torch, and must do the same."""
