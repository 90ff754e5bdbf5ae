"""What tests of several layers share: services as processes, waiting."""
