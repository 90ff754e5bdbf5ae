"""What must survive: processes and servers are killed, frozen and cut off under load."""
