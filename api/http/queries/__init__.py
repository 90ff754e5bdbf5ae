"""The routes that read: a module per read model, with its answers' shapes and a row per route."""
