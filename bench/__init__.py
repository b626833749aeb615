"""What an order costs: the real chain beside the least that could do the same (``make bench``)."""
