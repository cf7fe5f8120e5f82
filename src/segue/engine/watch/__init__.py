"""What goes on in the background: leases are renewed, and what others left behind is taken up."""
